"""The lanes' gauges: how many lanes there are, and how far behind each of them is.

They are updated beside the work, once a second, so that the work itself need not count.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import perf_counter, time
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from invoicing.contracts.dead_letters import DeadLetterReason
from invoicing.runtime.process import background
from invoicing.worker import metrics
from invoicing.worker.assignment import Lanes
from invoicing.worker.lane import Lane

LOOK_INTERVAL_SECONDS: Final = 1.0
ASK_SECONDS_MAX: Final = 5.0


@asynccontextmanager
async def watching_lag(lanes: Lanes, consumer: AIOKafkaConsumer) -> AsyncIterator[None]:
    """Update the lanes' gauges while the block runs."""
    # Set every counter to 0: `rate()` misses the first increment of one that starts at 1.
    for reason in DeadLetterReason:
        metrics.DEAD_LETTERS.labels(reason=reason)

    async def watch() -> None:
        behind: dict[TopicPartition, int] = {}
        while True:
            await measure(lanes.owned, consumer, behind)
            await asyncio.sleep(LOOK_INTERVAL_SECONDS)

    async with background(watch()):
        yield


async def measure(
    lanes: list[Lane], consumer: AIOKafkaConsumer, behind: dict[TopicPartition, int]
) -> None:
    """Update the lanes' gauges, and `behind`: how many records each lane has still to handle.

    While Kafka is away, the last counts stay; the age of the oldest record goes on growing.
    """
    with suppress(Exception):
        async with asyncio.timeout(ASK_SECONDS_MAX):
            behind.update(await _records_behind(lanes, consumer))
    metrics.LANES_OWNED.set(len(lanes))
    metrics.LANES_OPEN.set(sum(lane.is_open for lane in lanes))
    # Clear all series first, so that two workers never report the same partition.
    for gauge in (metrics.LAG_RECORDS, metrics.LAG_SECONDS, metrics.STALLED_SECONDS):
        gauge.clear()
    oldest_age = 0.0
    for lane in lanes:
        partition, oldest = str(lane.topic_partition.partition), lane.oldest_record
        # By the producer's clock: if that is wrong, so is the age. The stall below is by ours.
        age = 0.0
        if oldest is not None and oldest.has_timestamp:
            age = max(0.0, time() - oldest.timestamp_ms / 1000)
        is_idle = lane.is_open and oldest is None
        oldest_age = max(oldest_age, age)
        metrics.LAG_RECORDS.labels(partition).set(behind.get(lane.topic_partition, 0))
        metrics.LAG_SECONDS.labels(partition).set(age)
        metrics.STALLED_SECONDS.labels(partition).set(
            0.0 if is_idle else perf_counter() - lane.progressed_at
        )
    metrics.OLDEST_UNANSWERED.set(oldest_age)


async def _records_behind(
    lanes: list[Lane], consumer: AIOKafkaConsumer
) -> dict[TopicPartition, int]:
    """How many records each lane has still to handle.

    The ends come from the broker: the consumer learns nothing new of a paused partition.
    """
    if not lanes:
        return {}
    ends = await consumer.end_offsets([lane.topic_partition for lane in lanes])
    behind = {}
    for lane in lanes:
        partition = lane.topic_partition
        # An idle lane may be below the end: transaction markers take offsets, too.
        oldest = lane.oldest_record
        begin = oldest.position.offset if oldest else await consumer.position(partition)
        behind[partition] = max(0, ends[partition] - begin)
    return behind
