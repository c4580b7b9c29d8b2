"""Tracing: a span for each request, the parent of the command's span.

Ours, and not opentelemetry-instrumentation-asgi: that exports the full URL, with ids and filters.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from invoicing.api.http.metrics import method_of, route_of
from invoicing.runtime import tracing


class Traced:
    """Opens a span for each request, and passes it on as the request's `traceparent`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        # Probes and pages are not traced.
        is_call = scope["type"] == "http" and scope.get("path", "").startswith("/v1/")
        if not tracing.is_on() or not is_call:
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("traceparent")
        with tracing.span("request", "SERVER", parent=given) as span:
            assert span is not None

            async def send_and_record(message: Message) -> None:
                if message["type"] == "http.response.start":
                    # The route is known only after routing.
                    method, route = method_of(scope), route_of(scope)
                    span.update_name(f"{method} {route}")
                    span.set_attribute("http.request.method", method)
                    span.set_attribute("http.route", route)
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            # The command inherits this span as if the client had sent it.
            MutableHeaders(scope=scope)["traceparent"] = tracing.current_traceparent() or ""
            await self._app(scope, receive, send_and_record)
