"""A request's part in a trace: the span that the command which it leads to hangs on."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from invoicing.api.http.metrics import method_of, route_of
from invoicing.runtime import tracing


class Traced:
    """Lets each request be a span, and what it leads to a part of that span."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if not tracing.is_on() or not _is_call(scope):
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("traceparent")
        with tracing.span("request", "SERVER", parent=given) as span:
            assert span is not None

            async def send_and_note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    # Known only now: a route is found on the way in.
                    method, route = method_of(scope), route_of(scope)
                    span.update_name(f"{method} {route}")
                    span.set_attribute("http.request.method", method)
                    span.set_attribute("http.route", route)
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            # As if the client had asked in this span: so a command is told of it like of any other.
            MutableHeaders(scope=scope)["traceparent"] = tracing.current_traceparent() or ""
            await self._app(scope, receive, send_and_note)


def _is_call(scope: Scope) -> bool:
    """Probes and pages would only bury what is looked for."""
    path: str = scope.get("path", "")
    return scope["type"] == "http" and path.startswith("/v1/")
