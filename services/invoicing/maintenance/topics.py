"""The topics as a read-committed consumer sees them, up to where they ended at one moment."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from invoicing.runtime.kafka import check_topics, client_options, committed_offsets, existing_topics
from invoicing.runtime.settings import Settings

FETCH_BYTES_MAX: Final = 4 * 1024 * 1024
FETCH_WAIT_MS: Final = 100
POLL_MS: Final = 200
RECORDS_MAX: Final = 5_000
# Longer than the longest that Kafka lets one of our transactions stay open.
STALLED_SECONDS_MAX: Final = 90.0
EVERYTHING: Final = datetime.max.replace(tzinfo=UTC)


class UnfinishedTransactionError(Exception):
    """A transaction stays open in a topic, and hides all that comes after it."""


@dataclass(frozen=True, slots=True)
class Ends:
    """What Kafka knew at one moment: `offsets` are those that the group has committed."""

    offsets: Mapping[int, int]
    topics: Mapping[TopicPartition, int]

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has."""
        return sum(place.topic == topic for place in self.topics)


@dataclass(slots=True)
class Extent:
    """What a topic still holds: where each partition begins, and when that record was published.

    Where a partition is whole there is no time; where it has lost all, it is `EVERYTHING`.
    """

    begins: dict[int, int] = field(default_factory=dict)
    lost_until: dict[int, datetime] = field(default_factory=dict)
    records: int = 0
    length: int = 0
    """Offsets from the beginnings to the ends: some more than records, for Kafka's own marks."""


async def look(settings: Settings) -> Ends:
    """The group's offsets, and then the ends of all topics. Raises `TopicsError`.

    The order is what makes it right to look beside live workers. What is below a committed offset
    was published in the transaction that committed it, so it lies below ends that are asked for
    later. The commands topic's end comes last: what was answered below the other ends stands
    below it.
    """
    partitions = await partitions_by_topic(settings)
    offsets = await _committed_offsets(settings, partitions[settings.topic_commands])
    # Not the last stable offsets, which lag behind a commit that was just answered. A reader of
    # what is committed gets to these ends once all transactions that are open now have ended.
    async with _consumer(settings, "read_uncommitted") as consumer:
        ends: dict[TopicPartition, int] = {}
        for topic in (
            settings.topic_events,
            settings.topic_replies,
            settings.topic_dead_letter,
            settings.topic_commands,
        ):
            places = [TopicPartition(topic, number) for number in range(partitions[topic])]
            ends.update(await consumer.end_offsets(places))
    return Ends(offsets, ends)


async def partitions_by_topic(settings: Settings) -> dict[str, int]:
    """How many partitions each of our topics has. Raises `TopicsError`."""
    partitions = await existing_topics(settings)
    check_topics(settings, partitions)
    return partitions


async def _committed_offsets(settings: Settings, partitions: int) -> dict[int, int]:
    places = [TopicPartition(settings.topic_commands, number) for number in range(partitions)]
    committed = await committed_offsets(settings, settings.consumer_group, places)
    return {place.partition: told.offset for place, told in committed.items()}


@asynccontextmanager
async def reading_committed(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer for `read_topic`."""
    async with _consumer(settings, "read_committed") as consumer:
        yield consumer


@asynccontextmanager
async def _consumer(settings: Settings, isolation_level: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        **client_options(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level=isolation_level,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        max_partition_fetch_bytes=FETCH_BYTES_MAX,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def read_topic(
    consumer: AIOKafkaConsumer, topic: str, ends: Ends, extent: Extent
) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """All committed records of a topic below its ends; `extent` is complete when it is over.

    Raises `UnfinishedTransactionError`.
    """
    reading = {place: end for place, end in ends.topics.items() if place.topic == topic}
    begins = await consumer.beginning_offsets(list(reading))
    for place, begin in begins.items():
        extent.begins[place.partition] = begin
        if begin:
            extent.lost_until[place.partition] = EVERYTHING
    reading = {place: end for place, end in reading.items() if begins[place] < end}
    extent.length = sum(end - begins[place] for place, end in reading.items())
    consumer.assign(list(reading))
    for place in reading:
        consumer.seek(place, begins[place])
    stalled_since = time.monotonic()
    while reading:
        fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
        for place, records in fetched.items():
            if wanted := [record for record in records if record.offset < ends.topics[place]]:
                _note(extent, place.partition, wanted)
                yield wanted
        if fetched:
            stalled_since = time.monotonic()
        reading = await _unfinished(consumer, reading)
        if time.monotonic() - stalled_since > STALLED_SECONDS_MAX:
            raise UnfinishedTransactionError(_stalled(reading))


def _note(extent: Extent, partition: int, records: Sequence[ConsumerRecord]) -> None:
    extent.records += len(records)
    if extent.lost_until.get(partition) is EVERYTHING:
        extent.lost_until[partition] = datetime.fromtimestamp(records[0].timestamp / 1000, UTC)


async def _unfinished(
    consumer: AIOKafkaConsumer, reading: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    done = [place for place, end in reading.items() if await consumer.position(place) >= end]
    if done:
        consumer.pause(*done)
    return {place: end for place, end in reading.items() if place not in done}


def _stalled(reading: Mapping[TopicPartition, int]) -> str:
    places = ", ".join(f"{place.topic}-{place.partition}" for place in reading)
    return (
        f"Nothing committed has come from {places} for {STALLED_SECONDS_MAX:g} seconds, and its end"
        " is not reached: a transaction is open there. Kafka's own tool ends it:"
        " `kafka-transactions.sh find-hanging`, then `abort`."
    )
