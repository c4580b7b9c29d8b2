"""Limits on open event streams: each holds a connection and polls Postgres."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from invoicing.api.http.problems import ProblemCode, ProblemError

STREAMS_MAX: Final = 200
STREAMS_OF_CLIENT_MAX: Final = 10
RETRY_AFTER_SECONDS: Final = 10


class Streams:
    """The open streams of this process. They end when `closing` is set."""

    def __init__(self) -> None:
        self.closing = asyncio.Event()
        self._open: Counter[str] = Counter()

    @contextmanager
    def one_more(self, client_id: str) -> Iterator[None]:
        """Count a stream while the block runs. Raises `ProblemError` over a limit."""
        if self._open[client_id] >= STREAMS_OF_CLIENT_MAX:
            raise _refusal(
                ProblemCode.TOO_MANY_REQUESTS, "Too many open event streams for this client."
            )
        if self._open.total() >= STREAMS_MAX or self.closing.is_set():
            raise _refusal(ProblemCode.UNAVAILABLE, "Too many open event streams. Retry later.")
        self._open[client_id] += 1
        try:
            yield
        finally:
            self._open[client_id] -= 1
            self._open += Counter()  # drops clients with no stream


def _refusal(code: ProblemCode, detail: str) -> ProblemError:
    return ProblemError(code, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
