"""Processes that help to replay the windows, for as long as their parent does."""

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
    """So many more processes replay windows while the block runs, and end with it at once.

    What they have come to, the windows tell. The one that a process was at when it failed is left
    to be replayed by whoever is there, and fails there as well.
    """
    # Spawned: a forked copy of a running event loop and its connections is good for nothing.
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
    # Ctrl-C reaches every process of the terminal: our parent is the one to heed it.
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
