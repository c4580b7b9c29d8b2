"""Kafka, brought forward by what Postgres has stored.

Topics that were made anew or restored, or that lost what they had acknowledged, lack events and
answers that Postgres has; the group's offsets may be gone or speak of another log. What is missing
is published as it is stored, byte for byte; then each lane is set to where it goes on: the first
record of its log that nobody has handled, or that the group has not passed. What was stored and not
published when the last worker died is left to the lanes: they know how often it was asked for.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Set
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from sqlite3 import Row
from typing import Any, Final

import asyncpg
from aiokafka import TopicPartition

from invoicing.maintenance.database import homes_of, snapshot
from invoicing.maintenance.recover.preconditions import check_quiet
from invoicing.maintenance.topics import HighWatermarks, partitions_by_topic, read_watermarks
from invoicing.maintenance.verify import spill as spilled
from invoicing.maintenance.verify.comparison import is_retained
from invoicing.maintenance.verify.findings import Finding, Progress
from invoicing.maintenance.verify.kafka_side import RetainedRanges, spill_topics
from invoicing.maintenance.verify.postgres_side import spill_database
from invoicing.maintenance.verify.spill import Spill, spilling
from invoicing.runtime.kafka.connect import new_consumer
from invoicing.runtime.kafka.topics import check_routing_partitions, partition_of
from invoicing.runtime.settings import Settings
from invoicing.store.postgres import LOAD_REPLIES
from invoicing.store.rows import CommandKey, event_of, reply_of
from invoicing.worker.outgoing import OutgoingMessages
from invoicing.worker.publisher import Publisher

PUBLISHED_AT_ONCE: Final = 500
STOP_SECONDS_MAX: Final = 5

LOAD_EVENTS: Final = """
SELECT invoice_id, version, type, data, command_source, command_id, recorded_at
FROM unnest($1::text[], $2::int[]) AS wanted (invoice_id, version)
JOIN events USING (invoice_id, version)
ORDER BY invoice_id, version
"""

SAVE_LANES: Final = """
INSERT INTO lanes (consumer_group, topic, "partition", next_offset) VALUES ($1, $2, $3, $4)
ON CONFLICT (consumer_group, topic, "partition") DO UPDATE SET next_offset = excluded.next_offset
"""

Place = tuple[int, int]
"""A partition and an offset of the commands topic."""

EventKey = tuple[str, int]
"""An invoice's id and a version."""


@dataclass(frozen=True, slots=True)
class RecoveredKafka:
    """What was published, and where each lane goes on."""

    events: int
    answers: int
    next_offsets: Mapping[int, int]


async def recover_kafka(
    settings: Settings, since: datetime | None, progress: Progress
) -> RecoveredKafka:
    """Publish what is stored and not published, and set the lanes. The user must own the tables.

    `since`: only what was recorded then or later, for a topic that need not have it all again.
    Raises `RecoveryError` while workers run, `TopicsError`, `SchemaError` and
    `UnfinishedTransactionError`. Run again after a crash, it publishes what is still missing.
    """
    await check_quiet(settings)
    async with _lanes_taken_over(settings) as lanes:
        watermarks = await read_watermarks(settings)
        with spilling() as spill:
            homes = await _homes(settings, watermarks)
            retained = await spill_topics(settings, homes, watermarks, spill, _pass_over, progress)
            async with snapshot(settings) as connection:
                await spill_database(
                    connection, settings.topic_commands, spill, _pass_over, progress
                )
                spill.index()
                missing = _Missing(spill, retained, _still_to_come(spill, watermarks), since)
                publish = _Publishing(lanes, homes, _next_offsets(settings, spill, watermarks))
                await publish.offsets()
                events = await publish.events(connection, missing.events())
                answers = await publish.answers(connection, missing.answers())
    await _set_marks(settings, publish.next_offsets)
    return RecoveredKafka(events, answers, publish.next_offsets)


async def _homes(settings: Settings, watermarks: HighWatermarks) -> int:
    homes = await homes_of(settings, watermarks)
    check_routing_partitions(
        settings.topic_commands, watermarks.partitions(settings.topic_commands), homes
    )
    return homes


def _pass_over(_: Finding) -> None:
    """What else is wrong, `invoicing verify` tells."""


@dataclass(frozen=True, slots=True)
class _Missing:
    """What is stored, and is not in a topic that should still hold it, nor still to come."""

    spill: Spill
    retained: RetainedRanges
    still_to_come: Set[Place]
    since: datetime | None

    def events(self) -> Iterator[EventKey]:
        rows = self.spill.read(spilled.EVENTS_BY_INVOICE)
        for key, group in groupby(rows, itemgetter("invoice_id", "version")):
            sides = list(group)
            if not any(row["published"] for row in sides) and self._is_wanted(
                sides[0], self.retained.events
            ):
                yield key

    def answers(self) -> Iterator[CommandKey]:
        rows = self.spill.read(spilled.CASES_BY_COMMAND)
        for key, group in groupby(rows, itemgetter("source", "id")):
            sides = list(group)
            told = any(row["side"] == spilled.PUBLISHED for row in sides)
            if (
                sides[0]["side"] == spilled.STORED
                and not told
                and self._is_wanted(sides[0], self.retained.answers)
            ):
                yield key

    def _is_wanted(self, row: Row, retained: Any) -> bool:
        if (row["partition"], row["offset"]) in self.still_to_come:
            return False
        recorded_at = datetime.fromtimestamp(row["recorded_at"], UTC)
        return is_retained(row, retained) and (self.since is None or recorded_at >= self.since)


def _still_to_come(spill: Spill, watermarks: HighWatermarks) -> set[Place]:
    """Where commands stand that were answered there, and that the group has not passed.

    What they led to, their lanes publish: at most a batch of each lane, as a rule.
    """
    coming: set[Place] = set()
    for _, group in groupby(spill.read(spilled.CASES_BY_COMMAND), itemgetter("source", "id")):
        answer, *others = group
        place = (answer["partition"], answer["offset"])
        stand = (
            (row["partition"], row["offset"]) for row in others if row["side"] == spilled.RECORD
        )
        passed = watermarks.committed.get(answer["partition"])
        if answer["side"] == spilled.STORED and passed is not None and place[1] >= passed:
            coming.update({place}.intersection(stand))
    return coming


def _next_offsets(settings: Settings, spill: Spill, watermarks: HighWatermarks) -> dict[int, int]:
    """Where each lane goes on: at the first record not handled or not passed, else at its end."""
    following = {
        place.partition: min(end, watermarks.committed.get(place.partition, end))
        for place, end in watermarks.ends.items()
        if place.topic == settings.topic_commands
    }
    for row in _unhandled(spill):
        partition = row["partition"]
        following[partition] = min(following[partition], row["offset"])
    return following


def _unhandled(spill: Spill) -> Iterator[Row]:
    for _, group in groupby(spill.read(spilled.CASES_BY_COMMAND), itemgetter("source", "id")):
        sides = list(group)
        if sides[0]["side"] == spilled.STORED:
            continue
        records = [row for row in sides if row["side"] == spilled.RECORD]
        arrived = {row["digest"] for row in records if row["at_home"]}
        for row in records:
            was_forwarded = not row["at_home"] and row["digest"] in arrived
            if not was_forwarded:
                yield row
    for row in spill.read(spilled.SET_ASIDE):
        if not row["letters"]:
            yield row


@asynccontextmanager
async def _lanes_taken_over(settings: Settings) -> AsyncIterator[Mapping[int, Publisher]]:
    """The lanes' own producers, by partition.

    Before anything is read: to start them settles the transactions that were left open, behind
    which nothing can be read, and shuts out a worker that only sleeps. Awake, it would publish what
    is missing now, and we once more.
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
class _Publishing:
    by_lane: Mapping[int, Publisher]
    homes: int
    next_offsets: Mapping[int, int]

    async def offsets(self) -> None:
        """Each lane's, also of those that nothing is published by."""
        for lane in self.by_lane:
            await self._publish(lane, OutgoingMessages())

    async def events(self, connection: asyncpg.Connection, keys: Iterable[EventKey]) -> int:
        published = 0
        for lane, chunk in _by_lane(keys, self.homes, home_of=itemgetter(0)):
            rows = await connection.fetch(LOAD_EVENTS, *map(list, zip(*chunk, strict=True)))
            await self._publish(lane, OutgoingMessages(events=[event_of(row) for row in rows]))
            published += len(rows)
        return published

    async def answers(self, connection: asyncpg.Connection, keys: Iterable[CommandKey]) -> int:
        published = 0
        # Any lane may publish an answer; by the command's id they are shared out evenly.
        for lane, chunk in _by_lane(keys, self.homes, home_of=itemgetter(1)):
            rows = await connection.fetch(LOAD_REPLIES, *map(list, zip(*chunk, strict=True)))
            await self._publish(lane, OutgoingMessages(replies=[reply_of(row) for row in rows]))
            published += len(rows)
        return published

    async def _publish(self, lane: int, outgoing: OutgoingMessages) -> None:
        await self.by_lane[lane].publish(outgoing, self.next_offsets[lane], self.homes)


def _by_lane(keys: Iterable[Any], homes: int, home_of: Any) -> Iterator[tuple[int, list[Any]]]:
    """The keys in chunks, each lane's in their order."""
    chunks: dict[int, list[Any]] = {}
    for key in keys:
        lane = partition_of(home_of(key).encode(), homes)
        chunk = chunks.setdefault(lane, [])
        chunk.append(key)
        if len(chunk) == PUBLISHED_AT_ONCE:
            yield lane, chunks.pop(lane)
    yield from chunks.items()


async def _set_marks(settings: Settings, next_offsets: Mapping[int, int]) -> None:
    """Last of all: until then, a worker that is started by mistake stops as before."""
    connection = await asyncpg.connect(settings.dsn)
    try:
        await connection.executemany(
            SAVE_LANES,
            [
                (settings.consumer_group, settings.topic_commands, partition, offset)
                for partition, offset in next_offsets.items()
            ],
        )
    finally:
        await connection.close()
