"""Partitions that are added while workers run: noticed, and assigned within the group."""

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
from invoicing.worker.consumer import request_rejoin

LOOK_INTERVAL_SECONDS: Final = 1.0

Owned = Callable[[], Awaitable[set[TopicPartition] | None]]
"""The partitions assigned within the group; None during a rebalance."""

log = structlog.get_logger()


@asynccontextmanager
async def watching_partitions(
    settings: Settings, consumer: AIOKafkaConsumer
) -> AsyncIterator[None]:
    """Look for partitions that were added while the block runs."""
    owned = partial(owned_partitions, settings, settings.consumer_group)
    async with background(_watch(PartitionWatch(consumer, owned))):
        yield


async def _watch(partitions: "PartitionWatch") -> None:
    while True:
        await partitions.look()
        await asyncio.sleep(LOOK_INTERVAL_SECONDS)


class PartitionWatch:
    """Requests a rebalance when partitions were added.

    By itself, only a group's leader looks for them. A named member that came back in the leader's
    place does not learn that it leads (KIP-814), and then no member looks: records in the new
    partitions would wait for the next rebalance. So every worker that sees more partitions than
    before, or at its first look some that are not assigned, asks to rejoin; the broker starts a
    rebalance for the member that it takes for the leader.
    """

    def __init__(self, consumer: AIOKafkaConsumer, owned: Owned) -> None:
        self._consumer = consumer
        self._owned = owned
        self._most: dict[str, int] = {}

    async def look(self) -> None:
        """Compare the partitions that the client knows with the most that it ever knew."""
        for topic in {partition.topic for partition in self._consumer.assignment()}:
            now = len(self._consumer.partitions_for_topic(topic) or ())
            before = self._most[topic] if topic in self._most else await self._assigned(topic)
            if before is None:
                continue
            self._most[topic] = max(before, now)
            if now > before:
                log.info("partitions_added", topic=topic, partitions=now)
                request_rejoin(self._consumer)

    async def _assigned(self, topic: str) -> int | None:
        """How many of the topic's partitions are assigned; None while that is unknown."""
        try:
            owned = await self._owned()
        except Exception as error:
            if is_kafka_outage(error):
                return None
            raise
        return None if owned is None else sum(partition.topic == topic for partition in owned)
