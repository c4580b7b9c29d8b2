"""A connection is cut off for a request's head, and never for what comes after it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from invoicing.api.http import connections
from invoicing.api.http.connections import HEAD_BYTES_MAX, GuardedConnection, JoinedWrites
from tests.support.stack.wait import eventually

HEAD_SECONDS = 0.05

App = Callable[..., Any]


class Line(asyncio.Transport):
    """What stands between the connection and its client."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


@pytest.fixture
def line() -> Line:
    return Line()


async def answer(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def answer_late(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(4 * HEAD_SECONDS)  # the limit is to have passed
    await answer(scope, receive, send)


def connected(line: Line, app: App) -> GuardedConnection:
    config = Config(app, log_config=None, lifespan="off")
    config.load()
    connection = GuardedConnection(config=config, server_state=ServerState(), app_state={})
    connection.connection_made(line)
    return connection


async def test_a_request_that_comes_at_once_may_be_larger_than_a_head(line: Line) -> None:
    connection = connected(line, answer)
    body = b"x" * HEAD_BYTES_MAX

    connection.data_received(b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    await eventually(lambda: line.written)
    assert line.written.startswith(b"HTTP/1.1 204")


@pytest.mark.parametrize(
    "parts",
    [
        [b"POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\nx"],
        [b"POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\n", b"x"],
        [b"POST / HTTP/1.1\r\n", b"content-length: 1\r\n\r\nx"],
    ],
    ids=["at once", "head and body", "in the head"],
)
async def test_an_answer_may_take_longer_than_a_head(
    line: Line, parts: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS_MAX", HEAD_SECONDS)
    connection = connected(line, answer_late)

    for part in parts:
        connection.data_received(part)

    await eventually(lambda: line.written)
    assert line.written.startswith(b"HTTP/1.1 204")


async def test_a_head_that_does_not_end_is_cut_off(line: Line) -> None:
    connection = connected(line, answer)
    connection.data_received(b"GET / HTTP/1.1\r\n\r\n")
    await eventually(lambda: line.written)
    line.written = b""

    connection.data_received(b"GET / HTTP/1.1\r\nx: ")
    connection.data_received(b"x" * HEAD_BYTES_MAX)

    assert line.written.startswith(b"HTTP/1.1 431")
    assert line.closed


async def test_a_head_that_does_not_come_is_not_waited_for(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS_MAX", HEAD_SECONDS)
    connection = connected(line, answer)

    connection.data_received(b"GET / HTTP/1.1\r\n")

    await eventually(lambda: line.closed)
    assert line.written.startswith(b"HTTP/1.1 408")


class Pieces(Line):
    """A line that keeps apart what is written at once."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        super().write(data)
        self.pieces.append(bytes(data))


async def test_a_responses_head_and_body_are_written_at_once() -> None:
    pieces = Pieces()

    async def answer_with_body(_scope: Any, _receive: Any, send: Any) -> None:
        length = (b"content-length", b"4")
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": b"Body"})

    connected(pieces, answer_with_body).data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")

    await eventually(lambda: pieces.written.endswith(b"\r\n\r\nBody"), seconds=5)
    assert len(pieces.pieces) == 1


async def test_a_head_whose_body_comes_later_is_not_held_back() -> None:
    pieces = Pieces()

    async def answer_head(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.Event().wait()

    connection = connected(pieces, answer_head)
    connection.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")

    await eventually(lambda: pieces.written.endswith(b"\r\n\r\n"), seconds=5)
    for task in connection.tasks:
        task.cancel()


async def test_what_was_written_is_sent_before_the_connection_closes() -> None:
    pieces = Pieces()
    joined = JoinedWrites(pieces, asyncio.get_running_loop())

    joined.write(b"last words")
    joined.close()

    assert pieces.pieces == [b"last words"]
    assert pieces.closed
