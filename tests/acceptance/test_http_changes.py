"""Writes over HTTP: each is a command, with its reply."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.support.service.commands import create_invoice, invoice_id, void_invoice
from tests.support.service.http import Api

ONE_LINE = {"items": [{"description": "Pro plan", "unit_price": "100.00"}]}
INVOICE: dict[str, Any] = {"customer_id": "cus_42", "currency": "USD", **ONE_LINE}


@pytest.fixture
async def http(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.connect() as client:
        yield client


async def created(http: httpx.AsyncClient, **data: Any) -> dict[str, Any]:
    response = await http.post("/v1/invoices", json={**INVOICE, **data})
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.json()
    return body


async def test_a_created_invoice_is_told_whole_with_its_address(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/invoices", json=INVOICE)

    invoice = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/v1/invoices/{invoice['invoice_id']}"
    assert response.headers["etag"] == '"2"'
    assert (invoice["state"], invoice["status"], invoice["version"]) == ("open", "upcoming", 2)
    assert (invoice["total"], invoice["amount_due"]) == ("100.00", "100.00")


async def test_a_written_invoice_can_be_read_at_once(http: httpx.AsyncClient) -> None:
    invoice = await created(http)

    read = await http.get(f"/v1/invoices/{invoice['invoice_id']}")

    assert read.json() == invoice


async def test_the_same_key_again_makes_no_second_invoice(http: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first = await http.post("/v1/invoices", json=INVOICE, headers=key)
    await http.post(f"/v1/invoices/{first.json()['invoice_id']}/void")

    again = await http.post("/v1/invoices", json=INVOICE, headers=key)

    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers


async def test_the_same_key_with_another_body_is_a_conflict(http: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    await http.post("/v1/invoices", json=INVOICE, headers=key)

    other = await http.post("/v1/invoices", json={**INVOICE, "memo": "x"}, headers=key)

    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


async def test_a_second_void_is_refused_with_what_is_possible(http: httpx.AsyncClient) -> None:
    address = f"/v1/invoices/{(await created(http))['invoice_id']}/void"
    assert (await http.post(address, json={"reason": "made twice"})).status_code == 200

    second = await http.post(address)

    problem = second.json()
    assert (second.status_code, problem["code"]) == (409, "illegal_transition")
    assert second.headers["content-type"] == "application/problem+json"
    assert (problem["state"], problem["version"]) == ("void", 3)
    assert "ArchiveInvoice" in problem["available_commands"]
    assert "VoidInvoice" not in problem["available_commands"]


async def test_what_is_invalid_is_told_field_by_field(http: httpx.AsyncClient) -> None:
    items = [{"unit_price": 100.5}]

    response = await http.post("/v1/invoices", json={**INVOICE, "items": items, "totl": "9"})

    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "invalid_command")
    assert {error["field"] for error in problem["errors"]} == {"items.0.unit_price", "totl"}


async def test_a_version_that_has_passed_fails_the_precondition(http: httpx.AsyncClient) -> None:
    invoice = await created(http)
    address = f"/v1/invoices/{invoice['invoice_id']}"
    await http.patch(address, json={"memo": "one"}, headers={"If-Match": '"2"'})

    late = await http.patch(address, json={"memo": "two"}, headers={"If-Match": '"2"'})

    # RFC 9110, 13.1.1: a precondition that fails is a 412.
    assert (late.status_code, late.json()["status"]) == (412, 412)
    assert late.json()["code"] == "version_conflict"


async def test_a_patch_merges_metadata_and_replaces_items(http: httpx.AsyncClient) -> None:
    lines = [{"id": "a", "unit_price": "1.00"}, {"id": "b", "unit_price": "2.00"}]
    invoice = await created(http, state="draft", metadata={"a": "1", "b": "2"}, items=lines)
    change = {"metadata": {"b": None, "c": "3"}, "items": lines[1:]}

    patched = await http.patch(f"/v1/invoices/{invoice['invoice_id']}", json=change)

    assert patched.json()["metadata"] == {"a": "1", "c": "3"}
    assert [item["id"] for item in patched.json()["items"]] == ["b"]


async def test_a_draft_is_updated_opened_and_paid(http: httpx.AsyncClient) -> None:
    invoice = await created(http, state="draft")
    address = f"/v1/invoices/{invoice['invoice_id']}"
    payment = {"payment_id": "pay_1", "amount": "100.00", "currency": "USD"}

    updated = await http.post(address, json={"memo": "Thank you."})
    opened = await http.post(f"{address}/open")
    paid = await http.post(f"{address}/payments", json=payment)

    assert updated.json()["memo"] == "Thank you."
    assert opened.json()["invoice_number"] is not None
    assert (paid.json()["status"], paid.json()["payments"][0]["payment_id"]) == ("paid", "pay_1")


async def test_a_deleted_draft_is_gone(http: httpx.AsyncClient) -> None:
    address = f"/v1/invoices/{(await created(http, state='draft'))['invoice_id']}"

    deleted = await http.delete(address)

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await http.get(address)).json()["code"] == "invoice_not_found"
    assert (await http.get(f"{address}/events")).json()["data"][-1]["type"] == "invoice.deleted"


async def test_a_source_is_attached_and_detached(http: httpx.AsyncClient) -> None:
    address = f"/v1/invoices/{(await created(http))['invoice_id']}/sources/src_1"

    attached = await http.post(address, json={"type": "creditCard"})
    detached = await http.delete(address)

    [source] = attached.json()["sources"]
    assert (source["source_id"], source["type"]) == ("src_1", "creditCard")
    assert detached.status_code == 204


@pytest.mark.parametrize(
    ("action", "state", "data", "expected"),
    [
        ("open", "draft", {}, {"state": "open"}),
        ("unpost", "open", {}, {"state": "draft"}),
        ("void", "open", {}, {"state": "void"}),
        ("cancel", "draft", {}, {"state": "cancelled"}),
        ("reverse", "open", {}, {"state": "reversed"}),
        ("write-off", "open", {}, {"state": "uncollectible", "amount_due": "0.00"}),
        ("archive", "open", {}, {"archived": True, "status": "archived"}),
        ("restore", "open", {}, {"archived": False, "status": "upcoming"}),
        ("send", "open", {"to": "ada@example.com"}, {"version": 3}),
        (
            "payments",
            "open",
            {"payment_id": "p", "amount": "100", "currency": "USD", "settled": False},
            {"status": "received"},
        ),
        ("credit-notes", "open", {"credit_note_id": "c", "amount": "1"}, {"amount_due": "99.00"}),
    ],
)
async def test_an_action_is_one_command(
    http: httpx.AsyncClient,
    action: str,
    state: str,
    data: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    invoice = await created(http, state=state)

    response = await http.post(f"/v1/invoices/{invoice['invoice_id']}/{action}", json=data)

    assert response.status_code == 200, response.text
    assert {name: response.json()[name] for name in expected} == expected


async def test_a_charge_is_asked_for_and_a_payment_given_back(http: httpx.AsyncClient) -> None:
    address = f"/v1/invoices/{(await created(http, source_id='src_1'))['invoice_id']}"
    payment = {"payment_id": "pay_9", "amount": "40.00", "currency": "USD"}
    refund = {"payment_id": "pay_9", "refund_id": "ref_9", "amount": "10.00"}

    paying = await http.post(f"{address}/pay", json={"amount": "5.00"})
    await http.post(f"{address}/payments", json=payment)
    refunded = await http.post(f"{address}/refunds", json=refund)

    assert paying.json()["payments"][0]["state"] == "requested"
    assert refunded.json()["amount_refunded"] == "10.00"


async def test_what_happens_to_a_payment_has_a_call_each(http: httpx.AsyncClient) -> None:
    invoice_id = (await created(http, source_id="src_1"))["invoice_id"]

    async def post(action: str, **data: str | bool) -> dict[str, Any]:
        response = await http.post(f"/v1/invoices/{invoice_id}/{action}", json=data)
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    requested = (await post("pay", source_id="src_1"))["payments"][0]["payment_id"]
    waiting = await post("payment-actions", payment_id=requested, code="confirm")
    cancelled = await post("cancel-payment-request", payment_id=requested)
    await post("payment-failures", payment_id=requested, code="declined")
    late = await post("settle-payment", payment_id=requested, amount="60")
    refund = {"payment_id": requested, "refund_id": "ref_1"}
    pending = await post("refunds", **refund, amount="10", execute=True)
    failed = await post("refund-failures", **refund, code="account_closed")
    refunded = await post("settle-refund", **refund)
    disputed = await post("disputes", payment_id=requested, dispute_id="dis_1", amount="20")
    won = await post("close-dispute", dispute_id="dis_1", outcome="won")
    returned = await post("returns", payment_id=requested, code="R01", amount="5")

    assert waiting["payments"][0]["action_code"] == "confirm"
    assert cancelled["payments"][0]["state"] == "cancelled"
    assert (late["payments"][0]["state"], late["amount_due"]) == ("settled", "40.00")
    states = [one["payments"][0]["refunds"][0]["state"] for one in (pending, failed, refunded)]
    assert states == ["pending", "failed", "settled"]
    assert (disputed["disputed"], won["disputed"]) == (True, False)
    assert (returned["amount_returned"], returned["amount_due"]) == ("5.00", "55.00")


async def test_any_command_can_be_given_as_a_cloudevent(http: httpx.AsyncClient) -> None:
    command = create_invoice(invoice_id())

    response = await http.post("/v1/commands", content=command.value)

    assert (response.status_code, response.json()["type"]) == (200, "command.accepted")
    stored = await http.get(f"/v1/commands/{command.id}", params={"source": command.source})
    assert stored.json() == response.json()


async def test_a_cloudevent_of_few_words_is_of_its_client_and_for_the_version_that_it_saw(
    api: Api,
) -> None:
    async with api.connect(api.token("shop", "seller_1")) as http:
        invoice = await created(http)
        envelope = {
            "specversion": "1.0", "type": "VoidInvoice", "subject": invoice["invoice_id"],
        }  # fmt: skip

        late = await http.post(
            "/v1/commands", json=envelope, headers={"Idempotency-Key": "late", "If-Match": '"1"'}
        )
        in_time = await http.post(
            "/v1/commands", json=envelope, headers={"Idempotency-Key": "now", "If-Match": '"2"'}
        )

    assert (late.status_code, late.json()["code"]) == (412, "version_conflict")
    assert in_time.status_code == 200, in_time.text
    assert (in_time.json()["data"]["command_source"], in_time.json()["data"]["command_id"]) == (
        "shop", "now",
    )  # fmt: skip


async def test_a_rejected_cloudevent_is_a_problem(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/commands", content=void_invoice(invoice_id()).value)

    assert (response.status_code, response.json()["code"]) == (404, "invoice_not_found")


async def test_an_answer_that_is_late_can_be_asked_for(http: httpx.AsyncClient, api: Api) -> None:
    headers = {"Prefer": "respond-async", "Idempotency-Key": "with/slash and more"}

    response = await http.post("/v1/invoices", json=INVOICE, headers=headers)

    assert (response.status_code, response.json()["status"]) == (202, "pending")
    await api.service.answers.until(
        lambda _: ("tests", "with/slash and more") in api.service.answers_by_command()
    )
    answer = await http.get(response.headers["location"])
    assert answer.json()["data"]["events"] == ["invoice.created", "invoice.opened"]
    again = await http.post("/v1/invoices", json=INVOICE, headers=headers)
    assert again.status_code == 201


async def test_an_expected_version_in_the_envelope_is_a_conflict(http: httpx.AsyncClient) -> None:
    invoice = await created(http)
    envelope = {
        "specversion": "1.0", "type": "VoidInvoice", "subject": invoice["invoice_id"],
        "expectedversion": 1,
    }  # fmt: skip

    response = await http.post("/v1/commands", json=envelope)

    assert (response.status_code, response.json()["code"]) == (409, "version_conflict")


async def test_a_repeated_rejection_is_marked_as_a_replay(http: httpx.AsyncClient) -> None:
    address = f"/v1/invoices/{(await created(http))['invoice_id']}/restore"
    key = {"Idempotency-Key": uuid.uuid4().hex}
    body = {"unknown": 1}

    first = await http.post(address, json=body, headers=key)
    again = await http.post(address, json=body, headers=key)

    assert (first.status_code, again.status_code) == (422, 422)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_pending_command_is_told_from_one_that_was_never_sent(api: Api) -> None:
    headers = {"Prefer": "respond-async", "Idempotency-Key": uuid.uuid4().hex}
    async with api.connect() as http:
        sent = await http.post("/v1/invoices", json=INVOICE, headers=headers)
        location = sent.headers["location"]
        beyond = location.rpartition("-")[0] + "-999999999"

        while (reply := await http.get(location)).status_code == 202:
            assert reply.headers["retry-after"] == "1"
            assert reply.json()["status"] == "pending"
        pending = await http.get(f"/v1/commands/never-sent{beyond[beyond.index('?') :]}")
        unknown = await http.get(f"/v1/commands/never-sent{location[location.index('?') :]}")

    assert (reply.status_code, reply.json()["type"]) == (200, "command.accepted")
    assert pending.status_code == 202
    assert (unknown.status_code, unknown.json()["code"]) == (404, "command_not_found")
    assert "retry-after" not in unknown.headers


async def test_the_trace_goes_on_in_the_events(http: httpx.AsyncClient) -> None:
    trace = f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01"

    response = await http.post("/v1/invoices", json=INVOICE, headers={"traceparent": trace})

    events = await http.get(f"/v1/invoices/{response.json()['invoice_id']}/events")
    assert {event["traceparent"] for event in events.json()["data"]} == {trace}


async def test_a_commands_answer_is_byte_for_byte_that_of_the_topic(
    http: httpx.AsyncClient, api: Api
) -> None:
    command = create_invoice(invoice_id())
    await api.service.ask(command)

    read = await http.get(f"/v1/commands/{command.id}", params={"source": command.source})

    assert read.content in {record.value for record in api.service.answers.records}
