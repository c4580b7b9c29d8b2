"""Authentication of requests: the bearer token, its scopes, and the rate limit."""

from typing import Annotated, Final

from fastapi import Depends, Request, Security
from fastapi.openapi.models import OAuthFlowClientCredentials, OAuthFlows
from fastapi.security import OAuth2, SecurityScopes

from invoicing.api.auth.clients import READ, SCOPES, WRITE
from invoicing.api.auth.keys import KeysUnavailableError
from invoicing.api.auth.tokens import LOCAL_CLIENT, Client, InvalidTokenError
from invoicing.api.http.problems import ProblemCode, ProblemError
from invoicing.api.state import AppState, AppStateOf

TOKEN_PATH: Final = "/oauth/token"  # noqa: S105 (an address)

_BEARER: Final = OAuth2(
    flows=OAuthFlows(
        clientCredentials=OAuthFlowClientCredentials(tokenUrl=TOKEN_PATH, scopes=dict(SCOPES))
    ),
    scheme_name="oauth2",
    description="A JWT access token, as a bearer token.",
    auto_error=False,
)


async def _client_of(
    scopes: SecurityScopes,
    request: Request,
    state: AppStateOf,
    _described: Annotated[None, Depends(_BEARER)],
) -> Client:
    client = await _authenticated(request, state)
    missing = set(scopes.scopes) - client.scopes
    if missing:
        raise _challenge(
            ProblemCode.INSUFFICIENT_SCOPE,
            f"The token lacks the scope {' '.join(sorted(missing))}.",
            f'error="insufficient_scope", scope="{scopes.scope_str}"',
        )
    wait_seconds = state.rates.take(client.id)
    if wait_seconds:
        raise too_many_requests(wait_seconds)
    return client


Reader = Annotated[Client, Security(_client_of, scopes=[READ])]
Writer = Annotated[Client, Security(_client_of, scopes=[WRITE])]


def too_many_requests(wait_seconds: float) -> ProblemError:
    """The response to a client over its rate limit, with the time to wait."""
    return ProblemError(
        ProblemCode.TOO_MANY_REQUESTS,
        "Too many requests. Retry later.",
        headers={"Retry-After": str(int(wait_seconds) + 1)},
    )


async def _authenticated(request: Request, state: AppState) -> Client:
    if state.tokens is None:
        return LOCAL_CLIENT
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise _challenge(ProblemCode.INVALID_TOKEN, "A bearer token is required.", "")
    try:
        return await state.tokens.verify(token.strip())
    except InvalidTokenError as error:
        raise _challenge(ProblemCode.INVALID_TOKEN, str(error), 'error="invalid_token"') from None
    except KeysUnavailableError:
        raise ProblemError(
            ProblemCode.UNAVAILABLE,
            "The token could not be verified: the issuer's keys are not available. Retry later.",
            headers={"Retry-After": "5"},
        ) from None


def _challenge(code: ProblemCode, detail: str, parameters: str) -> ProblemError:
    """RFC 6750, section 3."""
    challenge = f'Bearer realm="invoicing"{", " if parameters else ""}{parameters}'
    return ProblemError(code, detail, headers={"WWW-Authenticate": challenge})
