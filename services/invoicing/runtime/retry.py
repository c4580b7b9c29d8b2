"""Retries of outages: jittered exponential backoff until a deadline, by tenacity."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import asyncpg
from aiokafka.errors import KafkaError
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

# Data exception, integrity constraint violation: their messages quote values.
DATA_ERROR_CLASSES: Final = ("22", "23")

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

    async def attempt() -> Result:
        # tenacity awaits only what it can tell to be a coroutine function, which no lambda is.
        return await operation()

    retrying = AsyncRetrying(
        retry=retry_if_exception(is_outage),
        wait=BACKOFF,
        stop=stop_after_delay(limit_seconds),
        retry_error_callback=give_up,
    )
    result: Result = await retrying(attempt)
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
    """An error in one line, for logs and operators.

    With its message if that comes from the infrastructure. Of any other error, and of those that
    Postgres has with data, the message may quote a customer's data: the constraint's name, or else
    where it was raised, must do.
    """
    name = type(error).__name__
    if _has_safe_message(error):
        message = error.args[0] if isinstance(error, asyncpg.PostgresError) else error
        text = " ".join(str(message).split())[:300]
        return f"{name}: {text}" if text else name
    if constraint := getattr(error, "constraint_name", None):
        return f"{name} on {constraint}"
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return name
    return f"{name} in {frames[-1].name} ({Path(frames[-1].filename).name}:{frames[-1].lineno})"


def _has_safe_message(error: BaseException) -> bool:
    if isinstance(error, asyncpg.PostgresError):
        # Never its DETAIL either: "Failing row contains (...)".
        return bool(error.args) and (error.sqlstate or "")[:2] not in DATA_ERROR_CLASSES
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)  # "invalid input for query argument"
    return isinstance(error, OSError | KafkaError | OperatorError)


async def wait_with_timeout(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but no longer than that."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
