"""Prometheus metrics of the API.

Ours, and not an instrumentation library's: labels must be bounded and private, so a path is its
route's pattern, and an unknown path or method is one fixed label.
"""

from functools import cache
from time import perf_counter
from typing import Final

from prometheus_client import Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_SECONDS: Final = Histogram(
    "invoicing_http_request_seconds",
    "Time until a response began",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
EVENT_STREAMS: Final = Gauge(
    "invoicing_http_event_streams", "Clients that follow the feed of events right now"
)
COMMANDS_WAITING: Final = Gauge(
    "invoicing_http_commands_waiting", "Commands that were sent and wait for their answers"
)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})


class Measured:
    """Observes the time of each request, by route and status."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        began = perf_counter()

        async def send_and_observe(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = _seconds_of(method_of(scope), route_of(scope), message["status"])
                seconds.observe(perf_counter() - began)
            await send(message)

        await self._app(scope, receive, send_and_observe if scope["type"] == "http" else send)


def route_of(scope: Scope) -> str:
    """The path pattern of the matched route."""
    return getattr(scope.get("route"), "path", "none")


def method_of(scope: Scope) -> str:
    """The request's method, or `other` for an unknown one: clients may send any word."""
    return scope["method"] if scope["method"] in _METHODS else "other"


@cache
def _seconds_of(method: str, route: str, status: int) -> Histogram:
    return REQUEST_SECONDS.labels(method=method, route=route, status=str(status))
