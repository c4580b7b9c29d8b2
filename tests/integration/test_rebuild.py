"""A rebuild of the current state: unchanged where it was right, repaired where it was wrong."""

import asyncio
import multiprocessing
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import asyncpg
import pytest
from asyncpg.transaction import Transaction

from invoicing.domain.numbering import format_number
from invoicing.domain.sellers import Sellers
from invoicing.maintenance.rebuild import rebuild as rebuild_module
from invoicing.maintenance.rebuild import replay, shadow
from invoicing.maintenance.rebuild.rebuild import Rebuilt, rebuild
from invoicing.maintenance.rebuild.replay import replay_window
from invoicing.maintenance.rebuild.shadow import RebuildError, settled_position
from invoicing.runtime.settings import read_settings
from invoicing.store import history
from invoicing.store.history import ReplayError
from invoicing.store.postgres import PostgresStore, open_writer_pool
from invoicing.store.rows import Position
from invoicing.worker.batch import BatchHandler
from invoicing.worker.records import LaneState, Record
from tests.support.service.commands import (
    Sent,
    create_invoice,
    invoice_id,
    record_payment,
    void_invoice,
)
from tests.support.stack.wait import eventually

STATE = """
SELECT invoices.*, labels FROM invoices JOIN invoice_labels ON invoice_id = id ORDER BY id
"""


LANE = LaneState("commands", 0, checkpoint=0, routing_partitions=1)


class Books:
    """A database with invoices in it, and the handler that writes them."""

    def __init__(self, dsn: str, handler: BatchHandler) -> None:
        self.dsn = dsn
        self._handler = handler
        self._offset = 0

    async def handle(self, *commands: Sent) -> None:
        records = []
        for command in commands:
            position = Position("commands", 0, self._offset)
            records.append(Record(position, None, command.value, (), 0))
            self._offset += 1
        await self._handler.handle(records, LANE)

    async def state(self) -> list[dict[str, Any]]:
        """All rows of the current state."""
        return [dict(row) for row in await self.fetch(STATE)]

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        async with _connected(self) as connection:
            return await connection.fetch(query, *arguments)

    async def rebuild(self, processes: int = 1) -> Rebuilt:
        return await rebuild(self.dsn, lambda *_: None, processes)


@pytest.fixture
async def books(database: str) -> AsyncIterator[Books]:
    sellers = Sellers()
    pool = await open_writer_pool(read_settings({}, postgres_dsn=database))
    store = PostgresStore(pool, partial(format_number, sellers=sellers), "group")
    yield Books(database, BatchHandler(store, sellers, lambda: datetime.now(UTC)))
    await pool.close()


@pytest.fixture
async def kept(books: Books) -> list[dict[str, Any]]:
    """The state of some invoices, as their commands left it."""
    for _ in range(3):
        paid, voided = invoice_id(), invoice_id()
        await books.handle(
            create_invoice(paid, metadata={"order": "77"}),
            record_payment(paid, "100.00"),
            record_payment(paid),
        )
        await books.handle(create_invoice(voided, state="draft"), void_invoice(voided))
    return await books.state()


async def test_a_correct_state_is_left_as_it_is(books: Books, kept: list[dict[str, Any]]) -> None:
    rebuilt = await books.rebuild()

    assert rebuilt == Rebuilt(invoices=6, events=21, differed=0, resumed=False)
    assert await books.state() == kept


@pytest.mark.parametrize(
    "fault",
    [
        "TRUNCATE invoices, invoice_labels",
        "UPDATE invoices SET snapshot = '{}', version = 9",
        "UPDATE invoices SET amount_due = amount_due + 1, live_mode = NULL",
        "UPDATE invoices SET invoice_number = reverse(invoice_number)",
        "UPDATE invoice_labels SET labels = '{}'",
        "DELETE FROM invoices WHERE state = 'paid'",
        "INSERT INTO invoices (id, version, state, seller_id, customer_id, snapshot, updated_at)"
        " VALUES ('stranger', 1, 'open', 'default', 'cus_1', '{}', now())",
    ],
)
async def test_a_wrong_state_is_repaired(
    books: Books, kept: list[dict[str, Any]], fault: str
) -> None:
    await books.fetch(fault)

    rebuilt = await books.rebuild()

    assert rebuilt.differed > 0
    assert await books.state() == kept
    assert await books.fetch("SELECT id FROM invoices WHERE id = 'stranger'") == []


async def test_each_process_repairs_its_share(
    books: Books, kept: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "PLAN", _in_small_windows(shadow.PLAN))
    await books.fetch("UPDATE invoices SET attempt_count = 9")
    for stranger in ("", *(f"{row['id']}+" for row in kept)):
        await books.fetch(
            "INSERT INTO invoices SELECT (jsonb_populate_record(invoices, jsonb_build_object("
            "'id', $1::text, 'invoice_number', NULL))).* FROM invoices LIMIT 1",
            stranger,
        )

    rebuilt = await books.rebuild(processes=3)

    assert rebuilt == Rebuilt(invoices=6, events=21, differed=13, resumed=False)
    assert await books.state() == kept


async def test_an_invoice_may_have_more_events_than_are_read_at_once(
    books: Books, kept: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "EVENTS_A_FETCH", 2)
    monkeypatch.setattr(history, "INVOICES_A_QUERY", 2)
    monkeypatch.setattr(replay, "STATES_AT_ONCE", 2)
    await books.fetch("TRUNCATE invoices, invoice_labels")

    rebuilt = await books.rebuild()

    assert rebuilt == Rebuilt(invoices=6, events=21, differed=6, resumed=False)
    assert await books.state() == kept


async def test_folding_many_leaves_no_cursor_open(
    books: Books, kept: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "INVOICES_A_QUERY", 2)
    async with _connected(books) as connection, connection.transaction():
        folding = history.replay_many(connection, [row["id"] for row in kept])

        invoices = [invoice async for invoice in folding]

        assert len(invoices) == len(kept)
        assert await connection.fetch("SELECT name FROM pg_cursors WHERE name <> ''") == []


@pytest.mark.parametrize(
    "left",
    [
        "CREATE SCHEMA invoicing_rebuild; CREATE TABLE invoicing_rebuild.progress ()",
        "ALTER TABLE invoicing_rebuild.invoices DROP COLUMN live_mode",
        "TRUNCATE invoicing_rebuild.windows, invoicing_rebuild.progress",
        "ALTER TABLE invoicing_rebuild.progress DROP COLUMN IF EXISTS folded_by",
        "ALTER TABLE invoicing_rebuild.progress ADD COLUMN IF NOT EXISTS folded_by text;"
        "UPDATE invoicing_rebuild.progress SET folded_by = 'the release before'",
    ],
)
async def test_a_shadow_of_another_release_or_an_empty_one_is_replaced(
    books: Books, kept: list[dict[str, Any]], left: str
) -> None:
    connection = await asyncpg.connect(books.dsn)
    if not left.startswith("CREATE"):
        await shadow.plan(connection)
        await replay_window(connection)
    await connection.execute(left)
    await connection.close()
    await books.fetch("UPDATE invoices SET attempt_count = 9")

    rebuilt = await books.rebuild()

    assert rebuilt == Rebuilt(invoices=6, events=21, differed=6, resumed=False)
    assert await books.state() == kept


@pytest.mark.parametrize("step", ["compare", "swap"])
async def test_a_shadow_that_lacks_something_is_not_swapped_in(
    books: Books, kept: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    await books.fetch("UPDATE invoices SET attempt_count = 9")
    wrong = await books.state()
    lost = kept[-1]
    _lose_a_state_before(step, lost["id"], monkeypatch)

    missing = f"is incomplete .{lost['id']}: 0 of {lost['version']} versions"
    with pytest.raises(RebuildError, match=missing):
        await books.rebuild()

    assert await books.state() == wrong


async def test_after_a_shadow_that_lacked_something_the_next_run_starts_anew(
    books: Books, kept: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    await books.fetch("UPDATE invoices SET attempt_count = 9")
    with monkeypatch.context() as patched:
        _lose_a_state_before("compare", kept[-1]["id"], patched)
        with pytest.raises(RebuildError):
            await books.rebuild()

    rebuilt = await books.rebuild()

    assert rebuilt == Rebuilt(invoices=6, events=21, differed=6, resumed=False)
    assert await books.state() == kept


def _lose_a_state_before(step: str, lost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = getattr(rebuild_module, step)

    async def lose_a_state(connection: asyncpg.Connection, *arguments: object) -> Any:
        await connection.execute("DELETE FROM invoicing_rebuild.invoices WHERE id = $1", lost)
        return await go_on(connection, *arguments)

    monkeypatch.setattr(rebuild_module, step, lose_a_state)


async def test_invoices_that_had_each_others_numbers_get_their_own(
    books: Books, kept: list[dict[str, Any]]
) -> None:
    one, other = [row["id"] for row in kept if row["invoice_number"]][:2]
    await books.fetch("UPDATE invoices SET invoice_number = NULL WHERE id = $1", one)
    numbers = {row["id"]: row["invoice_number"] for row in kept}
    renumber = "UPDATE invoices SET invoice_number = $2 WHERE id = $1"
    await books.fetch(renumber, other, numbers[one])
    await books.fetch(renumber, one, numbers[other])

    await books.rebuild()

    assert await books.state() == kept


async def test_what_happens_meanwhile_is_not_lost(
    books: Books, kept: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    await books.fetch("UPDATE invoices SET attempt_count = 9")
    new, known = invoice_id(), next(row["id"] for row in kept if row["state"] == "draft")
    compare = rebuild_module.compare

    async def change_after_catching_up(
        connection: asyncpg.Connection, dsn: str, shares: int
    ) -> None:
        await books.handle(create_invoice(new), Sent("OpenInvoice", known, {}))
        await compare(connection, dsn, shares)

    monkeypatch.setattr(rebuild_module, "compare", change_after_catching_up)

    await books.rebuild()

    states = {row["id"]: row for row in await books.state()}
    assert (states[new]["version"], states[known]["state"]) == (2, "open")
    assert {row["attempt_count"] for row in states.values()} == {0}


async def test_a_transaction_that_was_running_when_it_began_is_not_lost(
    books: Books, kept: list[dict[str, Any]]
) -> None:
    async with _appending(books) as running:
        rebuilding = asyncio.create_task(books.rebuild())
        await eventually(lambda: _waits_to_settle(books))
        await running.transaction.commit()
        await rebuilding

    assert [row["version"] for row in await books.state() if row["id"] == "late"] == [1]


async def test_a_transaction_that_does_not_end_stops_it_and_is_named(
    books: Books, kept: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "SETTLE_SECONDS_MAX", 0.5)
    async with _connected(books) as connection, _appending(books) as running:
        session = await running.connection.fetchval("SELECT pg_backend_pid()")

        # No other transaction has ended since: a snapshot says nothing of this one.
        with pytest.raises(RebuildError, match=rf"pg_terminate_backend\({session}\)"):
            await settled_position(connection)


async def test_a_transaction_that_appends_nothing_is_not_waited_for(
    books: Books, kept: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "SETTLE_SECONDS_MAX", 0.5)
    async with _connected(books) as other, other.transaction():
        await other.execute("UPDATE number_series SET next = next")

        rebuilt = await books.rebuild()

    assert rebuilt.differed == 0


class Running(NamedTuple):
    connection: asyncpg.Connection
    transaction: Transaction


@asynccontextmanager
async def _appending(books: Books) -> AsyncIterator[Running]:
    """A transaction that has appended the first event of the invoice `late`."""
    async with _connected(books) as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            "INSERT INTO events (invoice_id, version, type, data, command_source, command_id,"
            " recorded_at) SELECT 'late', version, type, replace(data, invoice_id, 'late'),"
            " command_source, command_id, recorded_at FROM events WHERE version = 1 LIMIT 1"
        )
        yield Running(connection, transaction)


@asynccontextmanager
async def _connected(books: Books) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(books.dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def _waits_to_settle(books: Books) -> bool:
    return await books.fetch("SELECT to_regclass('invoicing_rebuild.progress')") != [(None,)]


async def test_grants_policies_and_indexes_stay(books: Books, kept: list[dict[str, Any]]) -> None:
    before = await _belongings(books)

    await books.fetch("DELETE FROM invoices")
    await books.rebuild()

    assert await _belongings(books) == before


async def _belongings(books: Books) -> list[asyncpg.Record]:
    return await books.fetch(
        "SELECT relname, relacl::text, relrowsecurity FROM pg_class"
        " WHERE relname LIKE 'invoice%' AND relkind IN ('r', 'i', 'v') ORDER BY relname"
    )


async def test_an_invoice_that_cannot_be_replayed_stops_it_and_nothing_is_changed(
    books: Books, kept: list[dict[str, Any]]
) -> None:
    connection = await asyncpg.connect(books.dsn)
    await connection.execute("SET session_replication_role = replica")
    await connection.execute("UPDATE events SET version = 9 WHERE version = 3")
    await connection.close()

    with pytest.raises(ReplayError, match="cannot be replayed"):
        await books.rebuild()

    assert await books.state() == kept


async def test_a_second_rebuild_at_once_is_rejected(
    books: Books, kept: list[dict[str, Any]]
) -> None:
    connection = await asyncpg.connect(books.dsn)
    await connection.execute("SELECT pg_advisory_lock($1)", rebuild_module.REBUILD_LOCK)

    with pytest.raises(RebuildError, match="Another rebuild is running"):
        await books.rebuild()

    await connection.close()


async def test_after_a_kill_it_goes_on_where_it_was(
    books: Books, kept: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "PLAN", _in_small_windows(shadow.PLAN))
    await books.fetch("UPDATE invoices SET attempt_count = 9")
    _be_killed_after_windows(books.dsn, 2)
    done = "SELECT count(events) FROM invoicing_rebuild.windows"
    assert (await books.fetch(done))[0][0] == 2

    rebuilt = await books.rebuild()

    assert rebuilt.resumed
    assert await books.state() == kept


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
async def test_when_it_is_ended_its_processes_end_and_the_next_run_resumes(
    books: Books,
    kept: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    ending: signal.Signals,
) -> None:
    monkeypatch.setattr(shadow, "PLAN", _in_small_windows(shadow.PLAN))
    await books.fetch("UPDATE invoices SET attempt_count = 9")
    async with _connected(books) as connection:
        await shadow.plan(connection)
        async with connection.transaction():
            await connection.execute("LOCK TABLE invoicing_rebuild.invoices IN EXCLUSIVE MODE")
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", REBUILD_BY_THREE, books.dsn, stdout=PIPE, stderr=PIPE
            )
            await eventually(
                lambda: _sessions(books, "Lock"), until=lambda held: held == 3, seconds=60
            )

            process.send_signal(ending)
            # Its output ends with the last of the processes that might write there.
            await asyncio.wait_for(process.communicate(), timeout=60)
    await eventually(lambda: _sessions(books, "%"), until=lambda left: left == 0)

    rebuilt = await books.rebuild()

    assert rebuilt == Rebuilt(invoices=6, events=21, differed=6, resumed=True)
    assert await books.state() == kept


# SIGINT is ignored in what a shell runs in the background.
REBUILD_BY_THREE = """
import asyncio, signal, sys
from invoicing.maintenance.rebuild.rebuild import rebuild
signal.signal(signal.SIGINT, signal.default_int_handler)
asyncio.run(rebuild(sys.argv[1], lambda *_: None, processes=3))
"""


async def _sessions(books: Books, waiting_for: str) -> int:
    ((sessions,),) = await books.fetch(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'invoicing-rebuild' AND coalesce(wait_event_type, '') LIKE $1",
        waiting_for,
    )
    return int(sessions)


async def test_a_window_that_a_lost_session_holds_is_waited_for(
    books: Books, kept: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "PLAN", _in_small_windows(shadow.PLAN))
    await books.fetch("UPDATE invoices SET attempt_count = 9")
    with monkeypatch.context() as patched:
        patched.setattr(shadow, "IDLE_IN_TRANSACTION_SECONDS_MAX", 1)
        lost = await shadow.connect(books.dsn)
    await shadow.plan(lost)
    await lost.execute(f"BEGIN; {shadow.TAKE_WINDOW}")

    rebuilt = await books.rebuild()

    assert rebuilt == Rebuilt(invoices=6, events=21, differed=6, resumed=True)
    assert await books.state() == kept


def _in_small_windows(plan: str) -> str:
    return plan.replace(str(shadow.POSITIONS_A_WINDOW), "2")


def _be_killed_after_windows(dsn: str, windows: int) -> None:
    """A rebuild in a process of its own, killed while it replays one window more."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_rebuild_and_die, args=(dsn, windows))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def _rebuild_and_die(dsn: str, windows: int) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(dsn)
        await shadow.plan(connection)
        for _ in range(windows):
            await replay_window(connection)
        async with connection.transaction():
            await connection.fetchrow(shadow.TAKE_WINDOW)
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(run())
