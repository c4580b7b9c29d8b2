"""Size and time limits of a request, checked before anything else handles it."""

import asyncio
from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from invoicing.api.http.problems import ProblemCode, ProblemError
from invoicing.contracts.envelope import RECORD_BYTES_MAX

HEADERS_MAX: Final = 100
HEADER_BYTES_MAX: Final = 16 * 1024
ADDRESS_BYTES_MAX: Final = 8 * 1024
BODY_BYTES_MAX: Final = RECORD_BYTES_MAX
BODY_SECONDS_MAX: Final = 10.0
# Without either there is no body (RFC 9112, section 6.3).
_BODY_HEADERS: Final = {b"content-length", b"transfer-encoding"}


class Limits:
    """Checks the head and reads the body, which is small, before it calls the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        has_body = any(name in _BODY_HEADERS for name, _ in scope["headers"])
        try:
            _check_head(scope)
            if has_body:
                body = await _body(dict(scope["headers"]), receive)
                if body is None:
                    return None  # the client has disconnected
                receive = _replayed(body, receive)
        except ProblemError as problem:
            return await problem.response()(scope, receive, send)
        return await self._app(scope, receive, send)


def _check_head(scope: Scope) -> None:
    address = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    if address > ADDRESS_BYTES_MAX:
        raise ProblemError(
            ProblemCode.URI_TOO_LONG,
            f"The path and query must be at most {ADDRESS_BYTES_MAX} bytes.",
        )
    headers = scope["headers"]
    size = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > HEADERS_MAX or size > HEADER_BYTES_MAX:
        raise ProblemError(
            ProblemCode.HEADERS_TOO_LARGE,
            f"At most {HEADERS_MAX} headers of {HEADER_BYTES_MAX} bytes in total are accepted.",
        )


async def _body(headers: Mapping[bytes, bytes], receive: Receive) -> bytes | None:
    declared = headers.get(b"content-length", b"0")
    if not declared.isdigit() or int(declared[:20]) > BODY_BYTES_MAX:
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            return await _read(receive)
    except TimeoutError:
        raise ProblemError(
            ProblemCode.REQUEST_TIMEOUT,
            f"The body was not complete within {BODY_SECONDS_MAX:.0f} seconds.",
            headers={"Connection": "close"},
        ) from None


async def _read(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            raise _too_large()
        if not message.get("more_body", False):
            return bytes(body)


def _too_large() -> ProblemError:
    return ProblemError(
        ProblemCode.BODY_TOO_LARGE,
        f"The body must be at most {BODY_BYTES_MAX} bytes.",
        headers={"Connection": "close"},
    )


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Replay the body, then pass on later messages: the disconnect."""
    is_replayed = False

    async def replay() -> Message:
        nonlocal is_replayed
        if is_replayed:
            return await receive()
        is_replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
