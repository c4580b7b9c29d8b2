"""The registered clients that the token endpoint serves, from a file of hashed secrets.

[clients.orders]
secret_hash = "$argon2id$..."   # `invoicing client-secret` makes one
scopes = ["invoices:read", "invoices:write"]
seller_id = "*"
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from invoicing.runtime.settings import WrongSettingError

READ: Final = "invoices:read"
WRITE: Final = "invoices:write"
SCOPES: Final[Mapping[str, str]] = {
    READ: "Read invoices, their history and the feed.",
    WRITE: "Send commands.",
}
ALL_SELLERS: Final = "*"

_hasher = PasswordHasher()


class RegisteredClient(BaseModel):
    """A client of the file. It sees the invoices of `seller_id` only; `*` is all sellers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret_hash: Annotated[str, StringConstraints(pattern=r"^\$argon2id\$")]
    scopes: frozenset[str] = frozenset(SCOPES)
    seller_id: Annotated[str, Field(min_length=1, max_length=500)]


RegisteredClients = Mapping[str, RegisteredClient]

_ClientId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]{1,128}$")]
_FILE = TypeAdapter(dict[_ClientId, RegisteredClient])


def hash_secret(secret: str) -> str:
    """The hash of a secret for the file (Argon2id, RFC 9106)."""
    return _hasher.hash(secret)


# Verified for unknown clients, so that response times do not reveal which clients exist.
_NOBODY: Final = RegisteredClient(secret_hash=hash_secret("nobody"), seller_id="nobody")


def read_clients(path: Path) -> RegisteredClients:
    """The clients of a file. Raises `WrongSettingError`."""
    try:
        return _FILE.validate_python(tomllib.loads(path.read_text("utf-8")).get("clients", {}))
    except OSError as error:
        reason = error.strerror or "it cannot be read"
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except ValueError as error:
        reason = str(error)
    raise WrongSettingError(f"INVOICING_CLIENTS_FILE: {path} cannot be used: {reason}")


def authenticate(
    clients: RegisteredClients, client_id: str, secret: str
) -> RegisteredClient | None:
    """The client, or None if the id or the secret is wrong. Takes some 50 ms by design."""
    client = clients.get(client_id, _NOBODY)
    try:
        _hasher.verify(client.secret_hash, secret)
    except (VerificationError, InvalidHashError):
        return None
    return None if client is _NOBODY else client
