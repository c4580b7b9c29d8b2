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


@asynccontextmanager
async def serving(
    app: Any,
    host: str,
    port: int,
    protocol: type[asyncio.Protocol] = HttpToolsProtocol,
    grace_seconds: int = 0,
) -> AsyncIterator[int]:
    """Serve the ASGI app while the block runs. Yields the port, which the system chooses for 0.

    At the end, new requests are refused, and those under way get `grace_seconds`. Raises
    `WrongSettingError` if the port is not available.
    """
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise WrongSettingError(
            f"Port {port} of {host} is not available: {error.strerror}. Set another one"
            " (INVOICING_METRICS_PORT, INVOICING_HTTP_PORT), or 0 for any."
        ) from None
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
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        server.force_exit = not grace_seconds
        await asyncio.wait({task})
        listening.close()
