"""GETs as fast as they are answered, over a few connections that stay open.

A process of its own, so that its work is not the bench's; it shares the processors with what it
asks all the same. Reads a `Load` from standard input, as JSON, and prints its `Figures`.
"""

import asyncio
import json
import random
import sys
from dataclasses import asdict, dataclass
from time import perf_counter

import uvloop

from tests.bench.figures import Figures, figures_of

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length: "


@dataclass(frozen=True)
class Load:
    """What to ask: a path whose `{n}` is a number from 1 to `numbers`."""

    port: int
    token: str
    path: str
    numbers: int
    connections: int
    seconds: float


class _Asking(asyncio.Protocol):
    """One connection: the next request as soon as the last is answered, until the time is over."""

    def __init__(self, load: Load, ends_at: float, over: asyncio.Future[None]) -> None:
        self.latencies: list[float] = []
        self._head, _, self._tail = (
            f"GET {load.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {load.token}\r\n"
            "\r\n"
        ).partition("{n}")
        self._numbers = load.numbers
        self._ends_at = ends_at
        self._over = over
        self._received = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._over.done():
            self._over.set_exception(error or ConnectionError("the connection was closed"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._is_whole():
            return
        if not self._received.startswith(b"HTTP/1.1 200"):
            self._over.set_exception(ValueError(self._received[:500].decode()))
            return
        self.latencies.append(perf_counter() - self._asked_at)
        self._received = b""
        if perf_counter() < self._ends_at:
            self._ask()
        else:
            self._over.set_result(None)
            self._transport.close()

    def _ask(self) -> None:
        number = random.randint(1, self._numbers)
        request = f"{self._head}{number}{self._tail}" if self._tail else self._head
        self._asked_at = perf_counter()
        self._transport.write(request.encode())

    def _is_whole(self) -> bool:
        head, end, body = self._received.partition(HEAD_END)
        if not end:
            return False
        length = head.partition(LENGTH)[2].partition(b"\r\n")[0]
        return len(body) >= int(length)


async def ask(load: Load) -> Figures:
    """Put the load on the API at its port. Raises where an answer is not 200."""
    loop = asyncio.get_running_loop()
    began = perf_counter()
    all_over = [loop.create_future() for _ in range(load.connections)]
    asking = [_Asking(load, began + load.seconds, over) for over in all_over]
    for protocol in asking:
        await loop.create_connection(lambda protocol=protocol: protocol, "127.0.0.1", load.port)
    await asyncio.gather(*all_over)
    latencies = [latency for protocol in asking for latency in protocol.latencies]
    return figures_of(latencies, perf_counter() - began)


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(ask(Load(**json.load(sys.stdin)))))))
