"""Clients for tools: consumers without a group, producers, a read-only connection to Postgres."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from invoicing.runtime.kafka.connect import new_consumer, new_producer
from invoicing.runtime.kafka.topics import check_topics, existing_topics
from invoicing.runtime.postgres import open_pool
from invoicing.runtime.settings import Settings
from invoicing.store.errors import check_schema
from invoicing.store.history import READER_ROLE

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


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
    """A read-only connection. Raises `SchemaError`."""
    pool = await open_pool(settings, READER_ROLE)
    try:
        await check_schema(pool)
        async with pool.acquire() as connection:
            yield connection
    finally:
        await pool.close()
