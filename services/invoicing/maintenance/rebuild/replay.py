"""Events replayed into the shadow: window by window, then those that arrived since."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import asyncpg

from invoicing.maintenance.rebuild.shadow import (
    IS_ANY_LEFT,
    POLL_INTERVAL_SECONDS,
    SHADOW,
    TAKE_WINDOW,
    WINDOW_IS_DONE,
    caught_up_to,
    connect,
    settled_position,
)
from invoicing.runtime.gc_tuning import gc_tuned
from invoicing.store.history import ReplayError, replay_many
from invoicing.store.postgres import copy_invoices, save_invoices
from invoicing.store.rows import StoredInvoice, stored_invoice

STATES_AT_ONCE: Final = 2_000
FEW_INVOICES: Final = 500
# Beside busy workers there are always more events; the rest is replayed under the lock.
CATCH_UP_ROUNDS_MAX: Final = 20

CREATED_WITHIN: Final = """
SELECT invoice_id FROM events WHERE position BETWEEN $1 AND $2 AND version = 1
"""

CHANGED_SINCE: Final = """
SELECT DISTINCT invoice_id FROM events WHERE position > $1
"""


@contextmanager
def helper_processes(dsn: str, processes: int) -> Iterator[None]:
    """Run processes that replay windows during the block; they are terminated at its end.

    Their progress is in the windows. If a helper fails, its window is left to another process, and
    fails there as well.
    """
    # Spawned: a running event loop and its connections do not survive a fork.
    context = multiprocessing.get_context("spawn")
    helpers = [context.Process(target=_help, args=(dsn,), daemon=True) for _ in range(processes)]
    for helper in helpers:
        helper.start()
    try:
        yield
    finally:
        for helper in helpers:
            helper.terminate()
        for helper in helpers:
            helper.join()


def _help(dsn: str) -> None:
    async def replay_until_parent_ends() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None
        asyncio.get_running_loop().add_reader(parent.sentinel, os._exit, 1)
        connection = await connect(dsn)
        try:
            await replay_free_windows(connection)
        finally:
            await connection.close()

    # Ctrl-C reaches every process of the terminal; the parent handles it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(ReplayError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        asyncio.run(replay_until_parent_ends())


async def replay_all(dsn: str) -> None:
    """Replay windows until all are done, including those taken by helpers."""
    connection = await connect(dsn)
    try:
        await replay_free_windows(connection)
        # Helpers hold these windows: they will finish them, or fail and release them.
        while await connection.fetchval(IS_ANY_LEFT):
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
            await replay_free_windows(connection)
    finally:
        await connection.close()


async def replay_free_windows(connection: asyncpg.Connection) -> None:
    """Replay windows until none is free."""
    with gc_tuned():
        while await replay_window(connection):
            pass


async def replay_window(connection: asyncpg.Connection) -> bool:
    """Replay the next free window in one transaction; False if there is none."""
    async with connection.transaction():
        window = await connection.fetchrow(TAKE_WINDOW)
        if window is None:
            return False
        created = [row["invoice_id"] for row in await connection.fetch(CREATED_WITHIN, *window)]
        events = 0
        async for states in _states(connection, created):
            await copy_invoices(connection, states, SHADOW)
            events += sum(state.version for state in states)
        await connection.execute(WINDOW_IS_DONE, window["first_position"], events)
    return True


async def catch_up(connection: asyncpg.Connection) -> None:
    """Replay invoices with newer events, until a round finds few."""
    for _ in range(CATCH_UP_ROUNDS_MAX):
        since = await caught_up_to(connection)
        position = await settled_position(connection)
        assert position >= since, "positions of events only grow"
        changed = await replay_changed(connection, since)
        await connection.execute(f"UPDATE {SHADOW}.progress SET caught_up_to = $1", position)  # noqa: S608
        if len(changed) < FEW_INVOICES:
            return


async def replay_changed(connection: asyncpg.Connection, position: int) -> list[str]:
    """Replay the invoices with events after this position; returns their ids."""
    changed = [row["invoice_id"] for row in await connection.fetch(CHANGED_SINCE, position)]
    async with connection.transaction():
        schema = await connection.fetchval("SELECT current_schema()")
        async for states in _states(connection, changed):
            await connection.execute(f'SET LOCAL search_path = {SHADOW}, "{schema}"')
            await save_invoices(connection, states)
            await connection.execute(f'SET LOCAL search_path = "{schema}"')
    return changed


async def _states(
    connection: asyncpg.Connection, invoice_ids: list[str]
) -> AsyncIterator[list[StoredInvoice]]:
    states: list[StoredInvoice] = []
    async for invoice in replay_many(connection, invoice_ids):
        states.append(stored_invoice(invoice, document_changed=True))
        if len(states) == STATES_AT_ONCE:
            yield states
            states = []
    yield states
