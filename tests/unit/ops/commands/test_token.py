"""`invoicing token` and `invoicing client-secret`, as an operator uses them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from invoicing.api.auth.clients import authenticate, read_clients
from invoicing.api.auth.keys import token_keys
from invoicing.api.auth.tokens import Tokens
from invoicing.ops.main import app
from invoicing.runtime.settings import WrongSettingError, read_settings
from tests.support.service.http import new_key

RUNNER = CliRunner()


async def test_a_token_of_the_command_line_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOICING_TOKEN_SIGNING_KEY", new_key())
    arguments = ["token", "--client", "shop", "--seller", "seller_1", "--scope", "invoices:read"]

    made = RUNNER.invoke(app, arguments).stdout.strip()

    settings = read_settings()
    keys = token_keys(settings)
    assert keys is not None
    client = await Tokens(settings, keys).verify(made)
    assert (client.id, client.seller_id, client.scopes) == ("shop", "seller_1", {"invoices:read"})


def test_without_a_key_it_says_how_to_make_one() -> None:
    result = RUNNER.invoke(app, ["token"])

    assert isinstance(result.exception, WrongSettingError)
    assert "openssl genpkey" in str(result.exception)


def test_a_secret_of_the_command_line_is_good_for_the_file(tmp_path: Path) -> None:
    made = json.loads(RUNNER.invoke(app, ["client-secret", "--json"]).stdout)
    path = tmp_path / "clients.toml"
    path.write_text(f"[clients.shop]\nsecret_hash = '{made['secret_hash']}'\nseller_id = 'a'\n")

    clients = read_clients(path)

    assert authenticate(clients, "shop", made["client_secret"]) is not None
    assert authenticate(clients, "shop", "guess") is None
    assert authenticate(clients, "nobody", made["client_secret"]) is None


@pytest.mark.parametrize(
    "text",
    [
        "[clients.shop]\nseller_id = 'a'\n",
        "[clients.shop]\nsecret_hash = 'plain'\nseller_id = 'a'\n",
        "not toml",
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "clients.toml"
    path.write_text(text)

    with pytest.raises(WrongSettingError, match="INVOICING_CLIENTS_FILE"):
        read_clients(path)
