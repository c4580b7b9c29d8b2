"""Open streams: each keeps a connection and asks Postgres again and again, so there are limits."""

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
    """The streams of this process. They end when `closing` is set."""

    def __init__(self) -> None:
        self.closing = asyncio.Event()
        self._open: Counter[str] = Counter()

    @contextmanager
    def one_more(self, client_id: str) -> Iterator[None]:
        """Be a stream while the block runs. Raises `ProblemError` where there are too many."""
        if self._open[client_id] >= STREAMS_OF_CLIENT_MAX:
            raise _refusal(ProblemCode.TOO_MANY_REQUESTS, "You follow the feed often enough.")
        if self._open.total() >= STREAMS_MAX or self.closing.is_set():
            raise _refusal(ProblemCode.UNAVAILABLE, "No more streams are open right now.")
        self._open[client_id] += 1
        try:
            yield
        finally:
            self._open[client_id] -= 1
            self._open += Counter()  # forgets whoever has none


def _refusal(code: ProblemCode, detail: str) -> ProblemError:
    return ProblemError(code, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
