"""Read topics from their beginning up to the ends that they had at one moment."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from invoicing.runtime.errors import OperatorError
from invoicing.runtime.kafka.connect import new_consumer
from invoicing.runtime.kafka.groups import committed_offsets
from invoicing.runtime.kafka.topics import check_topics, existing_topics
from invoicing.runtime.settings import Settings

FETCH_BYTES_MAX: Final = 4 * 1024 * 1024
POLL_MS: Final = 200
RECORDS_MAX: Final = 5_000
# Longer than the timeout of any of our transactions.
STALLED_SECONDS_MAX: Final = 90.0
EVERYTHING: Final = datetime.max.replace(tzinfo=UTC)
# More than the clocks of two machines differ.
CLOCK_SKEW_MAX: Final = timedelta(minutes=1)


class UnfinishedTransactionError(OperatorError):
    """A transaction stays open in a topic and hides every later record."""


@dataclass(frozen=True, slots=True)
class HighWatermarks:
    """The end of every partition, and what the group had committed just before.

    `committed`: by partition of the commands topic. `ends`: the next offset of each partition.
    """

    committed: Mapping[int, int]
    ends: Mapping[TopicPartition, int]

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has."""
        return sum(partition.topic == topic for partition in self.ends)


@dataclass(slots=True)
class RetainedRange:
    """What a topic still retains, by partition.

    `lost_until` is the time of the first retained record. A partition that has lost nothing has no
    entry; one that has lost all its records has `EVERYTHING`.
    """

    begins: dict[int, int] = field(default_factory=dict)
    lost_until: dict[int, datetime] = field(default_factory=dict)
    records: int = 0
    length: int = 0
    """Offsets from beginning to end: more than `records`, since Kafka's own markers count too."""

    def covers(self, partition: int | None, recorded_at: float) -> bool:
        """Whether retention cannot have removed what was recorded at that Unix time.

        `partition` is the command's; a topic of the service has the same partitions.
        """
        lost_until = self.lost_until.get(partition) if partition is not None else None
        if lost_until is None:
            return True
        if lost_until is EVERYTHING:
            return False
        return datetime.fromtimestamp(recorded_at, UTC) > lost_until + CLOCK_SKEW_MAX


async def read_watermarks(settings: Settings) -> HighWatermarks:
    """Read the group's offsets, then the ends of all topics. Raises `TopicsError`.

    The order makes this correct beside live workers. Whatever lies below a committed offset was
    published in the transaction that committed it, so it lies below ends that are read later. The
    commands topic comes last: replies below the other ends are to commands below its end.
    """
    partitions = await partitions_by_topic(settings)
    commands = [
        TopicPartition(settings.topic_commands, number)
        for number in range(partitions[settings.topic_commands])
    ]
    committed = await committed_offsets(settings, settings.consumer_group, commands)
    # Not the last stable offsets: they lag behind a commit that was just acknowledged. A
    # read-committed consumer reaches these ends once all transactions open now have ended.
    async with topic_reader(settings, "read_uncommitted") as consumer:
        ends: dict[TopicPartition, int] = {}
        for topic in (
            settings.topic_events,
            settings.topic_replies,
            settings.topic_dead_letter,
            settings.topic_commands,
        ):
            numbers = range(partitions[topic])
            ends.update(await consumer.end_offsets([TopicPartition(topic, n) for n in numbers]))
    by_partition = {lane.partition: offset.offset for lane, offset in committed.items()}
    return HighWatermarks(by_partition, ends)


async def partitions_by_topic(settings: Settings) -> dict[str, int]:
    """How many partitions each of our topics has. Raises `TopicsError`."""
    partitions = await existing_topics(settings)
    check_topics(settings, partitions)
    return partitions


@asynccontextmanager
async def topic_reader(
    settings: Settings, isolation_level: str = "read_committed"
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group, for `read_topic`."""
    consumer = new_consumer(
        settings, isolation_level=isolation_level, max_partition_fetch_bytes=FETCH_BYTES_MAX
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def read_topic(
    consumer: AIOKafkaConsumer, topic: str, watermarks: HighWatermarks, retained: RetainedRange
) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """Yield all committed records of a topic below its ends, and fill `retained` on the way.

    Raises `UnfinishedTransactionError`.
    """
    reading = await _seek_to_beginning(consumer, topic, watermarks, retained)
    stalled_since = time.monotonic()
    while reading:
        fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
        for partition, records in fetched.items():
            end = watermarks.ends[partition]
            if below_end := [record for record in records if record.offset < end]:
                retained.records += len(below_end)
                if retained.lost_until.get(partition.partition) is EVERYTHING:
                    first = datetime.fromtimestamp(below_end[0].timestamp / 1000, UTC)
                    retained.lost_until[partition.partition] = first
                yield below_end
        if fetched:
            stalled_since = time.monotonic()
        for partition in list(reading):
            if await consumer.position(partition) >= watermarks.ends[partition]:
                consumer.pause(partition)
                reading.remove(partition)
        if reading and time.monotonic() - stalled_since > STALLED_SECONDS_MAX:
            names = ", ".join(f"{partition.topic}-{partition.partition}" for partition in reading)
            raise UnfinishedTransactionError(
                f"No committed record has arrived from {names} for {STALLED_SECONDS_MAX:g} seconds,"
                " although the log goes on: a transaction is open there. Find it with"
                " `kafka-transactions.sh find-hanging` and end it with `abort`."
            )


async def _seek_to_beginning(
    consumer: AIOKafkaConsumer, topic: str, watermarks: HighWatermarks, retained: RetainedRange
) -> list[TopicPartition]:
    """Assign the topic's non-empty partitions, each at its beginning, and note what was lost."""
    ends = {
        partition: end for partition, end in watermarks.ends.items() if partition.topic == topic
    }
    begins = await consumer.beginning_offsets(list(ends))
    for partition, begin in begins.items():
        retained.begins[partition.partition] = begin
        if begin:
            retained.lost_until[partition.partition] = EVERYTHING
    reading = [partition for partition, end in ends.items() if begins[partition] < end]
    retained.length = sum(ends[partition] - begins[partition] for partition in reading)
    consumer.assign(reading)
    for partition in reading:
        consumer.seek(partition, begins[partition])
    return reading
