"""What an operator sees of the lanes: how many there are, and how far behind each of them is.

It looks again and again beside the work, so that the work itself need not count.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import perf_counter, time
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from invoicing.contracts.dead_letters import DeadLetterReason
from invoicing.runtime import metrics
from invoicing.runtime.process import background
from invoicing.worker.assignment import Lanes
from invoicing.worker.lane import Lane

LOOK_INTERVAL_SECONDS: Final = 1.0
ASK_SECONDS_MAX: Final = 5.0


def _declare_series() -> None:
    """Let every count begin at zero: to Prometheus, one that begins at one has never grown."""
    for reason in DeadLetterReason:
        metrics.DEAD_LETTERS.labels(reason=reason)


@asynccontextmanager
async def watching(lanes: Lanes, consumer: AIOKafkaConsumer) -> AsyncIterator[None]:
    """Keep the lanes' metrics true while the block runs."""
    _declare_series()
    async with background(_watch(lanes, consumer)):
        yield


async def _watch(lanes: Lanes, consumer: AIOKafkaConsumer) -> None:
    behind: dict[TopicPartition, int] = {}
    while True:
        await look(lanes.owned, consumer, behind)
        await asyncio.sleep(LOOK_INTERVAL_SECONDS)


async def look(
    lanes: list[Lane], consumer: AIOKafkaConsumer, behind: dict[TopicPartition, int]
) -> None:
    """Bring the lanes' metrics up to date, and `behind`: how many records each lane has to handle.

    While Kafka is away, what it said last still stands; how old work is goes on growing.
    """
    with suppress(Exception):
        async with asyncio.timeout(ASK_SECONDS_MAX):
            behind.update(await _records_behind(lanes, consumer))
    _tell(lanes, behind)


async def _records_behind(
    lanes: list[Lane], consumer: AIOKafkaConsumer
) -> dict[TopicPartition, int]:
    """How many records follow what each lane has handled.

    Asked of the broker: of a partition that is held back, the consumer hears nothing.
    """
    if not lanes:
        return {}
    ends = await consumer.end_offsets([lane.topic_partition for lane in lanes])
    behind = {}
    for lane in lanes:
        place = lane.topic_partition
        # An idle lane may stand before the end: the marks of transactions have offsets, too.
        oldest = lane.oldest_record
        begin = oldest.position.offset if oldest else await consumer.position(place)
        behind[place] = max(0, ends[place] - begin)
    return behind


def _tell(lanes: list[Lane], behind: dict[TopicPartition, int]) -> None:
    metrics.LANES_OWNED.set(len(lanes))
    metrics.LANES_OPEN.set(sum(lane.is_open for lane in lanes))
    # What was another's for a while must not be told by two.
    for gauge in (metrics.LAG_RECORDS, metrics.LAG_SECONDS, metrics.STALLED_SECONDS):
        gauge.clear()
    ages = {lane.topic_partition: _age_seconds(lane) for lane in lanes}
    metrics.OLDEST_UNANSWERED.set(max(ages.values(), default=0))
    for lane in lanes:
        partition = str(lane.topic_partition.partition)
        age = ages[lane.topic_partition]
        metrics.LAG_RECORDS.labels(partition).set(behind.get(lane.topic_partition, 0))
        metrics.LAG_SECONDS.labels(partition).set(age)
        metrics.STALLED_SECONDS.labels(partition).set(_stalled_seconds(lane))


def _age_seconds(lane: Lane) -> float:
    """By its producer's clock, which may be wrong: then this is, and `stalled` still is right."""
    oldest = lane.oldest_record
    if oldest is None or not oldest.has_timestamp:
        return 0.0
    return max(0.0, time() - oldest.timestamp_ms / 1000)


def _stalled_seconds(lane: Lane) -> float:
    if lane.is_open and lane.oldest_record is None:
        return 0.0
    return perf_counter() - lane.progressed_at
