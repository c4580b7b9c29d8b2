"""The token endpoint, for deployments without an issuer: client credentials (RFC 6749, 4.4)."""

import asyncio
import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_plus

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from invoicing.api.auth.access import TOKEN_PATH, too_many_requests
from invoicing.api.auth.clients import RegisteredClient, authenticate
from invoicing.api.auth.tokens import Client, issue
from invoicing.api.http.bodies import Body
from invoicing.api.http.problems import ProblemCode, ProblemError
from invoicing.api.http.routing import DirectRoute, takes
from invoicing.api.reads.answers import json_response
from invoicing.api.state import AppState, AppStateOf

FIELDS_MAX: Final = 20
SECRET_CHARACTERS_MAX: Final = 256
# Verifying a secret takes a core for 50 ms and 64 MiB of memory, so guessing must be bounded.
_CHECKS_AT_ONCE: Final = 2

router = APIRouter(route_class=DirectRoute, tags=["Access"])
_checking = asyncio.Semaphore(_CHECKS_AT_ONCE)


class TokenRequest(Body):
    """Client credentials (RFC 6749, section 4.4)."""

    grant_type: str = Field(description="client_credentials.", examples=["client_credentials"])
    client_id: str | None = Field(None, description="The client, unless given as Basic.")
    client_secret: str | None = Field(None, description="Its secret, unless given as Basic.")
    scope: str | None = Field(None, description="By default all scopes of the client.")


class Token(Body):
    """A bearer token."""

    access_token: str = Field(description="The token.")
    token_type: str = Field(description="Always Bearer.", examples=["Bearer"])
    expires_in: int = Field(description="Its lifetime in seconds.", examples=[3600])
    scope: str = Field(description="Its scopes, separated by spaces.", examples=["invoices:read"])


class TokenError(Body):
    """Why no token was issued (RFC 6749, section 5.2)."""

    error: str = Field(description="The error, for programs.", examples=["invalid_client"])
    error_description: str = Field(description="The error, for people.")


@router.post(
    TOKEN_PATH,
    response_model=Token,
    responses={400: {"model": TokenError}, 401: {"model": TokenError}},
)
@takes(TokenRequest, "application/x-www-form-urlencoded", required=True)
async def issue_token(request: Request, state: AppStateOf) -> Response:
    """Issue a token for a client's id and secret, sent as Basic credentials or as form fields."""
    if state.signing_key is None:
        raise ProblemError(ProblemCode.NOT_FOUND, "This service does not issue tokens.")
    form = await _form(request)
    if form.get("grant_type") != "client_credentials":
        return _error("unsupported_grant_type", "grant_type must be client_credentials.")
    client_id, secret = _credentials(request, form)
    registered = await _authenticate_client(state, client_id, secret)
    if registered is None:
        return _error("invalid_client", "The client is unknown or its secret is wrong.", 401)
    wanted = frozenset(form.get("scope", "").split()) or registered.scopes
    if not wanted <= registered.scopes:
        return _error("invalid_scope", "The client is not allowed this scope.")
    lifetime_seconds = state.settings.token_lifetime_seconds
    client = Client(client_id, registered.seller_id, wanted, expires_at=None)
    return json_response(
        {
            "access_token": issue(state.signing_key, state.settings, client, lifetime_seconds),
            "token_type": "Bearer",
            "expires_in": lifetime_seconds,
            "scope": " ".join(sorted(wanted)),
        },
        headers={"Pragma": "no-cache"},
    )


async def _authenticate_client(
    state: AppState, client_id: str, secret: str
) -> RegisteredClient | None:
    if len(client_id) > SECRET_CHARACTERS_MAX or len(secret) > SECRET_CHARACTERS_MAX:
        return None
    # The newline keeps this bucket apart from the client's own requests.
    wait_seconds = state.rates.take(f"\n{client_id}")
    if wait_seconds:
        raise too_many_requests(wait_seconds)
    async with _checking:
        return await asyncio.to_thread(authenticate, state.clients, client_id, secret)


async def _form(request: Request) -> Mapping[str, str]:
    try:
        text = (await request.body()).decode()
        fields = parse_qsl(text, max_num_fields=FIELDS_MAX, keep_blank_values=True)
    except ValueError:
        raise ProblemError(
            ProblemCode.MALFORMED_REQUEST,
            "The body must be a form (application/x-www-form-urlencoded).",
        ) from None
    return dict(fields)


def _credentials(request: Request, form: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return unquote_plus(client_id), unquote_plus(secret)


def _error(code: str, description: str, status: int = 400) -> Response:
    """RFC 6749, section 5.2."""
    document: dict[str, Any] = {"error": code, "error_description": description}
    challenge = {"WWW-Authenticate": 'Basic realm="invoicing"'} if status == 401 else {}
    return json_response(document, status, challenge)
