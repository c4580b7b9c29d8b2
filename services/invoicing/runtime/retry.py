"""Retries of outages: jittered exponential backoff until a deadline, by tenacity."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

from invoicing.runtime.errors import OperatorError

# Jitter keeps processes that failed together from retrying together.
BACKOFF: Final = wait_random_exponential(multiplier=0.1, min=0.05, max=3.0)
ATTEMPT_SECONDS_MAX: Final = 60.0
"""No attempt lasts longer. A failure after more than that comes after some success."""

Result = TypeVar("Result")


class GaveUpError(OperatorError):
    """An outage outlasted the limit. The process ends with this message, for its orchestrator."""


async def retry_outage(
    what: str,
    limit_seconds: float,
    is_outage: Callable[[BaseException], bool],
    operation: Callable[[], Awaitable[Result]],
) -> Result:
    """Call the operation until it succeeds.

    Raises `GaveUpError` once `what` has failed for `limit_seconds`; any error that is no outage at
    once.
    """

    def give_up(state: RetryCallState) -> Result:
        assert state.outcome is not None
        error = state.outcome.exception()
        assert error is not None
        raise _gave_up(what, limit_seconds, error) from error

    retrying = AsyncRetrying(
        retry=retry_if_exception(is_outage),
        wait=BACKOFF,
        stop=stop_after_delay(limit_seconds),
        retry_error_callback=give_up,
    )
    result: Result = await retrying(operation)
    return result


class Outage:
    """Retries of work that goes on for as long as the process, and may fail at any time.

    After each failure `wait`; once it works again, `reset`.
    """

    def __init__(self, limit_seconds: float, what: str) -> None:
        self._limit_seconds = limit_seconds
        self._what = what
        self._attempts = RetryCallState(AsyncRetrying(), None, (), {})
        self._began: float | None = None
        self._failed_at = 0.0

    async def wait(self, error: BaseException) -> None:
        """Pause before the next attempt. Raises `GaveUpError` if the outage has lasted too long."""
        now = asyncio.get_running_loop().time()
        if self._began is None or now - self._failed_at > self._limit_seconds + ATTEMPT_SECONDS_MAX:
            self._began, self._attempts.attempt_number = now, 0
        if now - self._began > self._limit_seconds:
            raise _gave_up(self._what, self._limit_seconds, error) from error
        self._attempts.attempt_number += 1
        pause = BACKOFF(self._attempts)
        self._failed_at = now + pause
        await asyncio.sleep(pause)

    def reset(self) -> None:
        """It worked: the next failure is a new outage."""
        self._began = None


def _gave_up(what: str, limit_seconds: float, error: BaseException) -> GaveUpError:
    return GaveUpError(f"{what} failed for {limit_seconds:g} seconds: {describe(error)}")


def describe(error: BaseException) -> str:
    """An infrastructure error in one line."""
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


async def wait_with_timeout(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but no longer than that."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
