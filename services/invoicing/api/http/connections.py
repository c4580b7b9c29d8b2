"""Connections that nobody can keep busy with nothing: so many in all, and a request in time.

uvicorn has a limit for an idle connection between two requests only. Neither who connects and says
nothing nor who sends a request's head byte by byte is ever cut off by it.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from invoicing.api.http.limits import ADDRESS_BYTES_MAX, HEADER_BYTES_MAX
from invoicing.api.http.problems import ProblemCode, ProblemError

# Every connection takes a file descriptor, of which a process has 1,024 by default.
CONNECTIONS_MAX: Final = 800
HEAD_SECONDS_MAX: Final = 10.0
# What comes before the headers' own limits can be told of: they are checked when all have come.
HEAD_BYTES_MAX: Final = 2 * (ADDRESS_BYTES_MAX + HEADER_BYTES_MAX)


class GuardedConnection(HttpToolsProtocol):
    """One connection of a client."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._awaits_head = True
        self._heads = 0
        self._head_bytes = 0
        self._head_is_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_MAX:
            self._refuse(ProblemCode.UNAVAILABLE, "There are too many connections right now.")
        else:
            self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request: mostly all of it."""
        awaited_head, heads = self._awaits_head, self._heads
        super().data_received(data)
        # A head that has ended in it leaves nothing to wait for, whatever else came with it: else a
        # large body would be taken for a head, and a late answer for a late request.
        if awaited_head and self._heads == heads:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse(ProblemCode.HEADERS_TOO_LARGE, "The request's head has no end.")
            elif self._head_is_due is None:
                self._wait_for_head()

    def on_headers_complete(self) -> None:
        """The head has come in time."""
        self._awaits_head = False
        self._heads += 1
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole; another may follow."""
        super().on_message_complete()
        self._awaits_head = True
        self._head_bytes = 0

    def connection_lost(self, error: Exception | None) -> None:
        """The client is gone."""
        self._stop_waiting()
        super().connection_lost(error)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP. uvicorn's own words are no problem document."""
        self._refuse(ProblemCode.MALFORMED_REQUEST, msg)

    def _wait_for_head(self) -> None:
        self._head_is_due = self.loop.call_later(
            HEAD_SECONDS_MAX,
            self._refuse,
            ProblemCode.REQUEST_TIMEOUT,
            "The request did not come in time.",
        )

    def _stop_waiting(self) -> None:
        if self._head_is_due is not None:
            self._head_is_due.cancel()
            self._head_is_due = None

    def _refuse(self, code: ProblemCode, detail: str) -> None:
        self._stop_waiting()
        if self.transport.is_closing():
            return
        # In the middle of another response it could not be told from that response's body.
        is_between = self.cycle is None or self.cycle.response_complete
        if is_between or not self.cycle.response_started:
            self.transport.write(_as_bytes(ProblemError(code, detail)))
        self.transport.close()


def _as_bytes(problem: ProblemError) -> bytes:
    response = problem.response()
    lines = [b"HTTP/1.1 %d " % response.status_code, b"connection: close"]
    lines += [b"%s: %s" % header for header in response.raw_headers]
    return b"\r\n".join([*lines, b"", bytes(response.body)])
