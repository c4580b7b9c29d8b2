"""`invoicing token` and `invoicing client-secret`: access to try things out, and for clients."""

import secrets
from typing import Annotated

import orjson
import typer

from invoicing.api.auth.clients import ALL_SELLERS, SCOPES, hash_secret
from invoicing.api.auth.keys import signing_key
from invoicing.api.auth.tokens import Client, issue
from invoicing.ops.support.console import print_line, print_note
from invoicing.runtime.settings import WrongSettingError, read_settings

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for a program to read.")]


def token(
    client: Annotated[str, typer.Option(help="Whom it stands for: the source of commands.")] = "me",
    seller: Annotated[
        str, typer.Option(help="Whose invoices it shows; * for all sellers'.")
    ] = ALL_SELLERS,
    scope: Annotated[
        list[str] | None, typer.Option(help="What it is good for; by default everything.")
    ] = None,
    seconds: Annotated[
        int | None, typer.Option(min=1, help="How long; by default as the setting says.")
    ] = None,
) -> None:
    """Make a bearer token, by the key that INVOICING_TOKEN_SIGNING_KEY holds.

    A key to try things out with: `openssl genpkey -algorithm ed25519 -out key.pem`, and
    INVOICING_TOKEN_SIGNING_KEY_FILE=key.pem here and for `invoicing api`.
    """
    settings = read_settings()
    key = signing_key(settings)
    if key is None:
        raise WrongSettingError(
            "INVOICING_TOKEN_SIGNING_KEY is not set. `openssl genpkey -algorithm ed25519 -out"
            " key.pem` makes a key; INVOICING_TOKEN_SIGNING_KEY_FILE=key.pem takes it from there."
        )
    unknown = set(scope or ()) - SCOPES.keys()
    if unknown:
        raise typer.BadParameter(f"there is no scope {' '.join(sorted(unknown))}")
    stands_for = Client(client, seller, frozenset(scope or SCOPES), expires_at=None)
    print_line(issue(key, settings, stands_for, seconds or settings.token_lifetime_seconds))


def client_secret(as_json: AsJson = False) -> None:
    """Make a secret for a client, and the hash of it that INVOICING_CLIENTS_FILE holds."""
    secret = secrets.token_urlsafe(32)
    made = {"client_secret": secret, "secret_hash": hash_secret(secret)}
    if as_json:
        print_line(orjson.dumps(made).decode())
    else:
        print_line(f"client_secret  {made['client_secret']}")
        print_line(f"secret_hash    {made['secret_hash']}")
        print_note("The secret is for the client alone; the hash is for the file.")
