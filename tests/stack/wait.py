"""Waiting for a condition, never for a time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Seen = TypeVar("Seen")

POLL_INTERVAL_SECONDS = 0.05


async def eventually(
    condition: Callable[[], Seen | Awaitable[Seen]], *, seconds: float = 10
) -> Seen:
    """What `condition` gives as soon as that is true in a boolean sense.

    Raises TimeoutError, which tells what was last seen, when that takes more than `seconds`; an
    AssertionError of the condition's own counts as not yet.
    """
    deadline = time.monotonic() + seconds
    while True:
        seen: Seen | AssertionError
        try:
            result = condition()
            seen = await result if inspect.isawaitable(result) else result
        except AssertionError as error:
            seen = error
        else:
            if seen:
                return seen
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s; last seen: {seen!r}")
        await asyncio.sleep(POLL_INTERVAL_SECONDS)
