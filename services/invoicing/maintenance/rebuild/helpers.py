"""Helper processes that replay windows, for as long as their parent runs."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import asyncpg

from invoicing.maintenance.rebuild.replay import replay_free_windows
from invoicing.maintenance.rebuild.shadow import connect
from invoicing.store.history import ReplayError


@contextmanager
def helping(dsn: str, processes: int) -> Iterator[None]:
    """Run helper processes during the block; they are terminated at its end.

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
    # Ctrl-C reaches every process of the terminal; the parent handles it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(ReplayError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        asyncio.run(_replay_until_parent_is_gone(dsn))


async def _replay_until_parent_is_gone(dsn: str) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    asyncio.get_running_loop().add_reader(parent.sentinel, os._exit, 1)
    connection = await connect(dsn)
    try:
        await replay_free_windows(connection)
    finally:
        await connection.close()
