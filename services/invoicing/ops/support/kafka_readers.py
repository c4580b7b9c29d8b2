"""Clients for who is no worker: of topics without a group, of the database without writing."""

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
    """A consumer of all partitions of these topics, of what is committed only.

    It stands at their ends as they are when the block is entered. Raises `TopicsError`.
    """
    partitions = await existing_topics(settings)
    check_topics(settings, partitions)
    consumer = new_consumer(settings)
    await consumer.start()
    try:
        places = [TopicPartition(topic, n) for topic in topics for n in range(partitions[topic])]
        consumer.assign(places)
        if not from_beginning:
            # Asked now: what is sent inside the block must not be passed over.
            for place, offset in (await consumer.end_offsets(places)).items():
                consumer.seek(place, offset)
        yield consumer
    finally:
        await _stopped(consumer)


@asynccontextmanager
async def producing(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """A producer that hashes keys as the worker does, and sends nothing twice."""
    producer = new_producer(settings)
    await producer.start()
    try:
        yield producer
    finally:
        await _stopped(producer)


async def _stopped(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop a client, or leave it: it may wait for a broker that is away, or for itself."""
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await client.stop()


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
    """A connection that can only read. Raises `SchemaError`."""
    pool = await open_pool(settings, READER_ROLE)
    try:
        await check_schema(pool)
        async with pool.acquire() as connection:
            yield connection
    finally:
        await pool.close()
