"""Routes whose functions get their arguments straight away.

FastAPI works out anew with each request what a function asks for; that took 45 % of the time of a
GET within this process. Here it is worked out once, from what FastAPI has read of the signature,
which also describes the call for OpenAPI.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from starlette.responses import Response

# What a signature could ask for as well. Queries and bodies we read ourselves, and strictly.
_NOT_GIVEN: Final = (
    "query_params", "header_params", "cookie_params", "body_params", "websocket_param_name",
    "response_param_name", "background_tasks_param_name",
)  # fmt: skip


class DirectRoute(APIRoute):
    """A route to an async function that gives a `Response`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        call = _caller_of(self.dependant)

        async def handle(request: Request) -> Response:
            response: Response = await call(request)
            return response

        return handle


def _caller_of(dependant: Dependant) -> Callable[[Request], Awaitable[Any]]:
    """What calls the function with all that it asks for."""
    assert dependant.call is not None
    assert not any(getattr(dependant, name) for name in _NOT_GIVEN), dependant.call
    function = dependant.call
    parts = [(part.name or "", _caller_of(part)) for part in dependant.dependencies]
    path = [(field.alias, field) for field in dependant.path_params]
    fixed: dict[str, Any] = {}
    if dependant.security_scopes_param_name:
        fixed[dependant.security_scopes_param_name] = SecurityScopes(_scopes_of(dependant))
    request_names = list(
        filter(None, (dependant.request_param_name, dependant.http_connection_param_name))
    )

    async def call(request: Request) -> Any:
        given = {**fixed, **dict.fromkeys(request_names, request)}
        for name, field in path:
            given[name], errors = field.validate(request.path_params[name], {}, loc=("path", name))
            if errors:
                raise RequestValidationError(errors)
        for name, part in parts:
            given[name] = await part(request)
        return await function(**given)

    return call


def _scopes_of(dependant: Dependant) -> list[str]:
    return [*(dependant.parent_oauth_scopes or ()), *(dependant.own_oauth_scopes or ())]
