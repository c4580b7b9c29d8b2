"""Reading topics as an onlooker: no group, every partition, only what is committed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition

from runtime.kafka import check_topics, client_options, existing_topics
from runtime.settings import Settings


@asynccontextmanager
async def reading(
    settings: Settings, *topics: str, from_beginning: bool = False
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of these topics, at their ends as they are when the block is entered."""
    partitions = await existing_topics(settings)
    check_topics(settings, partitions)
    consumer = AIOKafkaConsumer(
        **client_options(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
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
        await consumer.stop()
