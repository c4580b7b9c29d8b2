"""A lane beside a broker that is made up: what it takes, skips, holds back and does again."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import time
from typing import Any

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, ProducerFenced, UnsupportedCodecError

from invoicing.runtime.kafka.topics import partition_of
from invoicing.runtime.retry import GaveUpError
from invoicing.runtime.settings import Settings, read_settings
from invoicing.store.errors import DatabaseBehindError
from invoicing.store.rows import Position
from invoicing.worker import metrics
from invoicing.worker.lag import measure
from invoicing.worker.lane import BACKLOG_BATCHES_MAX, BACKLOG_BYTES_MAX, Lane
from invoicing.worker.outgoing import OutgoingMessages
from invoicing.worker.records import LaneState, Record
from tests.support.stack.wait import eventually

PARTITION = TopicPartition("commands", 3)
BATCH = 10
ROUTING_PARTITIONS = 8


class Consumer:
    """The consumer's side of a partition: what is committed, where it was sent to, if it rests."""

    def __init__(self, committed: int | None, end: int = 1_000) -> None:
        self.offset, self.end = committed, end
        self.sought: list[int] = []
        self.paused = False
        self.fetched = committed or 0

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.end)

    async def beginning_offsets(
        self, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 5)

    async def position(self, _: TopicPartition) -> int:
        return self.fetched

    def seek(self, _: TopicPartition, offset: int) -> None:
        self.sought.append(offset)

    def assignment(self) -> set[TopicPartition]:
        return {PARTITION}

    def pause(self, _: TopicPartition) -> None:
        self.paused = True

    def resume(self, _: TopicPartition) -> None:
        self.paused = False


class Broker:
    """What the lane's publishers did, and what they are told to fail with."""

    def __init__(self) -> None:
        self.starts = 0
        self.settled_at: int | None = None
        self.is_away = False
        self.published: list[int] = []
        self.failures: list[Exception] = []
        self.consumer: Consumer | None = None


class Handler:
    """Handler and store in one: notes what it is given, fails as it is told to, may be held up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.checkpoints: list[int] = []
        self.known = 900
        self.failures: list[Exception] = []
        self.free = asyncio.Event()
        self.free.set()

    async def next_offsets(self, _topic: str) -> dict[int, int]:
        return {PARTITION.partition: self.known}

    async def routing_partitions(self, _topic: str) -> int:
        return ROUTING_PARTITIONS

    async def handle(self, records: Sequence[Record], lane: LaneState) -> OutgoingMessages:
        self.owns = lane.owns
        await self.free.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.checkpoints.append(lane.checkpoint)
        self.batches.append([record.position.offset for record in records])
        return OutgoingMessages()


class Publisher:
    """One publisher of a lane."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def start(self) -> None:
        self._broker.starts += 1
        if self._broker.is_away:
            raise KafkaConnectionError("away")
        if self._broker.settled_at is not None and self._broker.consumer is not None:
            self._broker.consumer.offset = self._broker.settled_at

    async def committed_offset(self) -> int | None:
        assert self._broker.consumer is not None
        return self._broker.consumer.offset

    async def commit_beginning(self) -> None:
        assert self._broker.consumer is not None
        self._broker.consumer.offset = 0

    async def stop(self, seconds_max: float) -> None:
        pass

    async def publish(self, _: OutgoingMessages, next_offset: int, routing_partitions: int) -> None:
        assert routing_partitions == ROUTING_PARTITIONS
        if self._broker.failures:
            raise self._broker.failures.pop(0)
        self._broker.published.append(next_offset)
        if self._broker.consumer is not None:
            self._broker.consumer.offset = next_offset


@pytest.fixture
def broker() -> Broker:
    return Broker()


def new_lane(consumer: Consumer, handler: Handler, broker: Broker, **more: Any) -> Lane:
    return Lane(
        PARTITION,
        consumer,
        handler,  # type: ignore[arg-type]
        handler,  # type: ignore[arg-type]
        settings(**more),
        lambda *_: Publisher(broker),  # type: ignore[arg-type, return-value]
    )


def settings(**more: Any) -> Settings:
    quick = {"session_timeout_seconds": 1, "batch_records_max": BATCH}
    return read_settings({}, postgres_dsn="postgresql://", **{**quick, **more})


@asynccontextmanager
async def running(
    consumer: Consumer, handler: Handler, broker: Broker, **more: Any
) -> AsyncIterator[tuple[Lane, asyncio.Task[None]]]:
    broker.consumer = consumer
    lane = new_lane(consumer, handler, broker, **more)
    task = asyncio.create_task(lane.run())
    try:
        yield lane, task
    finally:
        lane.stop()
        handler.free.set()
        await asyncio.wait({task}, timeout=5)
        task.cancel()


def records(*offsets: int) -> list[Record]:
    return [Record(Position("commands", 3, offset), b"key", b"{}", (), 0) for offset in offsets]


def handled(handler: Handler) -> list[int]:
    return [offset for batch in handler.batches for offset in batch]


async def test_records_below_the_committed_offset_are_skipped(broker: Broker) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)

        lane.offer(records(98, 99, 100, 101))  # fetched before the seek, so asked for once more
        lane.offer(records(100, 101))
        lane.offer(records(102, 103, 104))

        await eventually(lambda: broker.published and broker.published[-1] == 105)
        assert handled(handler) == [100, 101, 102, 103, 104]


async def test_what_the_last_owner_committed_until_it_was_shut_out_counts(broker: Broker) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    broker.settled_at = 103  # starting the producer completes the last owner's transaction
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)

        assert consumer.sought == [103]


async def test_invoices_are_routed_by_the_count_in_the_database_whatever_the_client_knows(
    broker: Broker,
) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    ids = [f"inv_{number}" for number in range(100)]
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)
        lane.offer(records(100))
        await eventually(lambda: broker.published)

        owned = [id_ for id_ in ids if handler.owns(id_)]
    assert owned == [id_ for id_ in ids if partition_of(id_.encode(), ROUTING_PARTITIONS) == 3]


async def test_a_log_that_goes_back_by_itself_has_lost_records_and_the_lane_looks_at_it_anew(
    broker: Broker,
) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)
        lane.offer(records(100, 101))
        await eventually(lambda: broker.published == [102])

        consumer.end = 98  # lost from its end on, and 95 and 96 are new
        lane.offer(records(95, 96))

        await eventually(lambda: broker.starts > 1)
        assert not lane.is_open
        assert handled(handler) == [100, 101]


async def test_what_is_here_is_handled_before_the_lane_is_opened_anew(broker: Broker) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)
        lane.offer(records(100, 101, 102))

        lane.interrupt(UnsupportedCodecError())

        assert consumer.paused
        await eventually(lambda: broker.starts == 2 and lane.is_open)
        assert broker.published == [103]
        assert consumer.sought == [100, 103]
        assert not consumer.paused


async def test_a_lane_whose_next_record_stays_unreadable_gives_up(broker: Broker) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    async with running(consumer, handler, broker, retry_limit_seconds=0.5) as (lane, task):
        while not task.done():
            lane.interrupt(UnsupportedCodecError())
            await asyncio.wait({task}, timeout=0.05)

        with pytest.raises(GaveUpError, match=r"Lane commands-3 .*UnsupportedCodecError"):
            task.result()


async def test_what_was_lost_on_the_way_is_fetched_again(broker: Broker) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)
        lane.offer(records(100, 101))

        lane.fetch_again()
        lane.offer(records(105, 106))  # on the way already: 102 to 104 are missing
        lane.offer(records(102, 103, 104, 105, 106))

        await eventually(lambda: broker.published and broker.published[-1] == 107)
        assert handled(handler) == [100, 101, 102, 103, 104, 105, 106]
        assert consumer.sought == [100, 102, 102]


async def test_large_headers_hold_the_partition_back_as_large_values_do(broker: Broker) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    handler.free.clear()
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)
        large = (("name", b"x" * 1_000_000),)

        lane.offer([record._replace(headers=large) for record in records(*range(100, 120))])

        assert consumer.paused


async def test_records_before_the_lane_is_open_are_left_for_later(broker: Broker) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    lane = new_lane(consumer, handler, broker)

    lane.offer(records(100, 101))

    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)
        assert consumer.sought == [100]
        assert handled(handler) == []


async def test_records_that_were_fetched_before_the_seek_leave_no_gap(broker: Broker) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)

        lane.offer(records(150, 151))
        assert consumer.sought == [100, 100]
        lane.offer(records(100, 101))

        await eventually(lambda: broker.published)
        assert handled(handler) == [100, 101]


async def test_a_log_that_begins_later_than_the_committed_offset_is_gone_on_with(
    broker: Broker,
) -> None:
    consumer, handler = Consumer(committed=2), Handler()
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)

        lane.offer(records(7, 8))  # 5 and 6 are markers of transactions
        lane.offer(records(7, 8))

        await eventually(lambda: broker.published)
        assert handled(handler) == [7, 8]


async def test_a_lane_never_handled_starts_at_the_beginning_and_commits_so(
    broker: Broker,
) -> None:
    consumer, handler = Consumer(committed=None), Handler()
    handler.known = 0
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)

        assert consumer.sought == [5]
        assert consumer.offset == 0


async def test_a_lane_tells_the_store_what_it_must_know_of(broker: Broker) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)
        for offset in (100, 100, 104):
            lane.offer(records(offset))
            await eventually(lambda: not lane._backlog)

        await eventually(lambda: handler.checkpoints == [100, 101])


async def test_a_log_shorter_than_what_was_committed_stops_the_worker(broker: Broker) -> None:
    consumer, handler = Consumer(committed=2_000), Handler()
    async with running(consumer, handler, broker, retry_limit_seconds=0.2) as (_, task):
        with pytest.raises(GaveUpError, match="made anew or has lost records"):
            await asyncio.wait_for(task, timeout=10)


async def test_a_database_behind_kafka_stops_the_worker_at_once(broker: Broker) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    handler.known = 90
    async with running(consumer, handler, broker, retry_limit_seconds=60) as (_, task):
        with pytest.raises(GaveUpError, match=r"knows only of what stands below 90.*forward"):
            await asyncio.wait_for(task, timeout=10)


async def test_a_database_that_forgets_what_the_lane_stored_stops_the_worker_at_once(
    broker: Broker,
) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    handler.failures = [DatabaseBehindError("has forgotten")]
    async with running(consumer, handler, broker, retry_limit_seconds=60) as (lane, task):
        await eventually(lambda: lane.is_open)
        lane.offer(records(100))

        with pytest.raises(GaveUpError, match="has forgotten"):
            await asyncio.wait_for(task, timeout=10)
    assert handler.batches == []


async def test_a_failed_publication_is_done_again_from_the_committed_offset(
    broker: Broker,
) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    broker.failures = [KafkaConnectionError("gone")]
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)
        lane.offer(records(100, 101))
        await eventually(lambda: broker.starts == 2 and lane.is_open)
        lane.offer(records(100, 101))

        await eventually(lambda: broker.published)
        assert handler.batches == [[100, 101], [100, 101]]
        assert broker.published == [102]


async def test_a_fenced_lane_rests_and_tries_again_while_it_is_still_ours(
    broker: Broker,
) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    broker.failures = [ProducerFenced()]
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)
        lane.offer(records(100))
        await eventually(lambda: not lane.is_open)
        assert broker.starts == 1

        await eventually(lambda: broker.starts == 2)


async def test_an_outage_of_postgres_is_borne_without_opening_the_lane_anew(
    broker: Broker,
) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    handler.failures = [asyncpg.ConnectionDoesNotExistError("gone"), ConnectionRefusedError()]
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)
        lane.offer(records(100))

        await eventually(lambda: broker.published == [101])
        assert broker.starts == 1


async def test_an_outage_without_an_end_stops_the_worker(broker: Broker) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    handler.failures = [ConnectionRefusedError("nobody there") for _ in range(100)]
    async with running(consumer, handler, broker, retry_limit_seconds=0.3) as (lane, task):
        await eventually(lambda: lane.is_open)
        lane.offer(records(100))

        with pytest.raises(GaveUpError, match=r"Postgres failed for 0\.3 seconds"):
            await asyncio.wait_for(task, timeout=10)


async def test_a_full_backlog_holds_the_consumer_back_until_half_is_handled(
    broker: Broker,
) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    handler.free.clear()
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)

        lane.offer(records(*range(100, 100 + BATCH * (BACKLOG_BATCHES_MAX + 2))))
        assert consumer.paused

        handler.free.set()
        await eventually(lambda: not consumer.paused)
        await eventually(lambda: len(handled(handler)) == BATCH * (BACKLOG_BATCHES_MAX + 2))
        assert max(map(len, handler.batches)) == BATCH


async def test_large_headers_fill_a_backlog_too(broker: Broker) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    handler.free.clear()
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)

        (record,) = records(100)
        lane.offer([record._replace(headers=[("padding", bytes(BACKLOG_BYTES_MAX))])])

        assert consumer.paused


async def test_a_stopped_lane_finishes_its_batch_and_takes_no_other(broker: Broker) -> None:
    consumer, handler = Consumer(committed=100), Handler()
    handler.free.clear()
    async with running(consumer, handler, broker) as (lane, task):
        await eventually(lambda: lane.is_open)
        lane.offer(records(*range(100, 100 + 2 * BATCH)))
        await asyncio.sleep(0)

        lane.stop()
        handler.free.set()
        await asyncio.wait_for(task, timeout=5)

        assert len(handler.batches) <= 1
        assert broker.published == [batch[-1] + 1 for batch in handler.batches]


async def told(lane: Lane, consumer: Consumer) -> dict[str, float]:
    """What an operator sees of the lane."""
    await measure([lane], consumer, {})
    partition = str(PARTITION.partition)
    return {
        "records": metrics.LAG_RECORDS.labels(partition)._value.get(),
        "seconds": metrics.LAG_SECONDS.labels(partition)._value.get(),
        "oldest": metrics.OLDEST_UNANSWERED._value.get(),
    }


def sent_seconds_ago(seconds: float, *offsets: int) -> list[Record]:
    made = int((time() - seconds) * 1000)
    return [record._replace(timestamp_ms=made) for record in records(*offsets)]


async def test_a_lane_that_cannot_open_tells_how_far_behind_it_is(broker: Broker) -> None:
    consumer, handler = Consumer(committed=100, end=130), Handler()
    handler.known = 100
    broker.is_away = True
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: broker.starts)
        lane.offer(sent_seconds_ago(60, 100, 101))
        lane.offer(sent_seconds_ago(50, 102))
        consumer.fetched = 103

        first = await told(lane, consumer)
        assert first["records"] == 30
        assert first["seconds"] == first["oldest"] >= 60
        assert (await told(lane, consumer))["seconds"] > first["seconds"]


async def test_a_lane_whose_publishing_fails_tells_how_far_behind_it_is(broker: Broker) -> None:
    consumer, handler = Consumer(committed=100, end=130), Handler()
    handler.known = 100
    broker.failures = [KafkaConnectionError("gone")]
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)
        broker.is_away = True
        lane.offer(sent_seconds_ago(60, 100, 101))
        await eventually(lambda: not lane.is_open)
        consumer.fetched = 102

        seen = await told(lane, consumer)
        assert seen["records"] == 30
        assert seen["seconds"] >= 60


async def test_a_lane_that_caught_up_after_a_failure_is_not_behind(broker: Broker) -> None:
    consumer, handler = Consumer(committed=100, end=101), Handler()
    handler.known = 100
    broker.failures = [KafkaConnectionError("gone")]
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: lane.is_open)
        lane.offer(sent_seconds_ago(60, 100))
        await eventually(lambda: broker.starts == 2 and lane.is_open)
        assert (await told(lane, consumer))["seconds"] >= 60

        lane.offer(sent_seconds_ago(60, 100))
        await eventually(lambda: broker.published)
        consumer.fetched = 101

        await eventually(
            lambda: told(lane, consumer),
            until=lambda seen: seen == {"records": 0, "seconds": 0, "oldest": 0},
        )


async def test_what_another_owner_handled_meanwhile_is_not_waited_for(broker: Broker) -> None:
    consumer, handler = Consumer(committed=100, end=103), Handler()
    handler.known = 103
    broker.is_away = True
    async with running(consumer, handler, broker) as (lane, _):
        await eventually(lambda: broker.starts)
        lane.offer(sent_seconds_ago(60, 100, 101, 102))
        broker.settled_at, broker.is_away = 103, False
        await eventually(lambda: lane.is_open)
        consumer.fetched = 103

        assert await told(lane, consumer) == {"records": 0, "seconds": 0, "oldest": 0}
