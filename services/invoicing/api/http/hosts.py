"""Under which name we are asked, where no token says who asks."""

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from invoicing.api.http.problems import ProblemCode, ProblemError

LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")
_PORT: Final = re.compile(r":\d*$", re.ASCII)


class LoopbackHosts:
    """Refuses other names: a page elsewhere may make its name point here, and ask from inside."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        host = Headers(scope=scope).get("host", "") if scope["type"] == "http" else "localhost"
        if _PORT.sub("", host) in LOOPBACK_HOSTS:
            return await self._app(scope, receive, send)
        problem = ProblemError(ProblemCode.MALFORMED_REQUEST, "This host is not served here.")
        return await problem.response()(scope, receive, send)
