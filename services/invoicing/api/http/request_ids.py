"""Request ids: from `X-Request-Id` or generated; in the response, problem documents and logs."""

import re
from contextvars import ContextVar
from random import getrandbits
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from invoicing.api.http.headers import given_header

HEADER: Final = "X-Request-Id"
_NAME: Final = HEADER.lower().encode()

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
        given = given_header(scope, _NAME)
        # Unique and not secret, so not from the system's generator, which takes 10 times as long.
        new = f"{getrandbits(128):032x}"
        request_id = given if _ACCEPTED.fullmatch(given) else new
        # Never reset: uvicorn runs each request in a task of its own, and logs its failure there,
        # after the application has raised.
        _current.set(request_id)
        structlog.contextvars.bind_contextvars(request_id=request_id)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                if all(name != _NAME for name, _ in headers):
                    message["headers"] = [*headers, (_NAME, request_id.encode())]
            await send(message)

        return await self._app(scope, receive, send_with_id)
