"""A process's life: until a signal it works, and an outage at its start is borne for a while."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from invoicing.runtime.health import HealthProbe
from invoicing.runtime.retry import Patience

Result = TypeVar("Result")


def stop_signal() -> asyncio.Future[None]:
    """Done as soon as SIGTERM or SIGINT comes."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()

    def stop() -> None:
        if not stopped.done():
            stopped.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    return stopped


async def run_until_signal(stopped: asyncio.Future[None], work: Awaitable[None]) -> None:
    """Wait for the signal or the work, whichever ends first; raises what the work raises."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({stopped, task}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    else:
        task.cancel()
        await asyncio.wait({task})


@asynccontextmanager
async def running_probes(probes: Mapping[str, HealthProbe]) -> AsyncIterator[None]:
    """Let the pulses beat while the block runs."""
    async with background(*(probe.run() for probe in probes.values())):
        yield


@asynccontextmanager
async def background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let this work go on while the block runs; it ends with the block.

    Where it fails, the block is cancelled, and raises that error.
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
        # The first is what it failed by; with it, the rest were cancelled.
        raise errors.exceptions[0] from errors.exceptions[0].__cause__


async def patiently(
    patience: Patience,
    is_infrastructure_error: Callable[[BaseException], bool],
    operation: Callable[[], Awaitable[Result]],
) -> Result:
    """Try until it works. Raises `GaveUpError`, and at once what is no outage."""
    while True:
        try:
            return await operation()
        except Exception as error:
            if not is_infrastructure_error(error):
                raise
            await patience.after(error)
