"""`invoicing token` and `invoicing client-secret`: credentials for trials and for clients."""

from typing import Annotated

import typer

from invoicing.ops.support.options import AsJson


def token(
    client: Annotated[str, typer.Option(help="The client: the source of its commands.")] = "me",
    seller: Annotated[
        str, typer.Option(help="The seller whose invoices it may see; * for all sellers.")
    ] = "*",
    scope: Annotated[
        list[str] | None, typer.Option(help="A scope; may be repeated. All scopes by default.")
    ] = None,
    seconds: Annotated[
        int | None,
        typer.Option(min=1, help="Its lifetime; INVOICING_TOKEN_LIFETIME_SECONDS by default."),
    ] = None,
) -> None:
    """Create a bearer token.

    It is signed with INVOICING_TOKEN_SIGNING_KEY. To create a key for trials, run `openssl genpkey
    -algorithm ed25519 -out key.pem`, and set INVOICING_TOKEN_SIGNING_KEY_FILE=key.pem here and for
    `invoicing api`.
    """
    from invoicing.api.auth.clients import SCOPES
    from invoicing.api.auth.keys import signing_key
    from invoicing.api.auth.tokens import Client, issue
    from invoicing.ops.support.console import print_line
    from invoicing.runtime.settings import WrongSettingError, read_settings

    settings = read_settings()
    key = signing_key(settings)
    if key is None:
        raise WrongSettingError(
            "INVOICING_TOKEN_SIGNING_KEY is not set. Create a key with `openssl genpkey -algorithm"
            " ed25519 -out key.pem`, and set INVOICING_TOKEN_SIGNING_KEY_FILE=key.pem."
        )
    unknown = set(scope or ()) - SCOPES.keys()
    if unknown:
        raise typer.BadParameter(
            f"unknown scope {' '.join(sorted(unknown))}; the scopes are {' '.join(sorted(SCOPES))}"
        )
    identity = Client(client, seller, frozenset(scope or SCOPES), expires_at=None)
    print_line(issue(key, settings, identity, seconds or settings.token_lifetime_seconds))


def client_secret(as_json: AsJson = False) -> None:
    """Create a client's secret and its hash.

    The hash is for INVOICING_CLIENTS_FILE, the secret for the client alone.
    """
    import secrets

    import orjson

    from invoicing.api.auth.clients import hash_secret
    from invoicing.ops.support.console import print_line, print_note

    secret = secrets.token_urlsafe(32)
    created = {"client_secret": secret, "secret_hash": hash_secret(secret)}
    if as_json:
        print_line(orjson.dumps(created).decode())
    else:
        print_line(f"client_secret  {created['client_secret']}")
        print_line(f"secret_hash    {created['secret_hash']}")
        print_note("Give the secret to the client only; the hash goes into the file.")
