"""The private key that signs tokens, and the public keys that verify them (RFC 7517).

The key determines the algorithm. A token cannot choose another one, such as `none` or HMAC with a
public key as its secret.

Not `PyJWKClient`'s own cache: that needs a key id in every token, and drops keys at the end of
their lifetime even while the issuer is unreachable.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import jwt
import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from jwt.exceptions import PyJWKClientError, PyJWKSetError, PyJWTError

from invoicing.runtime.settings import Settings, WrongSettingError

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
KEYS_LIFETIME_SECONDS: Final = 300.0
# An unknown key id may be a new key, but made-up ids must not cause a fetch each.
REFRESH_INTERVAL_SECONDS: Final = 10.0
FETCH_SECONDS_MAX: Final = 5

log = structlog.get_logger()

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey


class KeysUnavailableError(Exception):
    """The issuer's keys could not be fetched, and none were fetched before."""


class SigningKey:
    """The private key that signs the tokens of the token endpoint."""

    def __init__(self, pem: str) -> None:
        """Raises `WrongSettingError`."""
        self._key, self.algorithm = _private_key(pem)
        public = self._key.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        self.id = jwt.utils.base64url_encode(public[-16:]).decode()

    def sign(self, claims: Mapping[str, Any]) -> str:
        """The claims as an access token."""
        headers = {"kid": self.id, "typ": "at+jwt"}
        return jwt.encode(dict(claims), self._key, self.algorithm, headers=headers)

    def public(self) -> jwt.PyJWK:
        """The public key."""
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        jwk: dict[str, Any] = dict(algorithm.to_jwk(self._key.public_key(), as_dict=True))
        return jwt.PyJWK(jwk | {"kid": self.id, "alg": self.algorithm})


class Keys:
    """The public keys in force: our own, those of a file, and those published by the issuer."""

    def __init__(self, fixed: Iterable[jwt.PyJWK], url: str | None) -> None:
        self._fixed = list(fixed)
        self._url = url
        self._published: list[jwt.PyJWK] = []
        self._fetched_at = self._tried_at = -float("inf")
        self._asking = asyncio.Lock()

    async def find(self, key_id: str | None, algorithm: object) -> jwt.PyJWK | None:
        """The key with this id; if the token or the key has no id, the only key of the algorithm.

        A token need not name its key (RFC 7515, 4.1.4). Raises `KeysUnavailableError`.
        """
        if algorithm not in ALGORITHMS:
            return None
        named = _named(self._fixed, key_id, algorithm)
        if named is not None:
            return named
        if self._url is not None and self._wants_refresh(key_id, algorithm):
            async with self._asking:
                if self._wants_refresh(key_id, algorithm):
                    await self._refresh(self._url)
        return self._choose(key_id, algorithm)

    def _choose(self, key_id: str | None, algorithm: object) -> jwt.PyJWK | None:
        keys = [*self._fixed, *self._published]
        return _named(keys, key_id, algorithm) or _only(keys, key_id, algorithm)

    def _wants_refresh(self, key_id: str | None, algorithm: object) -> bool:
        now = time.monotonic()
        if now - self._tried_at < REFRESH_INTERVAL_SECONDS:
            return False
        is_known = self._choose(key_id, algorithm) is not None
        return not is_known or now - self._fetched_at > KEYS_LIFETIME_SECONDS

    async def _refresh(self, url: str) -> None:
        self._tried_at = time.monotonic()
        source = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=FETCH_SECONDS_MAX)
        try:
            published = await asyncio.to_thread(source.fetch_data)
            self._published = _usable(published)
        except (PyJWKClientError, PyJWTError, ValueError, TypeError) as error:
            log.warning("token_keys_unavailable", error=_reason(error))
            if not self._published:
                self._tried_at = -float("inf")
                raise KeysUnavailableError from error
            return
        self._fetched_at = time.monotonic()


def signing_key(settings: Settings) -> SigningKey | None:
    """The key to sign tokens with, if one is configured. Raises `WrongSettingError`."""
    secret = settings.token_signing_key
    return None if secret is None else SigningKey(secret.get_secret_value())


def token_keys(settings: Settings) -> Keys | None:
    """The keys to verify tokens with; None if none are configured. Raises `WrongSettingError`."""
    own, path, url = signing_key(settings), settings.token_jwks_file, settings.token_jwks_url
    if own is None and path is None and url is None:
        return None
    if url is not None and not url.startswith(("https://", "http://")):
        raise WrongSettingError("INVOICING_TOKEN_JWKS_URL is wrong: it must begin with https://.")
    fixed = [own.public()] if own else []
    if path is not None:
        try:
            in_file = _usable(orjson.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError, PyJWTError) as error:
            raise WrongSettingError(
                f"INVOICING_TOKEN_JWKS_FILE: {path} cannot be used: {_reason(error)}"
            ) from None
        if not in_file:
            raise WrongSettingError(f"INVOICING_TOKEN_JWKS_FILE: {path} holds no usable key.")
        fixed += in_file
    return Keys(fixed, url)


def _private_key(pem: str) -> tuple[PrivateKey, str]:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        raise WrongSettingError(
            "INVOICING_TOKEN_SIGNING_KEY is not a valid PEM private key."
        ) from None
    if isinstance(key, Ed25519PrivateKey):
        return key, "EdDSA"
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key, "ES256"
    if isinstance(key, RSAPrivateKey) and key.key_size >= 2048:
        return key, "RS256"
    raise WrongSettingError(
        "INVOICING_TOKEN_SIGNING_KEY is wrong: it must be an Ed25519 key, a P-256 key, or an RSA"
        " key of at least 2048 bits."
    )


def _usable(jwks: Mapping[str, Any]) -> list[jwt.PyJWK]:
    """The public keys of a set (RFC 7517) with an accepted algorithm."""
    if not isinstance(jwks, dict) or not isinstance(jwks.get("keys"), list):
        raise PyJWKSetError("it is not a JSON Web Key Set")
    keys = []
    for entry in jwks["keys"]:
        try:
            key = jwt.PyJWK(entry)
        except (PyJWTError, AttributeError, TypeError):
            continue  # an unknown kind of key; the others are usable
        if key.algorithm_name in ALGORITHMS:
            keys.append(key)
    return keys


def _named(keys: Iterable[jwt.PyJWK], key_id: str | None, algorithm: object) -> jwt.PyJWK | None:
    """The key of this id and algorithm."""
    if key_id is None:
        return None
    fitting = (key for key in keys if (key.key_id, key.algorithm_name) == (key_id, algorithm))
    return next(fitting, None)


def _only(keys: Iterable[jwt.PyJWK], key_id: str | None, algorithm: object) -> jwt.PyJWK | None:
    """The algorithm's only key (repeats count once), unless the token names another."""
    fitting = [key for key in keys if key.algorithm_name == algorithm]
    if not fitting or any(key.key != fitting[0].key for key in fitting):
        return None
    return fitting[0] if key_id is None or fitting[0].key_id is None else None


def _reason(error: Exception) -> str:
    """Why public keys cannot be read, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
