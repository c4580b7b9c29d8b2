"""An HTTP server in the event loop of other work."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from invoicing.runtime.settings import WrongSettingError

# Longer than a load balancer's (60 by default, mostly), so that it never sends on a closed one.
KEEP_ALIVE_SECONDS: Final = 75


class _Server(uvicorn.Server):
    """Leaves signals to the process: uvicorn would raise them again once it has stopped."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


def bind(host: str, port: int) -> socket.socket:
    """A socket at this address, which does not listen yet. The system chooses a port for 0.

    Raises `WrongSettingError` if the port is not available.
    """
    bound = socket.socket(socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise _not_available(host, port, error) from None
    return bound


def _not_available(host: str, port: int, error: OSError) -> WrongSettingError:
    return WrongSettingError(
        f"Port {port} of {host} is not available: {error.strerror}. Set another one"
        " (INVOICING_METRICS_PORT, INVOICING_HTTP_PORT), or 0 for any."
    )


@asynccontextmanager
async def serving(
    app: Any,
    bound: socket.socket,
    protocol: type[asyncio.Protocol] = HttpToolsProtocol,
    grace_seconds: int = 0,
) -> AsyncIterator[int]:
    """Serve the ASGI app at the socket's address while the block runs. Yields the port.

    At the end, new requests are refused, and those under way get `grace_seconds`. Raises
    `WrongSettingError` if another process listens there.
    """
    host, port = bound.getsockname()
    try:
        bound.listen()
    except OSError as error:
        raise _not_available(host, port, error) from None
    server = _Server(
        uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=grace_seconds or None,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        yield port
    finally:
        server.should_exit = True
        server.force_exit = not grace_seconds
        await asyncio.wait({task})
        bound.close()
