"""Bearer tokens: JWT access tokens (RFC 9068), and the clients that they authenticate."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import jwt
from jwt.exceptions import PyJWTError

from invoicing.api.auth.clients import ALL_SELLERS, SCOPES
from invoicing.api.auth.keys import Keys, SigningKey
from invoicing.runtime.settings import Settings

CLOCK_SKEW_SECONDS: Final = 30
TOKEN_CHARACTERS_MAX: Final = 8_192
# Verifying a signature takes as long as reading an invoice. The time is short beside a token's
# lifetime and the clock skew allowed anyway.
REMEMBERED_SECONDS: Final = 5.0
REMEMBERED_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Client:
    """An authenticated client: its scopes, and the seller whose invoices it sees.

    `id` is the source of its commands.
    """

    id: str
    seller_id: str
    scopes: frozenset[str]
    expires_at: float | None

    @property
    def sees_all(self) -> bool:
        """Whether it sees the invoices of all sellers."""
        return self.seller_id == ALL_SELLERS


# Without configured keys the server listens on loopback only, and every request has all rights.
LOCAL_CLIENT: Final = Client("local", ALL_SELLERS, frozenset(SCOPES), expires_at=None)


class InvalidTokenError(Exception):
    """The token is not valid. The message is safe to return to the client."""


def issue(key: SigningKey, settings: Settings, client: Client, lifetime_seconds: float) -> str:
    """Issue a token for the client, valid from now."""
    now = time.time()
    return key.sign(
        {
            "iss": settings.token_issuer,
            "aud": settings.token_audience,
            "sub": client.id,
            "client_id": client.id,
            "seller_id": client.seller_id,
            "scope": " ".join(sorted(client.scopes)),
            "iat": int(now),
            "exp": int(now + lifetime_seconds),
            "jti": uuid4().hex,
        }
    )


class Tokens:
    """Verifies bearer tokens."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        self._settings = settings
        self._keys = keys
        self._verified: dict[str, tuple[Client, float]] = {}

    async def verify(self, token: str) -> Client:
        """The client of the token. Raises `InvalidTokenError`, `KeysUnavailableError`."""
        now = time.monotonic()
        client, verified_at = self._verified.get(token, (None, 0.0))
        if client is None or now - verified_at > REMEMBERED_SECONDS:
            client = await self._verify(token)
            if len(self._verified) >= REMEMBERED_MAX:
                self._verified.clear()
            self._verified[token] = client, now
        return client

    async def _verify(self, token: str) -> Client:
        try:
            if len(token) > TOKEN_CHARACTERS_MAX:
                raise InvalidTokenError("The token is too long.")
            header = jwt.get_unverified_header(token)
            key = await self._keys.find(header.get("kid"), header.get("alg"))
            if key is None:
                raise InvalidTokenError("The token was signed with an unknown key.")
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=self._settings.token_issuer,
                audience=self._settings.token_audience,
                leeway=CLOCK_SKEW_SECONDS,
                options={"require": ["exp", "iss", "aud"]},
            )
            return _client(claims)
        except jwt.ExpiredSignatureError:
            raise InvalidTokenError("The token has expired.") from None
        except PyJWTError:
            raise InvalidTokenError("The token is not valid for this service.") from None


def _client(claims: Mapping[str, Any]) -> Client:
    client_id = claims.get("client_id", claims.get("sub"))
    seller_id = claims.get("seller_id")
    scope = claims.get("scope", "")
    if not (isinstance(client_id, str) and 1 <= len(client_id) <= 256 and client_id.isprintable()):
        raise InvalidTokenError("The token has no valid client_id or sub claim.")
    if not (isinstance(seller_id, str) and seller_id):
        raise InvalidTokenError("The token has no valid seller_id claim.")
    scopes = scope.split() if isinstance(scope, str) else []
    return Client(client_id, seller_id, frozenset(scopes) & SCOPES.keys(), claims["exp"])
