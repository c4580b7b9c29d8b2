"""Connections: limits against idle and slow clients, and responses in one piece.

uvicorn limits idle time between two requests only. It never closes a connection that sends nothing,
or sends the request head byte by byte. And it writes a response's head and body one after the
other, each of which uvloop sends at once.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from invoicing.api.http.limits import ADDRESS_BYTES_MAX, HEADER_BYTES_MAX
from invoicing.api.http.problems import ProblemCode, ProblemError

# Every connection takes a file descriptor, of which a process has 1,024 by default.
CONNECTIONS_MAX: Final = 800
HEAD_SECONDS_MAX: Final = 10.0
# The limits of the parsed headers apply once the head is complete; this one applies before.
HEAD_BYTES_MAX: Final = 2 * (ADDRESS_BYTES_MAX + HEADER_BYTES_MAX)


class JoinedWrites:
    """A transport that sends a response's head together with the body that follows it.

    A packet less, a system call less, and the client wakes up once: a tenth of a GET's time.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Hold this piece until the next one, or until the event loop's turn ends."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.writelines([held, data])
        else:
            self._held = data
            self._loop.call_soon(self._send_held)

    def close(self) -> None:
        """Close the connection, once everything is sent."""
        self._send_held()
        self._transport.close()

    def _send_held(self) -> None:
        if self._held and not self._transport.is_closing():
            self._transport.write(self._held)
        self._held = b""


class GuardedConnection(HttpToolsProtocol):
    """A connection with a deadline for each request head."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._awaits_head = True
        self._heads = 0
        self._head_bytes = 0
        self._head_is_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for the first request."""
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]
        if len(self.connections) > CONNECTIONS_MAX:
            self._refuse(ProblemCode.UNAVAILABLE, "Too many connections. Retry later.")
        else:
            self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Receive a part of a request, usually all of it."""
        awaited_head, heads = self._awaits_head, self._heads
        super().data_received(data)
        # If a head ended in this data, the rest is body: counting it as head would reject large
        # bodies, and a slow response would count as a slow request.
        if awaited_head and self._heads == heads:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse(ProblemCode.HEADERS_TOO_LARGE, "The request head is too large.")
            elif self._head_is_due is None:
                self._wait_for_head()

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._awaits_head = False
        self._heads += 1
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is complete; another may follow."""
        super().on_message_complete()
        self._awaits_head = True
        self._head_bytes = 0

    def connection_lost(self, error: Exception | None) -> None:
        """The client has disconnected."""
        self._stop_waiting()
        super().connection_lost(error)

    def send_400_response(self, msg: str) -> None:
        """Answer invalid HTTP with a problem document instead of uvicorn's plain text."""
        self._refuse(ProblemCode.MALFORMED_REQUEST, msg)

    def _wait_for_head(self) -> None:
        self._head_is_due = self.loop.call_later(
            HEAD_SECONDS_MAX,
            self._refuse,
            ProblemCode.REQUEST_TIMEOUT,
            "The request was not complete in time.",
        )

    def _stop_waiting(self) -> None:
        if self._head_is_due is not None:
            self._head_is_due.cancel()
            self._head_is_due = None

    def _refuse(self, code: ProblemCode, detail: str) -> None:
        self._stop_waiting()
        if self.transport.is_closing():
            return
        # Within another response, it would be read as part of that response's body.
        is_between = self.cycle is None or self.cycle.response_complete
        if is_between or not self.cycle.response_started:
            response = ProblemError(code, detail).response()
            lines = [b"HTTP/1.1 %d " % response.status_code, b"connection: close"]
            lines += [b"%s: %s" % header for header in response.raw_headers]
            self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
        self.transport.close()
