"""Request ids: from `X-Request-Id` or generated; in the response, problem documents and logs."""

import re
from contextvars import ContextVar
from typing import Final
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER: Final = "X-Request-Id"

# What a log line and a header can hold: nothing that could break either.
_ACCEPTED: Final = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}", re.ASCII)
_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def current_request_id() -> str | None:
    """The id of the request that this task handles."""
    return _current.get()


class RequestIds:
    """Gives each request an id. An `X-Request-Id` of other characters is replaced."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if _ACCEPTED.fullmatch(given) else uuid4().hex
        # Never reset: uvicorn runs each request in a task of its own, and logs its failure there,
        # after the application has raised.
        _current.set(request_id)
        structlog.contextvars.bind_contextvars(request_id=request_id)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault(HEADER, request_id)
            await send(message)

        return await self._app(scope, receive, send_with_id)
