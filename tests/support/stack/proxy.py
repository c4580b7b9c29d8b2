"""A bad network between workers and Postgres."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit, urlunsplit

CHUNK_BYTES = 65_536
COMMIT = b"COMMIT;"


class Proxy:
    """Forwards bytes to the server of `dsn`, with a delay or not at all if asked to."""

    def __init__(self, dsn: str) -> None:
        self._target = dsn
        self._connections: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self.latency_seconds = 0.0
        self.cuts = 0
        self._cut_next_commit = False

    def reset(self) -> None:
        """Cut every connection where it is."""
        for pair in self._connections:
            _abort(pair)

    def cut_next_commit(self) -> None:
        """Let the next COMMIT reach the server, and drop the response."""
        self._cut_next_commit = True

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        try:
            server_reader, server_writer = await _open(self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, server_writer)
        self._connections.add(pair)
        try:
            await asyncio.wait(
                {
                    asyncio.ensure_future(self._pass_on(reader, server_writer, pair)),
                    asyncio.ensure_future(self._pass_on(server_reader, writer, pair)),
                }
            )
        finally:
            self._connections.discard(pair)

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                if self.latency_seconds:
                    await asyncio.sleep(self.latency_seconds)
                writer.write(chunk)
                await writer.drain()
                if self._cut_next_commit and COMMIT in chunk:
                    self._cut_next_commit = False
                    self.cuts += 1
                    pair[0].transport.abort()  # the server's side ends in order, and so gets it
                    break
        for side in pair:
            with suppress(OSError):
                side.close()


@asynccontextmanager
async def proxied(dsn: str) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy to the server of `dsn`, and the DSN by which one gets there through it."""
    proxy = Proxy(dsn)
    server = await asyncio.start_server(proxy.connect, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    parts = urlsplit(dsn)
    user = parts.netloc.rpartition("@")[0]
    try:
        yield proxy, urlunsplit(parts._replace(netloc=f"{user}@{host}:{port}", query=""))
    finally:
        server.close()
        proxy.reset()


async def _open(dsn: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(dsn)
    asked = parse_qs(parts.query)
    if "host" in asked:
        socket = f"{asked['host'][0]}/.s.PGSQL.{asked['port'][0]}"
        return await asyncio.open_unix_connection(socket)
    return await asyncio.open_connection(parts.hostname, parts.port)


def _abort(pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
    for side in pair:
        side.transport.abort()
