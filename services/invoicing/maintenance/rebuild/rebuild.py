"""The current state, rebuilt from the events beside live workers.

Events are replayed window by window into a shadow of the tables that hold the state. Events that
arrive meanwhile are caught up with, the last of them under a lock that holds writers up for a
moment; the rows that differ are swapped in the same transaction. The tables themselves stay, with
their grants, indexes, policies and views.

A window is one transaction: if its process is killed, the next run resumes with it.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import asyncpg

from invoicing.maintenance.rebuild.replay import catch_up, helper_processes, replay_all
from invoicing.maintenance.rebuild.shadow import (
    DROP_SHADOW,
    POLL_INTERVAL_SECONDS,
    SHADOW,
    RebuildError,
    ShadowIncompleteError,
    connect,
    plan,
    positions_done,
)
from invoicing.maintenance.rebuild.swap import compare, swap
from invoicing.store.errors import check_schema

PROCESSES_MAX: Final = 8
# Two rebuilds at once would swap each other's rows. Any number not in use otherwise.
REBUILD_LOCK: Final = 7_203_114_589_122_338

COUNTS: Final = f"""
SELECT (SELECT count(*) FROM {SHADOW}.invoices) AS invoices,
       (SELECT coalesce(sum(events), 0)::bigint FROM {SHADOW}.windows) AS events
"""  # noqa: S608 (a constant of ours)

Progress = Callable[[int, int], None]
"""Called with the number of positions replayed, and the number of all positions."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The result of a rebuild. `differed`: invoices whose state was wrong."""

    invoices: int
    events: int
    differed: int
    resumed: bool


async def rebuild(dsn: str, progress: Progress, processes: int | None = None) -> Rebuilt:
    """Rebuild the current state. The DSN's user must own the tables.

    Raises `SchemaError`, `RebuildError`, and `ReplayError` if an event cannot be replayed.
    """
    processes = processes or min(os.cpu_count() or 1, PROCESSES_MAX)
    connection = await connect(dsn)
    try:
        await check_schema(connection)
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", REBUILD_LOCK):
            raise RebuildError("Another rebuild is running.")
        resumed = await plan(connection)
        await _replay(connection, dsn, progress, processes)
        await catch_up(connection)
        try:
            await compare(connection, dsn, processes)
            differed = await swap(connection)
        except ShadowIncompleteError:
            await connection.execute(DROP_SHADOW)
            raise
        (counts,) = await connection.fetch(COUNTS)
        await connection.execute(DROP_SHADOW)
    finally:
        await connection.close()
    return Rebuilt(counts["invoices"], counts["events"], differed, resumed)


async def _replay(
    connection: asyncpg.Connection, dsn: str, progress: Progress, processes: int
) -> None:
    with helper_processes(dsn, processes - 1):
        replaying = asyncio.create_task(replay_all(dsn))
        try:
            while not replaying.done():
                await asyncio.wait({replaying}, timeout=POLL_INTERVAL_SECONDS)
                progress(*await positions_done(connection))
            await replaying
        finally:
            replaying.cancel()
            # asyncpg waits for ever if it is cancelled twice, as `asyncio.run` does at its end.
            await asyncio.wait({replaying})
