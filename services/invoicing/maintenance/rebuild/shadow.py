"""The shadow: the tables that the state is rebuilt in, and the windows left to replay.

Events are replayed in windows of positions. A window has the invoices that were created in it,
since their rows are close together on disk; any other order would mean random reads.
"""

import asyncio
import hashlib
import time
from pathlib import Path
from typing import Final

import asyncpg

import invoicing
from invoicing.runtime.errors import OperatorError

SHADOW: Final = "invoicing_rebuild"
POSITIONS_A_WINDOW: Final = 5_000
SETTLE_SECONDS_MAX: Final = 60.0
# Postgres may take hours to notice a lost machine, and would hold its locks until then.
IDLE_IN_TRANSACTION_SECONDS_MAX: Final = 60
POLL_INTERVAL_SECONDS: Final = 0.2

# Unlogged: faster. A crash of the server empties all of them, and the next run plans again.
CREATE_SHADOW: Final = f"""
CREATE SCHEMA {SHADOW};
CREATE UNLOGGED TABLE {SHADOW}.invoices (
    LIKE invoices INCLUDING DEFAULTS INCLUDING COMPRESSION, PRIMARY KEY (id));
CREATE UNLOGGED TABLE {SHADOW}.invoice_labels (
    LIKE invoice_labels INCLUDING DEFAULTS, PRIMARY KEY (invoice_id));
CREATE UNLOGGED TABLE {SHADOW}.invoice_entries (
    LIKE invoice_entries INCLUDING DEFAULTS, PRIMARY KEY (invoice_id, kind, id));
CREATE UNLOGGED TABLE {SHADOW}.windows (
    first_position bigint PRIMARY KEY, last_position bigint NOT NULL, events bigint);
CREATE UNLOGGED TABLE {SHADOW}.progress (
    caught_up_to bigint NOT NULL, folded_by text NOT NULL);
CREATE UNLOGGED TABLE {SHADOW}.differing (id text PRIMARY KEY);
"""

# A shadow of another release may have other tables or other states, so it is not resumed.
# As JSON, because the shadow may be older than this column.
PLANNED_BY_US: Final = f"""
SELECT count(*) > 0 FROM {SHADOW}.progress WHERE to_jsonb(progress) ->> 'folded_by' = $1
"""  # noqa: S608

COLUMNS: Final = """
SELECT array_agg(table_name || '.' || column_name ORDER BY table_name, ordinal_position)
FROM information_schema.columns
WHERE table_schema = $1 AND table_name IN ('invoices', 'invoice_labels', 'invoice_entries')
"""

LAST_POSITION: Final = """
SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('events', 'position')::regclass), 0)
"""

# A writer holds this lock from before it takes a position until its rows are visible.
APPENDING: Final = """
SELECT virtualtransaction, pid FROM pg_locks
WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND relation = 'events'::regclass AND mode = 'RowExclusiveLock' AND granted
"""

DROP_SHADOW: Final = f"DROP SCHEMA IF EXISTS {SHADOW} CASCADE"

PLAN: Final = f"""
INSERT INTO {SHADOW}.windows (first_position, last_position)
SELECT first, least(first + {POSITIONS_A_WINDOW} - 1, $1)
FROM generate_series(1, $1::bigint, {POSITIONS_A_WINDOW}) AS first
"""  # noqa: S608 (constants of ours, here and below)

RECORD_PLAN: Final = f"""
INSERT INTO {SHADOW}.progress (caught_up_to, folded_by) VALUES ($1, $2)
"""  # noqa: S608

TAKE_WINDOW: Final = f"""
SELECT first_position, last_position FROM {SHADOW}.windows
WHERE events IS NULL ORDER BY first_position LIMIT 1 FOR UPDATE SKIP LOCKED
"""  # noqa: S608

IS_ANY_LEFT: Final = f"SELECT EXISTS (SELECT FROM {SHADOW}.windows WHERE events IS NULL)"  # noqa: S608

WINDOW_IS_DONE: Final = f"""
UPDATE {SHADOW}.windows SET events = $2 WHERE first_position = $1
"""  # noqa: S608

POSITIONS_DONE: Final = f"""
SELECT coalesce(sum(size) FILTER (WHERE events IS NOT NULL), 0)::bigint AS done,
       coalesce(sum(size), 0)::bigint AS all_positions
FROM {SHADOW}.windows, LATERAL (SELECT last_position - first_position + 1 AS size) AS own
"""  # noqa: S608


class RebuildError(OperatorError):
    """The rebuild cannot go on. The current state is unchanged; the message says what to do."""


class ShadowIncompleteError(RebuildError):
    """The shadow lacks events that it should have. Resuming it would fail again."""


async def connect(dsn: str) -> asyncpg.Connection:
    """Open a connection; Postgres ends it if this process's machine is lost."""
    return await asyncpg.connect(
        dsn,
        server_settings={
            "application_name": "invoicing-rebuild",
            "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS_MAX}s",
        },
    )


async def plan(connection: asyncpg.Connection) -> bool:
    """Create a shadow and its windows; True if an earlier run left one that can be resumed."""
    if await connection.fetchval("SELECT to_regclass($1)", f"{SHADOW}.windows") is not None:
        schema = await connection.fetchval("SELECT current_schema()")
        columns = [await connection.fetchval(COLUMNS, name) for name in (schema, SHADOW)]
        is_ours = await connection.fetchval(PLANNED_BY_US, folding_code())
        if is_ours and columns[0] == columns[1]:
            return True
    async with connection.transaction():
        await connection.execute(DROP_SHADOW)
        await connection.execute(CREATE_SHADOW)
    position = await settled_position(connection)
    async with connection.transaction():
        await connection.execute(PLAN, position)
        await connection.execute(RECORD_PLAN, position, folding_code())
    return False


def folding_code() -> str:
    """A digest of all code that may take part in folding events into states.

    A version number would not do, since it stays the same between commits.
    """
    digest = hashlib.sha256()
    for file in sorted(Path(invoicing.__path__[0]).rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


async def settled_position(connection: asyncpg.Connection) -> int:
    """Find a position up to which every later query sees all events that will ever exist.

    A transaction takes its positions before it commits, so those that were appending when the last
    position was read must have ended. Others are not waited for. Raises `RebuildError` if one of
    them does not end.
    """
    position: int = await connection.fetchval(LAST_POSITION)
    appending = await _appending(connection)
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while appending := appending & await _appending(connection):
        if time.monotonic() > deadline:
            ends = ", ".join(f"pg_terminate_backend({session})" for _, session in appending)
            raise RebuildError(
                f"Transactions that append events have not ended within {SETTLE_SECONDS_MAX:.0f} s."
                f" Nothing was changed. End their sessions (SELECT {ends}), and run it again."
            )
        await asyncio.sleep(POLL_INTERVAL_SECONDS)
    return position


async def _appending(connection: asyncpg.Connection) -> set[tuple[str, int]]:
    """The transactions that may have appended events: their ids and sessions."""
    return {(row["virtualtransaction"], row["pid"]) for row in await connection.fetch(APPENDING)}


async def caught_up_to(connection: asyncpg.Connection) -> int:
    """The position up to which the shadow has all events, once all windows are done."""
    position: int = await connection.fetchval(f"SELECT caught_up_to FROM {SHADOW}.progress")  # noqa: S608
    return position


async def positions_done(connection: asyncpg.Connection) -> tuple[int, int]:
    """How many positions were replayed, and how many there are."""
    (counts,) = await connection.fetch(POSITIONS_DONE)
    return counts[0], counts[1]
