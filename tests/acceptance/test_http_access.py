"""Access over HTTP: valid and forged tokens, isolation of sellers, rate limits."""

import asyncio
import base64
import hmac
import json
import re
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from invoicing.api.auth.clients import READ, hash_secret
from invoicing.api.auth.keys import SigningKey
from tests.support.service.commands import create_invoice, invoice_id
from tests.support.service.http import Api, new_key, running_api, started_api
from tests.support.service.service import Service

INVOICE: dict[str, Any] = {"customer_id": "cus_1", "currency": "USD", "items": [{"amount": "1"}]}


def claims(**changes: Any) -> dict[str, Any]:
    whole = {
        "iss": "invoicing",
        "aud": "invoicing",
        "sub": "tests",
        "seller_id": "*",
        "scope": "invoices:read invoices:write",
        "exp": int(time.time()) + 600,
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def signed(api: Api, payload: dict[str, Any], **headers: Any) -> str:
    private = load_pem_private_key(api.pem.encode(), password=None)
    assert isinstance(private, Ed25519PrivateKey)
    return jwt.encode(payload, private, "EdDSA", headers={"kid": SigningKey(api.pem).id, **headers})


def public_bytes(api: Api) -> bytes:
    private = load_pem_private_key(api.pem.encode(), password=None)
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def by_hand(api: Api, algorithm: str, secret: bytes | None) -> str:
    """What no library would sign."""
    head = {"alg": algorithm, "typ": "JWT", "kid": SigningKey(api.pem).id}
    parts = (encoded(json.dumps(part).encode()) for part in (head, claims()))
    message = ".".join(parts)
    signature = hmac.digest(secret, message.encode(), "sha256") if secret else b""
    return f"{message}.{encoded(signature)}"


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def of_another_key(api: Api, **headers: Any) -> str:
    return jwt.encode(
        claims(),
        load_pem_private_key(new_key().encode(), password=None),  # type: ignore[arg-type]
        "EdDSA",
        headers={"kid": SigningKey(api.pem).id, **headers},
    )


FORGERIES = {
    "no token at all": lambda _: "x.y.z",
    "alg none": lambda api: by_hand(api, "none", None),
    "HS256 with the public key": lambda api: by_hand(api, "HS256", public_bytes(api)),
    "another key under our id": of_another_key,
    "an unknown key": lambda api: of_another_key(api, kid="made-up"),
    "another issuer": lambda api: signed(api, claims(iss="somebody")),
    "another audience": lambda api: signed(api, claims(aud="something")),
    "no audience": lambda api: signed(api, claims(aud=None)),
    "expired": lambda api: signed(api, claims(exp=int(time.time()) - 3600)),
    "never expires": lambda api: signed(api, claims(exp=None)),
    "not yet good": lambda api: signed(api, claims(nbf=int(time.time()) + 3600)),
    "of no seller": lambda api: signed(api, claims(seller_id=None)),
    "of all sellers in a list": lambda api: signed(api, claims(seller_id=["*"])),
    "of nobody": lambda api: signed(api, claims(sub=None)),
    "too long": lambda api: signed(api, claims(more="x" * 9_000)),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
async def test_a_token_that_is_not_good_opens_nothing(api: Api, forge: Any) -> None:
    async with api.connect(forge(api)) as http:
        responses = [await http.get(path) for path in ("/v1/invoices", "/v1/events")]

    for response in responses:
        assert (response.status_code, response.json()["code"]) == (401, "invalid_token")
        assert response.headers["www-authenticate"].startswith("Bearer")


async def test_no_token_opens_nothing(api: Api) -> None:
    async with httpx.AsyncClient(base_url=api.url) as http:
        response = await http.get("/v1/invoices")

    assert (response.status_code, response.json()["code"]) == (401, "invalid_token")


async def test_a_good_token_of_other_words_is_good(api: Api) -> None:
    async with api.connect(signed(api, claims())) as http:
        assert (await http.get("/v1/invoices")).status_code == 200


async def test_who_may_read_may_not_write(api: Api) -> None:
    async with api.connect(api.token(scopes=frozenset({READ}))) as http:
        response = await http.post("/v1/invoices", json=INVOICE)
        read = await http.get("/v1/invoices")

    assert (response.status_code, response.json()["code"]) == (403, "insufficient_scope")
    assert 'scope="invoices:write"' in response.headers["www-authenticate"]
    assert read.status_code == 200


@pytest.fixture
async def seller(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    """A client of one seller."""
    async with api.connect(api.token(client="shop", seller="seller_1")) as client:
        yield client


async def test_a_seller_makes_its_own_invoices(seller: httpx.AsyncClient) -> None:
    response = await seller.post("/v1/invoices", json=INVOICE)

    assert (response.status_code, response.json()["seller_id"]) == (201, "seller_1")


async def test_a_seller_makes_nobody_elses_invoices(seller: httpx.AsyncClient) -> None:
    response = await seller.post("/v1/invoices", json={**INVOICE, "seller_id": "seller_2"})

    assert (response.status_code, response.json()["code"]) == (403, "forbidden_seller")


async def test_another_sellers_invoice_is_as_if_it_were_not(
    seller: httpx.AsyncClient, api: Api
) -> None:
    other, missing = invoice_id(), invoice_id()
    await api.service.ask(create_invoice(other, seller_id="seller_2"))

    for method, path in (("GET", ""), ("POST", "/void"), ("PATCH", ""), ("DELETE", "")):
        # The same request id, which is the one thing that would differ.
        headers = {"X-Request-Id": "same"}
        theirs = await seller.request(method, f"/v1/invoices/{other}{path}", headers=headers)
        none = await seller.request(method, f"/v1/invoices/{missing}{path}", headers=headers)
        assert (theirs.status_code, theirs.content) == (404, none.content)
    assert len(api.service.events_of(other)) == 2


async def test_a_taken_id_tells_a_seller_nothing_of_whose_it_is(
    seller: httpx.AsyncClient, api: Api
) -> None:
    other = invoice_id()
    await api.service.ask(create_invoice(other, seller_id="seller_2"))

    response = await seller.post("/v1/invoices", json={**INVOICE, "invoice_id": other})

    assert response.status_code == 409
    assert not response.json().keys() & {"state", "version", "available_commands"}


async def test_a_seller_speaks_for_itself_only(seller: httpx.AsyncClient, api: Api) -> None:
    command = create_invoice(invoice_id(), seller_id="seller_1")

    response = await seller.post("/v1/commands", content=command.value)

    assert (response.status_code, response.json()["code"]) == (403, "forbidden_source")


async def test_the_answer_to_another_sellers_command_is_not_told(
    seller: httpx.AsyncClient, api: Api
) -> None:
    command = create_invoice(invoice_id(), seller_id="seller_2")
    await api.service.ask(command)

    response = await seller.get(f"/v1/commands/{command.id}", params={"source": command.source})

    assert (response.status_code, response.json()["code"]) == (404, "command_not_found")


REFUSED_REQUESTS: dict[str, tuple[int, dict[str, Any]]] = {
    "a body that is too large": (413, {"content": b"x" * (257 * 1024)}),
    "a body of chunks that is too large": (413, {"content": [b"x" * 65536] * 5}),
    "a body that is not JSON": (400, {"content": b"{"}),
    "a body that is not UTF-8": (400, {"content": b'{"memo": "\xff"}'}),
    "a body that is a list": (400, {"content": b"[]"}),
    "a name given twice": (400, {"content": b'{"memo": "a", "memo": "b"}'}),
    "NaN": (400, {"content": b'{"memo": NaN}'}),
    "a number out of range": (400, {"content": b'{"collection_period_days": 1e999}'}),
    "depth 10,000": (400, {"content": b"[" * 10_000 + b"]" * 10_000}),
    "another media type": (415, {"content": b"a", "headers": {"Content-Type": "text/plain"}}),
    "a second envelope in the body": (422, {"json": {**INVOICE, "expectedversion": 7}}),
    "an invoice id with a line break": (422, {"json": {**INVOICE, "invoice_id": "a\r\nb"}}),
    "an invoice id that is no text": (422, {"json": {**INVOICE, "invoice_id": 7}}),
    "a key that is empty": (400, {"json": INVOICE, "headers": {"Idempotency-Key": ""}}),
    "a version that is no version": (400, {"json": INVOICE, "headers": {"If-Match": "x"}}),
    "headers that are too large": (431, {"json": INVOICE, "headers": {"X": "x" * 20_000}}),
    "an address that is too long": (414, {"json": INVOICE, "params": {"x": "x" * 9_000}}),
    "an answer in XML": (406, {"json": INVOICE, "headers": {"Accept": "application/xml"}}),
}


@pytest.mark.parametrize(("status", "request_"), REFUSED_REQUESTS.values(), ids=REFUSED_REQUESTS)
async def test_a_request_over_the_limits_is_refused(
    api: Api, status: int, request_: dict[str, Any]
) -> None:
    content = request_.get("content")
    if isinstance(content, list):
        request_ = {**request_, "content": chunks(content)}
    async with api.connect() as http:
        response = await http.post("/v1/invoices", **request_)

    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-content-type-options"] == "nosniff"


async def chunks(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.mark.parametrize(
    "path",
    [
        "/v1/invoices/%2e%2e%2fhealth",
        "/v1/invoices/..%2f..%2fetc%2fpasswd",
        "/v1/invoices/inv_1%00",
        "/v1/invoices/inv_1'%20OR%20'1'='1",
        "/v1/invoices//",
        "/V1/invoices",
        "/docs/..%2f..%2fsettings.py",
        "/v1/invoices/" + "x" * 65,
    ],
)
async def test_a_path_that_plays_tricks_leads_nowhere(api: Api, path: str) -> None:
    async with api.connect() as http:
        response = await http.get(path)

    assert response.status_code == 404


async def test_a_method_that_is_not_there_is_told_which_are(api: Api) -> None:
    async with api.connect() as http:
        response = await http.put("/v1/invoices")

    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


async def test_a_header_cannot_be_smuggled_into_a_response(api: Api) -> None:
    async with api.connect() as http:
        response = await http.post(
            "/v1/invoices",
            json=INVOICE,
            headers={"Prefer": "wait=0", "Idempotency-Key": "a%0D%0AX-Forged: 1"},
        )

    assert response.status_code == 202, response.text
    location, _, position = response.headers["location"].partition("&sent_to=")
    assert location == "/v1/commands/a%250D%250AX-Forged%3A%201?source=tests"
    assert re.fullmatch("[0-9]+-[0-9]+", position)
    assert "x-forged" not in response.headers


async def test_pages_from_elsewhere_may_not_ask_unless_it_is_set(api: Api) -> None:
    headers = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}

    async with api.connect() as http:
        response = await http.options("/v1/invoices", headers=headers)

    assert "access-control-allow-origin" not in response.headers


async def test_clients_of_a_file_get_tokens_for_their_secrets(service: Service) -> None:
    clients = service.directory / "clients.toml"
    clients.write_text(
        f'[clients.shop]\nsecret_hash = "{hash_secret("s3cret")}"\nseller_id = "seller_1"\n'
        'scopes = ["invoices:read"]\n'
    )
    form = {"grant_type": "client_credentials", "client_id": "shop", "client_secret": "s3cret"}
    async with running_api(service, INVOICING_CLIENTS_FILE=str(clients)) as api:
        async with httpx.AsyncClient(base_url=api.url) as http:
            given = await http.post("/oauth/token", data=form)
            basic = await http.post(
                "/oauth/token", data={"grant_type": "client_credentials"}, auth=("shop", "s3cret")
            )
            wrong = await http.post("/oauth/token", data={**form, "client_secret": "guess"})
            unknown = await http.post("/oauth/token", data={**form, "client_id": "nobody"})
            wider = await http.post("/oauth/token", data={**form, "scope": "invoices:write"})
            other = await http.post("/oauth/token", data={**form, "grant_type": "password"})
        async with api.connect(given.json()["access_token"]) as http:
            read = await http.get("/v1/invoices")
            written = await http.post("/v1/invoices", json=INVOICE)

    assert given.json()["scope"] == "invoices:read"
    assert basic.status_code == 200
    assert (wrong.status_code, wrong.json()) == (unknown.status_code, unknown.json())
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert (wider.status_code, wider.json()["error"]) == (400, "invalid_scope")
    assert (other.status_code, other.json()["error"]) == (400, "unsupported_grant_type")
    assert (read.status_code, written.status_code) == (200, 403)


async def test_who_asks_too_often_is_told_to_wait(service: Service) -> None:
    async with (
        running_api(service, INVOICING_HTTP_REQUESTS_PER_SECOND_MAX="2") as api,
        api.connect() as http,
    ):
        responses = [await http.get("/v1/invoices") for _ in range(8)]
        async with api.connect(api.token(client="another")) as other:
            unharmed = await other.get("/v1/invoices")

    last = responses[-1]
    assert (last.status_code, last.json()["code"]) == (429, "too_many_requests")
    assert int(last.headers["retry-after"]) >= 1
    assert unharmed.status_code == 200


async def test_without_keys_only_this_machine_is_served(service: Service) -> None:
    async with (
        running_api(service, INVOICING_TOKEN_SIGNING_KEY="") as api,
        httpx.AsyncClient(base_url=api.url) as http,
    ):
        here = await http.get("/v1/invoices")
        rebound = await http.get("/v1/invoices", headers={"Host": "evil.example"})

    assert here.status_code == 200
    assert rebound.status_code == 400


async def test_without_keys_others_are_not_listened_to(service: Service) -> None:
    with started_api(service, INVOICING_TOKEN_SIGNING_KEY="", INVOICING_HTTP_HOST="0.0.0.0") as api:
        code = await asyncio.to_thread(api.process.wait, 60)

    assert code == 1
    assert "INVOICING_HTTP_HOST" in api.log
    with socket.socket() as attempt:
        assert attempt.connect_ex(("127.0.0.1", api.port)) != 0
