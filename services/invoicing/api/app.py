"""The ASGI application: routes, middleware, and how exceptions become responses."""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import asyncpg
from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from invoicing.api.auth import oauth
from invoicing.api.docs import service_routes
from invoicing.api.docs.examples import RESPONSES
from invoicing.api.docs.openapi import describe
from invoicing.api.http import request_ids
from invoicing.api.http.accept import Accepting
from invoicing.api.http.headers import SecurityHeaders
from invoicing.api.http.hosts import LoopbackHosts
from invoicing.api.http.limits import Limits
from invoicing.api.http.metrics import Measured
from invoicing.api.http.problems import ProblemCode, ProblemError, invoice_not_found
from invoicing.api.http.request_ids import RequestIds
from invoicing.api.http.tracing import Traced
from invoicing.api.reads import commands, credit_notes, feed, invoices, lists, reports
from invoicing.api.state import AppState
from invoicing.api.writes import routes as writes
from invoicing.runtime.health import HealthProbe
from invoicing.store.errors import is_infrastructure_error

_METHODS: Final = ("GET", "POST", "PATCH", "DELETE")
_REQUEST_HEADERS: Final = (
    "Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match",
    "Last-Event-ID", "Prefer", "traceparent", request_ids.HEADER,
)  # fmt: skip
_RESPONSE_HEADERS: Final = (
    "ETag", "Idempotent-Replayed", "Location", "Retry-After", request_ids.HEADER,
)  # fmt: skip


ROUTES: Final = [
    route
    for part in (
        lists, credit_notes, invoices, reports, writes, commands, feed, oauth, service_routes,
    )
    for route in part.router.routes
]  # fmt: skip


def create_app(state: AppState, probes: Mapping[str, HealthProbe]) -> Starlette:
    """The application, ready to serve."""
    app = Starlette(
        routes=ROUTES,
        middleware=_middlewares(state),
        exception_handlers={
            ProblemError: _handle_problem,
            RequestValidationError: _handle_validation_error,
            HTTPException: _handle_http_error,
            asyncpg.PostgresError: _handle_exception,
            asyncpg.InterfaceError: _handle_exception,
            OSError: _handle_exception,
            TimeoutError: _handle_exception,
            Exception: _handle_exception,
        },
    )
    # Starlette would redirect a trailing slash, and the redirect drops the request body.
    app.router.redirect_slashes = False
    app.state.app_state = state
    app.state.probes = probes
    app.state.openapi = openapi
    return app


@cache
def openapi() -> dict[str, Any]:
    """The OpenAPI document of the routes."""
    return describe(ROUTES, RESPONSES)


def _middlewares(state: AppState) -> list[Middleware]:
    """The middleware, outermost first."""
    stack = [
        Middleware(RequestIds),
        Middleware(Measured),
        Middleware(Traced),
        Middleware(SecurityHeaders),
    ]
    origins = [origin.strip() for origin in state.settings.http_cors_origins.split(",")]
    if any(origins):
        stack.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(filter(None, origins)),
                allow_methods=_METHODS,
                allow_headers=_REQUEST_HEADERS,
                expose_headers=_RESPONSE_HEADERS,
            )
        )
    if state.tokens is None:
        stack.append(Middleware(LoopbackHosts))
    return [*stack, Middleware(Limits), Middleware(Accepting)]


async def _handle_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return error.response()


async def _handle_validation_error(_request: Request, error: Exception) -> Response:
    """Only path parameters are validated by FastAPI: the path cannot name an invoice."""
    assert isinstance(error, RequestValidationError)
    return invoice_not_found().response()


async def _handle_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # The methods of all routes of the path; Starlette names those of one route only.
        methods = sorted(
            method
            for route in ROUTES
            if route.matches(request.scope)[0] is not Match.NONE
            for method in route.methods
        )
        allowed = {"Allow": ", ".join(methods)}
        return ProblemError(
            ProblemCode.METHOD_NOT_ALLOWED, "Method not allowed.", headers=allowed
        ).response()
    if error.status_code == HTTPStatus.NOT_FOUND:
        return ProblemError(ProblemCode.NOT_FOUND, "Not found.").response()
    return ProblemError(
        ProblemCode.MALFORMED_REQUEST, "The request could not be parsed."
    ).response()


async def _handle_exception(_request: Request, error: Exception) -> Response:
    if is_infrastructure_error(error):
        return ProblemError(
            ProblemCode.UNAVAILABLE,
            "The database is not available. Retry later.",
            headers={"Retry-After": "1"},
        ).response()
    return ProblemError(ProblemCode.INTERNAL_ERROR, "Internal error.").response()
