"""Partitions that are added while workers run: found, and shared out among them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer

LOOK_INTERVAL_SECONDS: Final = 1.0

log = structlog.get_logger()


@asynccontextmanager
async def sharing_out(consumer: AIOKafkaConsumer) -> AsyncIterator[None]:
    """Look for partitions that were added while the block runs."""
    task = asyncio.create_task(_look_again_and_again(PartitionsSeen(consumer)))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _look_again_and_again(partitions: "PartitionsSeen") -> None:
    while True:
        partitions.look()
        await asyncio.sleep(LOOK_INTERVAL_SECONDS)


class PartitionsSeen:
    """Has the group share out partitions that were added.

    By itself, only the leader of a group looks for them. A member that came back by its name in the
    leader's place is not told that it leads (KIP-814), and then nobody does: what is sent to the
    new partitions would wait for the next rebalance. So whoever sees more of them than before asks
    to join again; the broker heeds whom it holds for the leader.
    """

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._most: dict[str, int] = {}

    def look(self) -> None:
        """Compare what the client knows of our topics with the most that it ever knew."""
        for topic in {place.topic for place in self._consumer.assignment()}:
            now = len(self._consumer.partitions_for_topic(topic) or ())
            before = self._most.setdefault(topic, now)
            if now > before:
                self._most[topic] = now
                log.info("partitions_added", topic=topic, partitions=now)
                self._consumer._coordinator.request_rejoin()  # it has no public way
