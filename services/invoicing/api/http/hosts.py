"""Host-header check for the unauthenticated, loopback-only mode: protection from DNS rebinding.

Not starlette's `TrustedHostMiddleware`: it splits the host at the first colon, and so refuses
`[::1]:8000`.
"""

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from invoicing.api.http.problems import ProblemCode, ProblemError

LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")
_PORT: Final = re.compile(r":\d*$", re.ASCII)


class LoopbackHosts:
    """Refuses requests whose Host is not a loopback name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        host = Headers(scope=scope).get("host", "") if scope["type"] == "http" else "localhost"
        if _PORT.sub("", host) in LOOPBACK_HOSTS:
            return await self._app(scope, receive, send)
        problem = ProblemError(
            ProblemCode.MALFORMED_REQUEST, "The Host header must be localhost, 127.0.0.1 or [::1]."
        )
        return await problem.response()(scope, receive, send)
