"""Wait for a condition, never for a fixed time."""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, TypeVar, overload

Seen = TypeVar("Seen")

POLL_INTERVAL_SECONDS = 0.05


@overload
async def eventually(
    look: Callable[[], Awaitable[Seen]],
    *,
    until: Callable[[Seen], bool] = ...,
    seconds: float = ...,
) -> Seen: ...


@overload
async def eventually(
    look: Callable[[], Seen],
    *,
    until: Callable[[Seen], bool] = ...,
    seconds: float = ...,
) -> Seen: ...


async def eventually(
    look: Callable[[], Any], *, until: Callable[[Any], bool] = bool, seconds: float = 10
) -> Any:
    """Return the result of `look` as soon as `until` holds for it: by default, once it is true.

    Raises TimeoutError, which says what was last seen, if that takes more than `seconds`.
    """
    seen: Any = "nothing"
    try:
        async with asyncio.timeout(seconds) as limit:
            while True:
                result = look()
                seen = await result if isawaitable(result) else result
                if until(seen):
                    return seen
                await asyncio.sleep(POLL_INTERVAL_SECONDS)
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TimeoutError(f"not within {seconds} s; last seen: {seen!r}") from error
