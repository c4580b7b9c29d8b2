"""Who may have a token from us: the clients of a file, by hashed secrets.

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
    WRITE: "Give commands.",
}
ALL_SELLERS: Final = "*"

_hasher = PasswordHasher()


class RegisteredClient(BaseModel):
    """One client of the file. `seller_id` fences what it sees; `*` is all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret_hash: Annotated[str, StringConstraints(pattern=r"^\$argon2id\$")]
    scopes: frozenset[str] = frozenset(SCOPES)
    seller_id: Annotated[str, Field(min_length=1, max_length=500)]


RegisteredClients = Mapping[str, RegisteredClient]

_ClientId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]{1,128}$")]
_FILE = TypeAdapter(dict[_ClientId, RegisteredClient])


def hash_secret(secret: str) -> str:
    """What the file holds of a secret (Argon2id, RFC 9106)."""
    return _hasher.hash(secret)


# Whoever guesses at names must not learn from the time that there is no such client.
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
    """The client whose secret this is; None for anybody else. Takes some 50 ms on purpose."""
    client = clients.get(client_id, _NOBODY)
    try:
        _hasher.verify(client.secret_hash, secret)
    except (VerificationError, InvalidHashError):
        return None
    return None if client is _NOBODY else client
