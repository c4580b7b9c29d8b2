"""Bring Kafka forward by publishing what Postgres has stored.

Topics that were created again, restored, or have lost acknowledged records lack events and replies
that Postgres has, and the group's offsets may be missing or refer to another log. What is missing
is published as it is stored, byte for byte. Then each lane is set to the first record of its log
that is unhandled or uncommitted. What was stored but not published when the last worker died is
left to the lanes, which know how often it was asked for.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Set
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from sqlite3 import Row
from typing import Any, Final

import asyncpg
from aiokafka import TopicPartition

from invoicing.maintenance.database import routing_partitions, snapshot
from invoicing.maintenance.recover.preconditions import check_quiet
from invoicing.maintenance.topics import (
    HighWatermarks,
    RetainedRange,
    partitions_by_topic,
    read_watermarks,
)
from invoicing.maintenance.verify import spill as spilled
from invoicing.maintenance.verify.findings import Finding, Progress
from invoicing.maintenance.verify.kafka_side import RetainedRanges, spill_topics
from invoicing.maintenance.verify.postgres_side import spill_database
from invoicing.maintenance.verify.spill import Spill, spilling
from invoicing.runtime.kafka.connect import new_consumer
from invoicing.runtime.kafka.topics import check_routing_partitions, partition_of
from invoicing.runtime.settings import Settings
from invoicing.store.postgres import LOAD_REPLIES
from invoicing.store.rows import EVENT_COLUMNS, CommandKey, event_of, reply_of
from invoicing.worker.outgoing import OutgoingMessages
from invoicing.worker.publisher import Publisher

PUBLISHED_AT_ONCE: Final = 500
STOP_SECONDS_MAX: Final = 5

LOAD_EVENTS: Final = f"""
SELECT {", ".join(EVENT_COLUMNS)}
FROM unnest($1::text[], $2::int[]) AS wanted (invoice_id, version)
JOIN events USING (invoice_id, version)
ORDER BY invoice_id, version
"""  # noqa: S608 (constants of ours)

SAVE_LANES: Final = """
INSERT INTO lanes (consumer_group, topic, "partition", next_offset) VALUES ($1, $2, $3, $4)
ON CONFLICT (consumer_group, topic, "partition") DO UPDATE SET next_offset = excluded.next_offset
"""

Key = tuple[Any, ...]
"""An event's invoice id and version, or a command's source and id."""


@dataclass(frozen=True, slots=True)
class RecoveredKafka:
    """How much was published, and the next offset of each lane."""

    events: int
    answers: int
    next_offsets: Mapping[int, int]


async def recover_kafka(
    settings: Settings, since: datetime | None, progress: Progress
) -> RecoveredKafka:
    """Publish what is stored and not published, and set the lanes. The user must own the tables.

    `since`: only what was recorded then or later, for topics that need not hold everything again.
    Raises `RecoveryError` while workers run, `TopicsError`, `SchemaError` and
    `UnfinishedTransactionError`. Run again after a crash, it publishes what is still missing.
    """
    await check_quiet(settings)
    topic = settings.topic_commands
    async with _lane_publishers(settings) as publishers:
        watermarks = await read_watermarks(settings)
        partitions = await routing_partitions(settings, watermarks)
        check_routing_partitions(topic, watermarks.partitions(topic), partitions)
        with spilling() as spill:
            retained = await spill_topics(
                settings, partitions, watermarks, spill, _ignore, progress
            )
            async with snapshot(settings) as connection:
                await spill_database(connection, topic, spill, _ignore, progress)
                spill.index()
                missing = Missing(spill, retained, left_to_lanes(spill, watermarks), since)
                offsets = next_offsets(topic, spill, watermarks)
                republisher = Republisher(connection, publishers, partitions, offsets)
                # The offsets of every lane, even if it publishes nothing.
                for lane in publishers:
                    await republisher.publish(lane, OutgoingMessages())
                events = await republisher.events(missing.events())
                replies = await republisher.replies(missing.replies())
    await _save_checkpoints(settings, offsets)
    return RecoveredKafka(events, replies, offsets)


def _ignore(_: Finding) -> None:
    """Findings are left to `invoicing verify`."""


@asynccontextmanager
async def _lane_publishers(settings: Settings) -> AsyncIterator[Mapping[int, Publisher]]:
    """The lanes' own producers, by partition.

    Started before anything is read: this ends the transactions that were left open and hide what
    follows them, and fences a suspended worker, which would publish what is missing a second time.
    """
    partitions = (await partitions_by_topic(settings))[settings.topic_commands]
    lanes = [TopicPartition(settings.topic_commands, number) for number in range(partitions)]
    async with AsyncExitStack() as stack:
        consumer = new_consumer(settings, group_id=settings.consumer_group)
        await consumer.start()
        stack.push_async_callback(consumer.stop)
        consumer.assign(lanes)
        publishers = {}
        for lane in lanes:
            publisher = Publisher.connecting(settings, lane, consumer)
            stack.push_async_callback(publisher.stop, STOP_SECONDS_MAX)
            await publisher.start()
            publishers[lane.partition] = publisher
        yield publishers


@dataclass(frozen=True, slots=True)
class Missing:
    """What is stored and missing from a topic that should hold it, except what lanes will publish.

    `left_to_lanes`: partitions and offsets of commands.
    """

    spill: Spill
    retained: RetainedRanges
    left_to_lanes: Set[tuple[int, int]]
    since: datetime | None

    def events(self) -> Iterator[Key]:
        """The events to publish."""
        rows = self.spill.read(spilled.EVENTS_BY_INVOICE)
        for key, group in groupby(rows, itemgetter("invoice_id", "version")):
            stored, *others = group
            if (
                not stored["published"]
                and not any(row["published"] for row in others)
                and self._is_wanted(stored, self.retained.events)
            ):
                yield key

    def replies(self) -> Iterator[CommandKey]:
        """The commands whose replies to publish."""
        rows = self.spill.read(spilled.CASES_BY_COMMAND)
        for key, group in groupby(rows, itemgetter("source", "id")):
            stored, *others = group
            if (
                stored["side"] == spilled.STORED
                and not any(row["side"] == spilled.PUBLISHED for row in others)
                and self._is_wanted(stored, self.retained.replies)
            ):
                yield key

    def _is_wanted(self, row: Row, retained: RetainedRange) -> bool:
        if (row["partition"], row["offset"]) in self.left_to_lanes:
            return False
        is_young = self.since is None or row["recorded_at"] >= self.since.timestamp()
        return is_young and retained.covers(row["partition"], row["recorded_at"])


def left_to_lanes(spill: Spill, watermarks: HighWatermarks) -> set[tuple[int, int]]:
    """The positions of commands that have a reply, and that the group has not passed.

    Their lanes publish the events and replies: usually at most one batch of each lane.
    """
    left: set[tuple[int, int]] = set()
    for _, group in groupby(spill.read(spilled.CASES_BY_COMMAND), itemgetter("source", "id")):
        reply, *others = group
        position = (reply["partition"], reply["offset"])
        committed = watermarks.committed.get(reply["partition"])
        if reply["side"] == spilled.STORED and committed is not None and position[1] >= committed:
            records = (row for row in others if row["side"] == spilled.RECORD)
            if any((row["partition"], row["offset"]) == position for row in records):
                left.add(position)
    return left


def next_offsets(topic: str, spill: Spill, watermarks: HighWatermarks) -> dict[int, int]:
    """Each lane's next offset: its first record that is unhandled or uncommitted, or its end."""
    following = {
        lane.partition: min(end, watermarks.committed.get(lane.partition, end))
        for lane, end in watermarks.ends.items()
        if lane.topic == topic
    }

    def stop_at(row: Row) -> None:
        partition = row["partition"]
        following[partition] = min(following[partition], row["offset"])

    for _, group in groupby(spill.read(spilled.CASES_BY_COMMAND), itemgetter("source", "id")):
        sides = list(group)
        if sides[0]["side"] == spilled.STORED:
            continue
        records = [row for row in sides if row["side"] == spilled.RECORD]
        arrived = {row["digest"] for row in records if row["is_routed"]}
        for row in records:
            was_forwarded = not row["is_routed"] and row["digest"] in arrived
            if not was_forwarded:
                stop_at(row)
    for row in spill.read(spilled.DEAD_LETTERED):
        if not row["letters"]:
            stop_at(row)
    return following


@dataclass(frozen=True, slots=True)
class Republisher:
    """Publishes stored rows through the lanes' producers, in the order of the keys."""

    connection: asyncpg.Connection
    by_lane: Mapping[int, Publisher]
    routing_partitions: int
    next_offsets: Mapping[int, int]

    async def events(self, keys: Iterable[Key]) -> int:
        """Publish these events, each from its invoice's lane; returns how many."""
        published = 0
        for lane, chunk in self._by_lane(keys, route_by=0):
            rows = await self.connection.fetch(LOAD_EVENTS, *zip(*chunk, strict=True))
            assert len(rows) == len(chunk), "every missing event must be stored"
            await self.publish(lane, OutgoingMessages(events=[event_of(row) for row in rows]))
            published += len(rows)
        return published

    async def replies(self, keys: Iterable[CommandKey]) -> int:
        """Publish these replies; returns how many."""
        published = 0
        # Any lane may publish a reply; the command's id spreads them evenly.
        for lane, chunk in self._by_lane(keys, route_by=1):
            rows = await self.connection.fetch(LOAD_REPLIES, *zip(*chunk, strict=True))
            assert len(rows) == len(chunk), "every missing reply must be stored"
            await self.publish(lane, OutgoingMessages(replies=[reply_of(row) for row in rows]))
            published += len(rows)
        return published

    async def publish(self, lane: int, outgoing: OutgoingMessages) -> None:
        """Publish messages and the lane's next offset."""
        await self.by_lane[lane].publish(outgoing, self.next_offsets[lane], self.routing_partitions)

    def _by_lane(self, keys: Iterable[Key], route_by: int) -> Iterator[tuple[int, list[Key]]]:
        """Chunks of keys for each lane, in their order; `route_by` is an index into the key."""
        chunks: dict[int, list[Key]] = {}
        for key in keys:
            lane = partition_of(key[route_by].encode(), self.routing_partitions)
            chunk = chunks.setdefault(lane, [])
            chunk.append(key)
            if len(chunk) == PUBLISHED_AT_ONCE:
                yield lane, chunks.pop(lane)
        yield from chunks.items()


async def _save_checkpoints(settings: Settings, next_offsets: Mapping[int, int]) -> None:
    """Done last: until then, a worker that is started by mistake stops as it did before."""
    rows = [
        (settings.consumer_group, settings.topic_commands, partition, offset)
        for partition, offset in next_offsets.items()
    ]
    connection = await asyncpg.connect(settings.dsn)
    try:
        await connection.executemany(SAVE_LANES, rows)
    finally:
        await connection.close()
