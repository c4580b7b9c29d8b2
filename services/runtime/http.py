"""An HTTP server beside other work, in the same event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any

import uvicorn

from runtime.settings import WrongSettingError


class _Server(uvicorn.Server):
    """Signals are the process's own: uvicorn would raise them again once it has stopped."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


@asynccontextmanager
async def serving(app: Any, host: str, port: int) -> AsyncIterator[int]:
    """Serve the ASGI app while the block runs; gives the port, chosen by the system for port 0.

    Raises `WrongSettingError` where the port cannot be had.
    """
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise WrongSettingError(
            f"Port {port} of {host} cannot be had: {error.strerror}. Set another one"
            " (INVOICING_METRICS_PORT, INVOICING_HTTP_PORT), or 0 for any."
        ) from None
    server = _Server(
        uvicorn.Config(app, lifespan="off", access_log=False, log_config=None, ws="none")
    )
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        server.force_exit = True
        await asyncio.wait({task})
        listening.close()
