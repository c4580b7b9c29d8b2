"""Content negotiation: JSON, or an event stream for the feed (RFC 9110, section 12.5.1)."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from invoicing.api.http.headers import given_header
from invoicing.api.http.problems import ProblemCode, ProblemError

_OFFERED: Final = (
    "*/*", "application/*", "application/json", "application/problem+json",
    "application/cloudevents+json", "text/event-stream",
)  # fmt: skip


class Accepting:
    """Answers 406 if the client accepts none of the API's media types. Pages are not checked."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and scope["path"].startswith("/v1/"):
            accepted = given_header(scope, b"accept").strip()
            types = (part.partition(";")[0].strip().lower() for part in accepted.split(","))
            if accepted and not any(media_type in _OFFERED for media_type in types):
                problem = ProblemError(
                    ProblemCode.NOT_ACCEPTABLE, "Responses are application/json. Accept it, or */*."
                )
                return await problem.response()(scope, receive, send)
        return await self._app(scope, receive, send)
