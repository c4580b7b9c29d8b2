"""The current state, made anew from the events, beside live workers.

The invoices are replayed range by range into a shadow of the tables that hold their state. What
happens meanwhile is caught up with, last of all under a lock that keeps writers out for a moment;
then the rows that differ are swapped in that one transaction. The tables themselves stay, and with
them their grants, indexes, policies and the views on them.

A range is one transaction: whoever is killed leaves it undone, and the next run goes on from there.
"""

import asyncio
import multiprocessing
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Final

import asyncpg

from invoicing.domain.evolve import evolve
from invoicing.domain.invoice import Invoice
from invoicing.history import data_of
from invoicing.states import stored_invoice
from invoicing.store import (
    MIGRATE_FIRST,
    SchemaError,
    StoredInvoice,
    copy_states,
    save_states,
)
from runtime.garbage import rarely_collected

SHADOW: Final = "invoicing_rebuild"
EVENTS_A_RANGE: Final = 5_000
PROCESSES_MAX: Final = 8
CATCH_UP_INVOICES: Final = 500
# Beside busy workers there is always something more; what is left then is left for the lock.
CATCH_UP_ROUNDS_MAX: Final = 20
LOCK_SECONDS_MAX: Final = 5
LOCK_TRIES_MAX: Final = 6
SETTLE_SECONDS_MAX: Final = 60.0
POLL_INTERVAL_SECONDS: Final = 0.2
# Two rebuilds at once would swap each other's rows: any number that nobody else takes.
REBUILD_LOCK: Final = 7_203_114_589_122_338

# Unlogged: faster, and after a crash of the server all of them are empty, so the plan is made anew.
CREATE_SHADOW: Final = f"""
CREATE SCHEMA {SHADOW};
CREATE UNLOGGED TABLE {SHADOW}.invoices (
    LIKE invoices INCLUDING DEFAULTS INCLUDING COMPRESSION, PRIMARY KEY (id));
CREATE UNLOGGED TABLE {SHADOW}.invoice_labels (
    LIKE invoice_labels INCLUDING DEFAULTS, PRIMARY KEY (invoice_id));
CREATE UNLOGGED TABLE {SHADOW}.ranges (
    first_id text PRIMARY KEY, last_id text NOT NULL, events bigint NOT NULL,
    done boolean NOT NULL DEFAULT false);
CREATE UNLOGGED TABLE {SHADOW}.progress (caught_up_to bigint NOT NULL);
CREATE UNLOGGED TABLE {SHADOW}.differing (id text PRIMARY KEY);
"""

COLUMNS: Final = """
SELECT array_agg(table_name || '.' || column_name ORDER BY table_name, ordinal_position)
FROM information_schema.columns
WHERE table_schema = $1 AND table_name IN ('invoices', 'invoice_labels')
"""

LAST_POSITION: Final = """
SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('events', 'position')::regclass), 0),
       pg_snapshot_xmax(pg_current_snapshot())::text
"""

IS_SETTLED: Final = """
SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1::text::xid8
"""

PLAN: Final = f"""
INSERT INTO {SHADOW}.ranges (first_id, last_id, events)
SELECT min(invoice_id), max(invoice_id), sum(own) FROM (
    SELECT invoice_id, count(*) AS own,
           div(sum(count(*)) OVER (ORDER BY invoice_id) - 1, {EVENTS_A_RANGE}) AS place
    FROM events GROUP BY invoice_id
) AS counted
GROUP BY place
"""  # noqa: S608 (constants of ours, here and below)

TAKE_RANGE: Final = f"""
SELECT first_id, last_id FROM {SHADOW}.ranges
WHERE NOT done ORDER BY first_id LIMIT 1 FOR UPDATE SKIP LOCKED
"""  # noqa: S608

EVENTS_OF_RANGE: Final = """
SELECT invoice_id, version, type, data, recorded_at
FROM events WHERE invoice_id BETWEEN $1 AND $2
ORDER BY invoice_id, version
"""

EVENTS_OF_INVOICES: Final = """
SELECT invoice_id, version, type, data, recorded_at
FROM events WHERE invoice_id = ANY($1::text[])
ORDER BY invoice_id, version
"""

CHANGED_SINCE: Final = """
SELECT DISTINCT invoice_id FROM events WHERE position > $1
"""

DONE: Final = f"""
SELECT coalesce(sum(events) FILTER (WHERE done), 0)::bigint, coalesce(sum(events), 0)::bigint
FROM {SHADOW}.ranges
"""  # noqa: S608

# The shadow may be ahead of the position, never behind it.
WRONG_IN_SHADOW: Final = f"""
SELECT told.invoice_id, told.last, shadow.version
FROM (SELECT invoice_id, max(version) AS last FROM events GROUP BY invoice_id) AS told
LEFT JOIN {SHADOW}.invoices AS shadow ON shadow.id = told.invoice_id
WHERE coalesce(shadow.version, 0) < told.last AND EXISTS (
    SELECT FROM events WHERE events.invoice_id = told.invoice_id
        AND events.version > coalesce(shadow.version, 0) AND events.position <= $1)
LIMIT 5
"""  # noqa: S608

# An INSERT, for which Postgres takes one process: several share memory, and containers have little.
FIND_DIFFERING: Final = f"""
INSERT INTO {SHADOW}.differing (id)
SELECT coalesce(old.id, new.id)
FROM invoices AS old FULL JOIN {SHADOW}.invoices AS new ON new.id = old.id
WHERE old IS DISTINCT FROM new
UNION
SELECT coalesce(old.invoice_id, new.invoice_id)
FROM invoice_labels AS old
FULL JOIN {SHADOW}.invoice_labels AS new ON new.invoice_id = old.invoice_id
WHERE (old.labels @> new.labels AND old.labels <@ new.labels) IS NOT TRUE
"""  # noqa: S608

NOTE_DIFFERING: Final = f"""
INSERT INTO {SHADOW}.differing SELECT unnest($1::text[]) ON CONFLICT DO NOTHING
"""

# Deleted and inserted, not updated: rows that have each other's numbers would get in their way.
SWAP: Final = f"""
DELETE FROM {SHADOW}.differing AS differing
USING invoices AS old, {SHADOW}.invoices AS new, invoice_labels AS old_labels,
      {SHADOW}.invoice_labels AS new_labels
WHERE old.id = differing.id AND new.id = differing.id AND old = new
  AND old_labels.invoice_id = differing.id AND new_labels.invoice_id = differing.id
  AND old_labels.labels @> new_labels.labels AND old_labels.labels <@ new_labels.labels;
DELETE FROM invoices USING {SHADOW}.differing AS differing WHERE invoices.id = differing.id;
DELETE FROM invoice_labels USING {SHADOW}.differing AS differing WHERE invoice_id = differing.id;
INSERT INTO invoices SELECT new.* FROM {SHADOW}.invoices AS new
JOIN {SHADOW}.differing USING (id);
INSERT INTO invoice_labels SELECT new.* FROM {SHADOW}.invoice_labels AS new
JOIN {SHADOW}.differing AS differing ON differing.id = invoice_id;
"""  # noqa: S608

Progress = Callable[[int, int], None]
"""Told how many events are replayed, and how many there are."""


class RebuildError(Exception):
    """The rebuild cannot go on. The current state is as it was; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild came to. `differed` invoices had another state than their events."""

    invoices: int
    events: int
    differed: int
    resumed: bool


async def rebuild(dsn: str, progress: Progress, processes: int | None = None) -> Rebuilt:
    """Make the current state anew. The DSN's user must own the tables.

    Raises `SchemaError`, and `RebuildError` where an invoice's events cannot be replayed.
    """
    async with _alone(dsn) as connection:
        resumed = await _plan(connection)
        await _replay_ranges(connection, dsn, progress, processes or _processes())
        await _catch_up(connection)
        await _check_shadow(connection)
        await connection.execute(f"TRUNCATE {SHADOW}.differing;" + FIND_DIFFERING)
        differed = await _swap(connection)
        invoices = await connection.fetchval(f"SELECT count(*) FROM {SHADOW}.invoices")  # noqa: S608
        _, events = await _done(connection)
        await connection.execute(f"DROP SCHEMA {SHADOW} CASCADE")
    return Rebuilt(invoices, events, differed, resumed)


def _processes() -> int:
    return min(os.cpu_count() or 1, PROCESSES_MAX)


@asynccontextmanager
async def _alone(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await _connect(dsn)
    try:
        if await connection.fetchval("SELECT to_regclass('invoice_labels')") is None:
            raise SchemaError(MIGRATE_FIRST)
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", REBUILD_LOCK):
            raise RebuildError("Another rebuild is running.")
        yield connection
    finally:
        await connection.close()


async def _connect(dsn: str) -> asyncpg.Connection:
    return await asyncpg.connect(dsn, server_settings={"application_name": "invoicing-rebuild"})


async def _plan(connection: asyncpg.Connection) -> bool:
    """Divide the invoices into ranges; True where an earlier run has left some."""
    if await _is_resumable(connection):
        return True
    async with connection.transaction():
        await connection.execute(f"DROP SCHEMA IF EXISTS {SHADOW} CASCADE")
        await connection.execute(CREATE_SHADOW)
    position = await _settled_position(connection)
    async with connection.transaction():
        await connection.execute(PLAN)
        await connection.execute(f"INSERT INTO {SHADOW}.progress VALUES ($1)", position)  # noqa: S608
    return False


async def _is_resumable(connection: asyncpg.Connection) -> bool:
    if await connection.fetchval("SELECT to_regclass($1)", f"{SHADOW}.progress") is None:
        return False
    schema = await connection.fetchval("SELECT current_schema()")
    columns = [await connection.fetchval(COLUMNS, name) for name in (schema, SHADOW)]
    planned = await connection.fetchval(f"SELECT count(*) FROM {SHADOW}.progress")  # noqa: S608
    return bool(planned) and columns[0] == columns[1]


async def _settled_position(connection: asyncpg.Connection) -> int:
    """A position up to which every later query sees all events that there will ever be.

    A transaction takes its positions before it commits: those that were running when the last
    position was asked for must have ended.
    """
    ((position, first_to_come),) = await connection.fetch(LAST_POSITION)
    async with asyncio.timeout(SETTLE_SECONDS_MAX):
        while not await connection.fetchval(IS_SETTLED, first_to_come):  # noqa: ASYNC110 (no event)
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
    return int(position)


async def _replay_ranges(
    connection: asyncpg.Connection, dsn: str, progress: Progress, processes: int
) -> None:
    # Spawned: a forked copy of a running event loop and its connections is good for nothing.
    context = multiprocessing.get_context("spawn")
    loop = asyncio.get_running_loop()
    others = processes - 1
    with ProcessPoolExecutor(others, mp_context=context) if others else nullcontext() as pool:
        replaying = asyncio.gather(
            # This process as well: it is at work before the others have begun.
            _replay_all(dsn),
            *(loop.run_in_executor(pool, replay_ranges, dsn) for _ in range(others)),
        )
        while not replaying.done():
            await asyncio.wait({replaying}, timeout=POLL_INTERVAL_SECONDS)
            progress(*await _done(connection))
        await replaying


async def _done(connection: asyncpg.Connection) -> tuple[int, int]:
    """How many events are replayed, and how many there are in all ranges."""
    (counts,) = await connection.fetch(DONE)
    return counts[0], counts[1]


def replay_ranges(dsn: str) -> None:
    """Replay ranges until there is none left. Runs in a process of its own."""
    asyncio.run(_replay_all(dsn))


async def _replay_all(dsn: str) -> None:
    connection = await _connect(dsn)
    try:
        with rarely_collected():
            while await _replay_range(connection):
                pass
    finally:
        await connection.close()


async def _replay_range(connection: asyncpg.Connection) -> bool:
    async with connection.transaction():
        taken = await connection.fetchrow(TAKE_RANGE)
        if taken is None:
            return False
        rows = await connection.fetch(EVENTS_OF_RANGE, *taken)
        await copy_states(connection, _states(rows), SHADOW)
        await connection.execute(
            f"UPDATE {SHADOW}.ranges SET done = true WHERE first_id = $1",  # noqa: S608
            taken["first_id"],
        )
    return True


def _states(rows: Sequence[asyncpg.Record]) -> list[StoredInvoice]:
    return [stored_invoice(invoice, is_told_whole=True) for invoice in replayed(rows)]


def replayed(rows: Sequence[asyncpg.Record]) -> Iterator[Invoice]:
    """The invoices that these events add up to: all of each, by invoice and then version."""
    for invoice_id, own in groupby(rows, itemgetter("invoice_id")):
        yield _folded(invoice_id, own)


def _folded(invoice_id: str, events: Iterable[asyncpg.Record]) -> Invoice:
    invoice, version = None, 0
    try:
        for version, (_, stored, type_, document, recorded_at) in enumerate(events, start=1):
            if stored != version:
                raise ValueError(f"the event after version {version - 1} is {stored}")
            invoice = evolve(invoice, data_of(type_, document), recorded_at)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise RebuildError(
            f"Invoice {invoice_id} cannot be replayed at version {version}:"
            f" {type(error).__name__}. `invoicing verify` tells more. Nothing was changed."
        ) from error
    assert invoice is not None
    return invoice


async def _catch_up(connection: asyncpg.Connection) -> None:
    """Replay what has changed since, until a round has little left to do."""
    for _ in range(CATCH_UP_ROUNDS_MAX):
        caught_up_to = await _caught_up_to(connection)
        position = await _settled_position(connection)
        changed = await _replay_changed(connection, caught_up_to)
        await connection.execute(f"UPDATE {SHADOW}.progress SET caught_up_to = $1", position)  # noqa: S608
        if len(changed) < CATCH_UP_INVOICES:
            return


async def _caught_up_to(connection: asyncpg.Connection) -> int:
    position: int = await connection.fetchval(f"SELECT caught_up_to FROM {SHADOW}.progress")  # noqa: S608
    return position


async def _replay_changed(connection: asyncpg.Connection, position: int) -> list[str]:
    """Replay the invoices with events after the position; returns their ids."""
    changed = [row["invoice_id"] for row in await connection.fetch(CHANGED_SINCE, position)]
    for place in range(0, len(changed), CATCH_UP_INVOICES):
        rows = await connection.fetch(
            EVENTS_OF_INVOICES, changed[place : place + CATCH_UP_INVOICES]
        )
        async with connection.transaction():
            schema = await connection.fetchval("SELECT current_schema()")
            await connection.execute(f'SET LOCAL search_path = {SHADOW}, "{schema}"')
            await save_states(connection, _states(rows))
            await connection.execute(f'SET LOCAL search_path = "{schema}"')
    return changed


async def _check_shadow(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch(WRONG_IN_SHADOW, await _caught_up_to(connection))
    if rows:
        wrong = ", ".join(f"{id_}: {found} of {last} versions" for id_, last, found in rows)
        raise RebuildError(f"The shadow is not complete ({wrong}). Nothing was changed.")


async def _swap(connection: asyncpg.Connection) -> int:
    """Swap the rows that differ, in one transaction; returns of how many invoices."""
    for tries_left in reversed(range(LOCK_TRIES_MAX)):
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS_MAX}s'")
                return await _swap_locked(connection)
        except asyncpg.LockNotAvailableError:
            # Writers wait behind us while we wait, so we step back and let them go on first.
            if not tries_left:
                raise RebuildError(
                    "Some transaction holds the events table, and the rows could not be swapped."
                    " Nothing was changed; run it again to go on from here."
                ) from None
    raise AssertionError("unreachable")


async def _swap_locked(connection: asyncpg.Connection) -> int:
    # Readers go on; whoever appends waits. Writers lock the events first as well.
    await connection.execute("LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE")
    changed = await _replay_changed(connection, await _caught_up_to(connection))
    await connection.execute(NOTE_DIFFERING, changed)
    await connection.execute(SWAP)
    differed: int = await connection.fetchval(f"SELECT count(*) FROM {SHADOW}.differing")  # noqa: S608
    return differed
