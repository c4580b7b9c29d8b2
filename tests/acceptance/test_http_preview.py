"""Previews over HTTP: what a command would lead to, with nothing stored and nothing sent."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.support.service.commands import create_invoice, invoice_id
from tests.support.service.http import Api

INVOICE: dict[str, Any] = {
    "customer_id": "cus_42",
    "currency": "USD",
    "due_date": "2030-12-20",
    "items": [{"description": "Pro plan", "unit_price": "100.00", "tax": {"rate": "0.2"}}],
}


@pytest.fixture
async def http(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.connect() as client:
        yield client


def command(command_type: str, subject: str, **more: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "type": command_type, "subject": subject, **more}


async def test_a_preview_shows_the_reply_events_and_invoice_and_stores_nothing(
    http: httpx.AsyncClient,
) -> None:
    subject = invoice_id()

    response = await http.post("/v1/preview", json=command("CreateInvoice", subject, data=INVOICE))

    assert response.status_code == 200, response.text
    shown = response.json()
    assert shown["answer"]["type"] == "command.accepted"
    assert [event["type"] for event in shown["events"]] == ["invoice.created", "invoice.opened"]
    assert (shown["invoice"]["total"], shown["invoice"]["invoice_number"]) == ("120.00", None)
    assert shown["invoice"]["status"] == "upcoming"
    assert (await http.get(f"/v1/invoices/{subject}")).status_code == 404


async def test_a_preview_and_the_command_lead_to_the_same(http: httpx.AsyncClient) -> None:
    made = (await http.post("/v1/invoices", json=INVOICE)).json()
    data = {"payment_id": "pay_1", "amount": "150.00"}
    envelope = command("RecordPayment", made["invoice_id"], id=uuid.uuid4().hex, data=data)

    shown = (await http.post("/v1/preview", json=envelope)).json()
    done = await http.post("/v1/commands", json=envelope)

    assert shown["answer"]["data"] == done.json()["data"]
    now = (await http.get(f"/v1/invoices/{made['invoice_id']}")).json()
    amounts = ("state", "amount_paid", "amount_due", "amount_overpaid", "version")
    assert {name: shown["invoice"][name] for name in amounts} == {n: now[n] for n in amounts}


async def test_a_rejected_preview_says_why(http: httpx.AsyncClient) -> None:
    made = (await http.post("/v1/invoices", json=INVOICE)).json()
    envelope = command("VoidInvoice", made["invoice_id"], expectedversion=1)

    response = await http.post("/v1/preview", json=envelope)

    assert response.status_code == 200, response.text
    assert response.json()["answer"]["data"]["code"] == "version_conflict"
    assert (response.json()["events"], response.json()["invoice"]["state"]) == ([], "open")


async def test_an_envelope_that_is_none_is_no_preview(http: httpx.AsyncClient) -> None:
    envelope = command("VoidInvoice", invoice_id(), time={"at": "noon"})

    response = await http.post("/v1/preview", json=envelope)

    assert (response.status_code, response.json()["code"]) == (422, "invalid_command")
    assert [error["field"] for error in response.json()["errors"]] == ["time"]


async def test_a_preview_does_not_show_another_sellers_invoice(api: Api) -> None:
    theirs = invoice_id()
    await api.service.ask(create_invoice(theirs, seller_id="seller_2"))
    async with api.connect(api.token(client="shop", seller="seller_1")) as http:
        change = await http.post("/v1/preview", json=command("VoidInvoice", theirs))
        taken = await http.post(
            "/v1/preview",
            json=command("CreateInvoice", theirs, data={**INVOICE, "seller_id": "seller_1"}),
        )

    assert change.status_code == 404
    assert taken.json()["answer"]["data"]["code"] == "invoice_already_exists"
    assert taken.json()["answer"]["data"]["state"] is None
    assert taken.json()["invoice"] is None


async def test_previews_are_limited_for_each_client(api: Api) -> None:
    async with api.connect(api.token(client="hasty")) as http:
        codes = [
            (await http.post("/v1/preview", json=command("VoidInvoice", "inv_none"))).status_code
            for _ in range(30)
        ]

    assert codes[0] == 200
    assert 429 in codes


async def test_a_preview_needs_the_scope_to_write(api: Api) -> None:
    async with api.connect(api.token(scopes=frozenset({"invoices:read"}))) as http:
        response = await http.post("/v1/preview", json=command("VoidInvoice", "inv_none"))

    assert (response.status_code, response.json()["code"]) == (403, "insufficient_scope")
