"""How long an outage is borne: again and again with jittered backoff, inside a limit."""

import asyncio
import random
from typing import Final

from invoicing.runtime.errors import OperatorError

FIRST_PAUSE_SECONDS: Final = 0.1
PAUSE_SECONDS_MAX: Final = 3.0
TRY_SECONDS_MAX: Final = 60.0
"""No try lasts longer. What fails after more than that has worked in between."""


class GaveUpError(OperatorError):
    """An outage outlasted the limit. The process ends with this message, for its orchestrator."""


class Patience:
    """One outage's patience: `after` each failure it pauses, until the limit has passed."""

    def __init__(self, limit_seconds: float, what: str) -> None:
        self._limit_seconds = limit_seconds
        self._what = what
        self._began: float | None = None
        self._failed_at = 0.0
        self._failures = 0

    async def after(self, error: BaseException) -> None:
        """Wait before the next try. Raises `GaveUpError` once the outage has lasted too long."""
        now = asyncio.get_running_loop().time()
        if self._began is None or now - self._failed_at > self._limit_seconds + TRY_SECONDS_MAX:
            self._began, self._failures = now, 0
        if now - self._began > self._limit_seconds:
            raise GaveUpError(
                f"{self._what} failed for {self._limit_seconds:g} seconds: {describe(error)}"
            ) from error
        pause = min(PAUSE_SECONDS_MAX, FIRST_PAUSE_SECONDS * 2.0**self._failures)
        self._failures += 1
        self._failed_at = now + pause
        # Jitter keeps workers that failed together from trying together.
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311

    def restored(self) -> None:
        """It worked: the next failure is a new outage."""
        self._began, self._failures = None, 0


def describe(error: BaseException) -> str:
    """An infrastructure's error in one line."""
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


async def wait_with_timeout(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but no longer than that."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
