"""Process lifecycle: run until SIGTERM or SIGINT, with work in the background."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from typing import Any


def stop_signal() -> asyncio.Future[None]:
    """A future that is done once SIGTERM or SIGINT arrives."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()

    def stop() -> None:
        if not stopped.done():
            stopped.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    return stopped


def stop_at_end_of_input(stopped: asyncio.Future[None]) -> None:
    """Take the end of standard input for a signal too: the process that holds its other end died.

    Nothing is ever written to it.
    """
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_reader(sys.stdin)
        if not stopped.done():
            stopped.set_result(None)

    loop.add_reader(sys.stdin, stop)


async def run_until_signal(stopped: asyncio.Future[None], work: Awaitable[None]) -> None:
    """Wait for the signal or the work, whichever comes first. Raises what the work raises."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({stopped, task}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    else:
        task.cancel()
        await asyncio.wait({task})


@asynccontextmanager
async def background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run this work while the block runs, and cancel it at the block's end.

    If it fails, the block is cancelled and raises its error.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
    except BaseExceptionGroup as errors:
        # The first failed; the others were cancelled because of it.
        raise errors.exceptions[0] from errors.exceptions[0].__cause__
