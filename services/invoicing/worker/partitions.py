"""Partitions that are added while workers run: found, and shared out among them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from invoicing.runtime.kafka.connect import is_kafka_outage
from invoicing.runtime.kafka.groups import owned_partitions
from invoicing.runtime.process import background
from invoicing.runtime.settings import Settings

LOOK_INTERVAL_SECONDS: Final = 1.0

Owned = Callable[[], Awaitable[set[TopicPartition] | None]]
"""What the group's members have between them; None while it is being shared out."""

log = structlog.get_logger()


@asynccontextmanager
async def sharing_out(settings: Settings, consumer: AIOKafkaConsumer) -> AsyncIterator[None]:
    """Look for partitions that were added while the block runs."""
    owned = partial(owned_partitions, settings, settings.consumer_group)
    async with background(_look_again_and_again(PartitionsSeen(consumer, owned))):
        yield


async def _look_again_and_again(partitions: "PartitionsSeen") -> None:
    while True:
        await partitions.look()
        await asyncio.sleep(LOOK_INTERVAL_SECONDS)


class PartitionsSeen:
    """Has the group share out partitions that were added.

    By itself, only the leader of a group looks for them. A member that came back by its name in the
    leader's place is not told that it leads (KIP-814), and then nobody does: what is sent to the
    new partitions would wait for the next rebalance. So whoever sees more of them than before, or
    at its first look some that nobody has, asks to join again; the broker heeds whom it holds for
    the leader.
    """

    def __init__(self, consumer: AIOKafkaConsumer, owned: Owned) -> None:
        self._consumer = consumer
        self._owned = owned
        self._most: dict[str, int] = {}

    async def look(self) -> None:
        """Compare what the client knows of our topics with the most that it ever knew."""
        for topic in {place.topic for place in self._consumer.assignment()}:
            now = len(self._consumer.partitions_for_topic(topic) or ())
            before = self._most[topic] if topic in self._most else await self._owned_of(topic)
            if before is None:
                continue
            self._most[topic] = max(before, now)
            if now > before:
                log.info("partitions_added", topic=topic, partitions=now)
                self._consumer._coordinator.request_rejoin()  # it has no public way

    async def _owned_of(self, topic: str) -> int | None:
        """How many of the topic's partitions somebody has; None where that cannot be told yet."""
        try:
            owned = await self._owned()
        except Exception as error:
            if is_kafka_outage(error):
                return None
            raise
        return None if owned is None else sum(place.topic == topic for place in owned)
