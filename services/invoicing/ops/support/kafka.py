"""Kafka clients for tools: consumers without a group, and producers; and their known failures."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalArgumentError,
    IllegalStateError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from invoicing.ops.support.failures import UnreachableError, forbidden
from invoicing.runtime.kafka.connect import new_consumer, new_producer
from invoicing.runtime.kafka.topics import check_topics, existing_topics
from invoicing.runtime.settings import Settings

STOP_SECONDS_MAX: Final = 3.0


@asynccontextmanager
async def reading(
    settings: Settings, *topics: str, from_beginning: bool = False
) -> AsyncIterator[AIOKafkaConsumer]:
    """A read-committed consumer of all partitions of these topics, without a group.

    It starts at their ends as of entering the block, or at their beginnings. Raises `TopicsError`.
    """
    counts = await existing_topics(settings)
    check_topics(settings, counts)
    consumer = new_consumer(settings)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, n) for topic in topics for n in range(counts[topic])]
        consumer.assign(partitions)
        if not from_beginning:
            # Before the block runs: nothing that is sent inside it may be missed.
            for partition, offset in (await consumer.end_offsets(partitions)).items():
                consumer.seek(partition, offset)
        yield consumer
    finally:
        await _stopped(consumer)


@asynccontextmanager
async def producing(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """An idempotent producer that hashes keys as the worker does."""
    producer = new_producer(settings)
    await producer.start()
    try:
        yield producer
    finally:
        await _stopped(producer)


async def _stopped(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop a client, or abandon it after a while: it may wait for a broker that is down."""
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await client.stop()


_FORBIDDEN_BY_KAFKA: Final = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)


@contextmanager
def reaching_kafka() -> Iterator[None]:
    """Turn errors of Kafka clients into `UnreachableError` or `ForbiddenError`."""
    try:
        yield
    except _FORBIDDEN_BY_KAFKA as error:
        raise forbidden("Kafka", error) from error
    except (IllegalArgumentError, IllegalStateError):
        raise  # a bug of ours: the client was called wrongly
    except KafkaError as error:
        raise UnreachableError(
            f"Kafka cannot be reached: {' '.join(str(error).split())}."
            " Check INVOICING_KAFKA_BOOTSTRAP_SERVERS."
        ) from error
