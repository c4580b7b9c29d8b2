"""The registered clients that the token endpoint serves, from a file of hashed secrets.

[clients.orders]
secret_hash = "$argon2id$..."   # `invoicing client-secret` makes one
scopes = ["invoices:read", "invoices:write"]
seller_id = "*"
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from invoicing.runtime.toml_files import read_toml_file

READ: Final = "invoices:read"
WRITE: Final = "invoices:write"
SCOPES: Final[Mapping[str, str]] = {
    READ: "Read invoices, their history and the feed.",
    WRITE: "Send commands.",
}
ALL_SELLERS: Final = "*"

_hasher = PasswordHasher()


def _check_scope(scope: str) -> str:
    if scope not in SCOPES:
        raise ValueError(f"must be {' or '.join(SCOPES)}")
    return scope


class RegisteredClient(BaseModel):
    """A client of the file. It sees the invoices of `seller_id` only; `*` is all sellers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret_hash: str = Field(
        pattern=r"^\$argon2id\$",
        description="Hash of the client's secret, as `invoicing client-secret` prints it.",
    )
    scopes: frozenset[Annotated[str, AfterValidator(_check_scope)]] = Field(
        frozenset(SCOPES), description=f"What it may do: {', '.join(SCOPES)}."
    )
    seller_id: str = Field(
        min_length=1,
        max_length=500,
        description="The seller whose invoices it sees; `*` for all sellers.",
    )


RegisteredClients = Mapping[str, RegisteredClient]

_ClientId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]{1,128}$")]


class ClientsFile(BaseModel):
    """The file of clients: a table `[clients.ID]` for each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clients: dict[_ClientId, RegisteredClient]


def hash_secret(secret: str) -> str:
    """The hash of a secret for the file (Argon2id, RFC 9106)."""
    return _hasher.hash(secret)


@cache
def _nobody() -> RegisteredClient:
    """Verified for unknown clients, so that response times do not reveal which clients exist."""
    return RegisteredClient(secret_hash=hash_secret("nobody"), seller_id="nobody")


def read_clients(path: Path) -> RegisteredClients:
    """The clients of a file. Raises `WrongSettingError`."""
    # Computed now, or the first request for an unknown client would take longer than others.
    _nobody()
    return read_toml_file("CLIENTS_FILE", path, ClientsFile).clients


def authenticate(
    clients: RegisteredClients, client_id: str, secret: str
) -> RegisteredClient | None:
    """The client, or None if the id or the secret is wrong. Takes some 50 ms by design."""
    client = clients.get(client_id, _nobody())
    try:
        _hasher.verify(client.secret_hash, secret)
    except (VerificationError, InvalidHashError):
        return None
    return None if client is _nobody() else client
