"""Lanes that share transactions on a real Postgres: refused, cut off, cancelled, of two workers."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import asyncpg
import pytest

from invoicing.domain.numbering import NumberRequest, NumberSeries, format_number
from invoicing.domain.sellers import Sellers
from invoicing.runtime.kafka.topics import partition_of
from invoicing.runtime.postgres import Pool
from invoicing.runtime.settings import read_settings
from invoicing.store.errors import DatabaseBehindError, is_transient
from invoicing.store.group_commit import TRANSACTIONS_A_SERIES
from invoicing.store.placeholders import placeholders
from invoicing.store.postgres import PostgresStore, open_writer_pool
from invoicing.store.rows import Position, StoredEvent, StoredReply, WriteBatch
from invoicing.worker.batch import BatchHandler
from invoicing.worker.outgoing import OutgoingMessages
from invoicing.worker.records import LaneState, Record
from tests.support.service.commands import create_invoice, invoice_id
from tests.support.stack.proxy import Proxy, proxied
from tests.support.stack.wait import eventually

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SERIES = NumberSeries("default", "invoice", "")
LANES = 8
# Two find the series free, each by itself; all others wait, and go together.
TRANSACTIONS = 3


@pytest.fixture
async def bad_network(database: str) -> AsyncIterator[tuple[Proxy, Pool]]:
    """A pool that reaches the database through a proxy."""
    async with proxied(database) as (proxy, dsn):
        made = await open_writer_pool(read_settings({}, postgres_dsn=dsn))
        yield proxy, made
        made.terminate()


def store_on(pool: Pool) -> PostgresStore:
    return PostgresStore(pool, partial(format_number, sellers=Sellers()), "group")


def batch(lane: int, id_: str = "", checkpoint: int = 0) -> WriteBatch:
    """A lane's first batch: an invoice with a number."""
    position, placeholder = Position("commands", lane, 0), placeholders()()
    invoice = id_ or f"inv_{lane}"
    key = ("/tests", invoice)
    return WriteBatch(
        position.next,
        checkpoint,
        events=[StoredEvent(invoice, 1, "invoice.opened", placeholder, key, NOW)],
        replies=[StoredReply(key, invoice, b"hash", "{}", (1, 1), position, NOW)],
        numbers=[NumberRequest(SERIES, placeholder)],
    )


async def numbers_in(pool: Pool) -> list[int]:
    rows = await pool.fetch("SELECT data FROM events")
    return sorted(int(row["data"].rpartition("-")[2]) for row in rows)


async def test_lanes_that_wait_for_one_series_are_stored_together(pool: Pool) -> None:
    store = store_on(pool)

    stored = await asyncio.gather(*(store.append(batch(lane)) for lane in range(LANES)))

    assert [event.invoice_id for (event,) in stored] == [f"inv_{lane}" for lane in range(LANES)]
    assert await numbers_in(pool) == list(range(1, LANES + 1))
    rows = await pool.fetch("SELECT invoice_id, data FROM events")
    assert {(event.invoice_id, event.document) for (event,) in stored} == {*map(tuple, rows)}
    assert await store.next_offsets("commands") == dict.fromkeys(range(LANES), 1)
    counted = "SELECT count(DISTINCT xmin::text) FROM commands"
    assert await pool.fetchval(counted) == TRANSACTIONS


@pytest.mark.parametrize(
    ("refused", "error"),
    [
        (batch(5, checkpoint=3), DatabaseBehindError),
        (batch(5, id_="inv_stored_before"), asyncpg.UniqueViolationError),
        (replace(batch(5), events=[batch(5).events[0]._replace(document="\0")]), Exception),
    ],
    ids=["behind", "stored before", "not in the encoding"],
)
async def test_a_batch_that_postgres_refuses_fails_alone(
    pool: Pool, refused: WriteBatch, error: type[Exception]
) -> None:
    store = store_on(pool)
    await store.append(batch(99, id_="inv_stored_before"))
    batches = [refused if lane == 5 else batch(lane) for lane in range(LANES)]

    outcomes = await asyncio.gather(*map(store.append, batches), return_exceptions=True)

    failed = {lane for lane, outcome in enumerate(outcomes) if isinstance(outcome, Exception)}
    assert failed == {5}
    assert isinstance(outcomes[5], error)
    assert not is_transient(outcomes[5]) or isinstance(outcomes[5], asyncpg.UniqueViolationError)
    assert await numbers_in(pool) == list(range(1, LANES + 1))
    assert 5 not in await store.next_offsets("commands")


async def appended_with_fault_in_group(
    store: PostgresStore, batches: Sequence[WriteBatch], fault: Callable[[], None]
) -> Sequence[object]:
    """The outcomes of all batches, with a fault when the group has its numbers.

    The group takes them last: it could overtake the second of the two transactions before it.
    """
    take = store._take_numbers

    async def take_and_call(connection: Any, requests: Sequence[NumberRequest]) -> dict[str, str]:
        is_group = len(requests) > 1
        if is_group:
            store._take_numbers = take  # type: ignore[method-assign]
            await asyncio.wait(appends[:TRANSACTIONS_A_SERIES])
        numbers = await take(connection, requests)
        if is_group:
            fault()
        return numbers

    store._take_numbers = take_and_call  # type: ignore[method-assign]
    appends = [asyncio.ensure_future(store.append(batch)) for batch in batches]
    return await asyncio.gather(*appends, return_exceptions=True)


async def test_an_unknown_outcome_is_an_outage_to_every_lane_and_what_is_stored_counts(
    bad_network: tuple[Proxy, Pool], pool: Pool
) -> None:
    proxy, network = bad_network
    store = store_on(network)
    batches = [batch(lane) for lane in range(LANES)]

    outcomes = await appended_with_fault_in_group(store, batches, proxy.cut_next_commit)

    assert proxy.cuts == 1
    assert not any(isinstance(one, Exception) for one in outcomes[:2])
    assert all(isinstance(one, Exception) and is_transient(one) for one in outcomes[2:])
    await eventually(lambda: numbers_in(pool), until=lambda numbers: len(numbers) == LANES)
    keys = {("/tests", f"inv_{lane}"): [Position("commands", lane, 0)] for lane in range(LANES)}
    loaded = await store.load([], keys)
    assert loaded.replies.keys() == loaded.events.keys() == keys.keys()


async def test_a_cut_before_the_commit_stores_nothing_of_any_lane(
    bad_network: tuple[Proxy, Pool], pool: Pool
) -> None:
    proxy, network = bad_network
    store = store_on(network)
    batches = [batch(lane) for lane in range(LANES)]

    outcomes = await appended_with_fault_in_group(store, batches, proxy.reset)

    assert all(isinstance(one, Exception) and is_transient(one) for one in outcomes[2:])
    assert await numbers_in(pool) == [1, 2]
    await asyncio.gather(*map(store.append, batches[2:]))
    assert await numbers_in(pool) == list(range(1, LANES + 1))


async def test_a_lane_cancelled_in_a_shared_transaction_cancels_no_other(pool: Pool) -> None:
    store = store_on(pool)
    tasks = [asyncio.create_task(store.append(batch(lane))) for lane in range(LANES)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    tasks[5].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(outcomes.pop(5), asyncio.CancelledError)
    assert not any(isinstance(one, BaseException) for one in outcomes)
    numbers = await numbers_in(pool)
    assert numbers == list(range(1, len(numbers) + 1))
    # As after a crash between the two commits: the lane's next owner finds what is stored of it.
    stored = (await store.load([], {("/tests", "inv_5"): [Position("commands", 5, 0)]})).replies
    assert len(numbers) == LANES - 1 + len(stored)


async def test_a_lane_cancelled_alone_gives_its_numbers_back(pool: Pool, database: str) -> None:
    store = store_on(pool)
    await store.append(batch(0))
    blocker = await asyncpg.connect(database)
    async with blocker.transaction():
        await blocker.execute("SELECT FROM number_series FOR UPDATE")
        task = asyncio.create_task(store.append(batch(1)))
        await eventually(
            lambda: pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"),
            until=lambda waiting: waiting > 0,
        )
        task.cancel()
        await asyncio.wait({task})
    await blocker.close()

    await store.append(batch(2))

    assert await numbers_in(pool) == [1, 2]


class Lane:
    """Handles one batch after the other as a lane does: after an outage, again."""

    def __init__(self, handler: BatchHandler, partition: int) -> None:
        self.published: list[OutgoingMessages] = []
        self.outages = 0
        self._handler = handler
        self._state = LaneState("commands", partition, 0, LANES)
        self._batches = [
            [self._creation(offset) for offset in range(start, start + 3)]
            for start in range(0, 30, 3)
        ]

    async def run(self) -> None:
        while self._batches:
            records = self._batches[0]
            try:
                self.published.append(await self._handler.handle(records, self._state))
            except Exception as error:
                if not is_transient(error):
                    raise
                self.outages += 1
                await asyncio.sleep(0.01)
                continue
            self._state.checkpoint = records[-1].position.offset + 1
            self._batches.pop(0)

    def _creation(self, offset: int) -> Record:
        subject = invoice_id()
        while partition_of(subject.encode(), LANES) != self._state.partition:
            subject = invoice_id()
        value = create_invoice(subject).value
        position = Position("commands", self._state.partition, offset)
        return Record(position, subject.encode(), value, (), 0)


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_lost_or_numbered_twice_whatever_is_cut_or_cancelled(
    bad_network: tuple[Proxy, Pool], pool: Pool, seed: int
) -> None:
    chance = random.Random(seed)
    proxy, network = bad_network
    handler = BatchHandler(store_on(network), Sellers(), lambda: NOW)
    # A second process, whose lanes are others.
    elsewhere = BatchHandler(store_on(pool), Sellers(), lambda: NOW)
    lanes = [Lane(handler if number % 4 else elsewhere, number) for number in range(LANES)]
    tasks = {asyncio.create_task(lane.run()): lane for lane in lanes}
    faults = 0
    while pending := {task for task in tasks if not task.done()}:
        await asyncio.wait(pending, timeout=chance.uniform(0.005, 0.03))
        fault = chance.choice([proxy.reset, proxy.cut_next_commit, None])
        if faults < 20 and fault is not None:
            fault()
        elif faults < 20 and pending:
            cut = chance.choice(list(pending))
            cut.cancel()
            await asyncio.wait({cut})
            lane = tasks.pop(cut)
            tasks[asyncio.create_task(lane.run())] = lane
        faults += 1

    for task in tasks:
        task.result()
    rows = await pool.fetch("SELECT seller_id, invoice_number FROM invoices")
    numbers = sorted(int(row["invoice_number"].rpartition("-")[2]) for row in rows)
    assert numbers == list(range(1, LANES * 30 + 1))
    published = [
        event.document for lane in lanes for outgoing in lane.published for event in outgoing.events
    ]
    stored = [row["data"] for row in await pool.fetch("SELECT data FROM events")]
    assert sorted(published) == sorted(stored)
