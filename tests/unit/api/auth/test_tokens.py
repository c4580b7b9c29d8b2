"""Keys and tokens: which keys are taken, when they are asked for anew, what they open."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from invoicing.api.auth import keys as keys_module
from invoicing.api.auth.keys import (
    KEYS_LIFETIME_SECONDS,
    REFRESH_INTERVAL_SECONDS,
    Keys,
    KeysUnavailableError,
    SigningKey,
    token_keys,
)
from invoicing.api.auth.tokens import Client, InvalidTokenError, Tokens, issue
from invoicing.runtime.settings import Settings, WrongSettingError, read_settings
from tests.support.service.http import new_key

EDDSA = "EdDSA"
CLIENT = Client("orders", "seller_1", frozenset({"invoices:read"}), expires_at=None)


class Issuer:
    """Publishes keys over HTTP, and counts how often it is asked."""

    def __init__(self) -> None:
        self.keys: list[SigningKey] = []
        self.is_up = True
        self.asked = 0
        self._server = HTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/jwks"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                body = json.dumps(jwks(*issuer.keys)).encode()
                self.send_response(200 if issuer.is_up else 500)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


def jwks(*keys: SigningKey) -> dict[str, Any]:
    # A key of a kind that nobody here knows must not make the others useless.
    unknown = {"kty": "quantum", "kid": "future"}
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "secret", "alg": "HS256"}
    return {"keys": [unknown, secret, *(key.public()._jwk_data for key in keys)]}


def nameless(key: SigningKey) -> jwt.PyJWK:
    """The key as an issuer publishes it who gives keys no ids."""
    return jwt.PyJWK(
        {name: value for name, value in key.public()._jwk_data.items() if name != "kid"}
    )


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.close()


@pytest.fixture
def time_passes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets a monotonic clock go on by so many seconds."""
    offset = [0.0]
    real = time.monotonic
    monkeypatch.setattr(keys_module.time, "monotonic", lambda: real() + offset[0])

    def go_on(seconds: float) -> None:
        offset[0] += seconds

    return go_on


def settings_for(**given: Any) -> Settings:
    return read_settings({}, **given)


async def test_a_token_stands_for_its_client() -> None:
    pem = new_key()
    settings = settings_for(token_signing_key=pem)
    keys = token_keys(settings)
    assert keys is not None

    client = await Tokens(settings, keys).verify(issue(SigningKey(pem), settings, CLIENT, 60))

    assert (client.id, client.seller_id, client.scopes) == (
        "orders", "seller_1", {"invoices:read"},
    )  # fmt: skip
    assert not client.sees_all


async def test_a_key_that_the_issuer_adds_is_found(issuer: Issuer, time_passes: Any) -> None:
    first, second = SigningKey(new_key()), SigningKey(new_key())
    issuer.keys = [first]
    keys = Keys([], issuer.url)
    assert await keys.find(first.id, EDDSA) is not None

    issuer.keys = [first, second]
    time_passes(REFRESH_INTERVAL_SECONDS + 1)

    assert await keys.find(second.id, EDDSA) is not None


async def test_a_key_that_the_issuer_takes_away_is_not_good_any_more(
    issuer: Issuer, time_passes: Any
) -> None:
    old = SigningKey(new_key())
    issuer.keys = [old]
    keys = Keys([], issuer.url)
    await keys.find(old.id, EDDSA)

    issuer.keys = []
    time_passes(KEYS_LIFETIME_SECONDS + 1)

    assert await keys.find(old.id, EDDSA) is None


async def test_made_up_key_ids_do_not_make_us_ask_each_time(issuer: Issuer) -> None:
    issuer.keys = [SigningKey(new_key())]
    keys = Keys([], issuer.url)

    found = [await keys.find(f"made-up-{number}", EDDSA) for number in range(100)]

    assert found == [None] * 100
    assert issuer.asked == 1


async def test_known_keys_are_good_while_the_issuer_is_away(
    issuer: Issuer, time_passes: Any
) -> None:
    key = SigningKey(new_key())
    issuer.keys = [key]
    keys = Keys([], issuer.url)
    await keys.find(key.id, EDDSA)

    issuer.is_up = False
    time_passes(KEYS_LIFETIME_SECONDS + 1)

    assert await keys.find(key.id, EDDSA) is not None


async def test_without_any_keys_it_is_the_issuers_outage(issuer: Issuer) -> None:
    issuer.is_up = False

    with pytest.raises(KeysUnavailableError):
        await Keys([], issuer.url).find("any", EDDSA)


async def test_a_published_secret_is_no_key(issuer: Issuer) -> None:
    settings = settings_for()
    forged = jwt.encode(
        {"iss": "invoicing", "aud": "invoicing", "exp": time.time() + 60, "seller_id": "*"},
        b"secret" * 6,
        "HS256",
        headers={"kid": "secret"},
    )

    with pytest.raises(InvalidTokenError):
        await Tokens(settings, Keys([], issuer.url)).verify(forged)


async def test_a_token_that_names_no_key_is_of_the_only_one_for_its_algorithm(
    issuer: Issuer,
) -> None:
    settings, key = settings_for(), SigningKey(new_key())
    issuer.keys = [key]
    token = unnamed_token(key)

    client = await Tokens(settings, Keys([of_another_algorithm()], issuer.url)).verify(token)

    assert client.id == "orders"


async def test_a_token_that_names_no_key_is_refused_where_it_may_be_of_two(issuer: Issuer) -> None:
    key = SigningKey(new_key())
    issuer.keys = [key, SigningKey(new_key())]

    with pytest.raises(InvalidTokenError):
        await Tokens(settings_for(), Keys([], issuer.url)).verify(unnamed_token(key))


async def test_a_token_that_names_no_key_is_not_good_by_another_one(issuer: Issuer) -> None:
    issuer.keys = [SigningKey(new_key())]

    with pytest.raises(InvalidTokenError):
        await Tokens(settings_for(), Keys([], issuer.url)).verify(
            unnamed_token(SigningKey(new_key()))
        )


async def test_the_same_key_from_two_places_is_one(issuer: Issuer) -> None:
    key = SigningKey(new_key())
    issuer.keys = [key]

    assert await Keys([key.public()], issuer.url).find(None, EDDSA) is not None


async def test_the_only_key_is_taken_under_any_id_where_it_has_none() -> None:
    key = nameless(SigningKey(new_key()))

    assert await Keys([key], None).find("any", EDDSA) is key


async def test_of_two_keys_without_ids_neither_is_taken() -> None:
    keys = Keys([nameless(SigningKey(new_key())) for _ in range(2)], None)

    assert [await keys.find(key_id, EDDSA) for key_id in ("any", None)] == [None, None]


async def test_the_only_key_is_not_taken_under_another_id_than_its_own() -> None:
    assert await Keys([SigningKey(new_key()).public()], None).find("other", EDDSA) is None


async def test_an_algorithm_that_is_not_taken_has_no_key_and_asks_nobody(issuer: Issuer) -> None:
    key = SigningKey(new_key())
    issuer.keys = [key]
    keys = Keys([], issuer.url)

    found = [await keys.find(key.id, name) for name in ("none", "HS256", "RS512", None)]

    assert found == [None] * 4
    assert issuer.asked == 0


def unnamed_token(key: SigningKey) -> str:
    """A token of the client whose header says nothing of its key."""
    claims = jwt.decode(issue(key, settings_for(), CLIENT, 60), options={"verify_signature": False})
    return jwt.encode(claims, key._key, key.algorithm)


def of_another_algorithm() -> jwt.PyJWK:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return SigningKey(pem.decode()).public()


async def test_keys_of_a_file_are_good(tmp_path: Path) -> None:
    key = SigningKey(new_key())
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(jwks(key)))

    keys = token_keys(settings_for(token_jwks_file=path))

    assert keys is not None
    assert await keys.find(key.id, EDDSA) is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("token_signing_key", "not a key"),
        ("token_jwks_url", "file:///etc/passwd"),
        ("token_jwks_file", Path("/does/not/exist")),
    ],
)
def test_a_setting_that_gives_no_key_is_named(name: str, value: Any) -> None:
    with pytest.raises(WrongSettingError, match=f"INVOICING_{name.upper()}"):
        token_keys(settings_for(**{name: value}))
