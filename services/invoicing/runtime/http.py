"""An HTTP server beside other work, in the same event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from invoicing.runtime.settings import WrongSettingError

# Longer than a load balancer's (mostly 60): whichever side closes first, the other must not send.
KEEP_ALIVE_SECONDS: Final = 75


class _Server(uvicorn.Server):
    """Signals are the process's own: uvicorn would raise them again once it has stopped."""

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
    """Serve the ASGI app while the block runs; gives the port, chosen by the system for port 0.

    At the end no more requests are taken, and those under way have `grace_seconds`. Raises
    `WrongSettingError` where the port cannot be had.
    """
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise WrongSettingError(
            f"Port {port} of {host} cannot be had: {error.strerror}. Set another one"
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
