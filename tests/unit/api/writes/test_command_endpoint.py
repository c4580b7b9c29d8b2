"""What a request becomes on its way to Kafka."""

import json
from typing import Any

import httpx
import pytest

from invoicing.api.auth.clients import ALL_SELLERS
from invoicing.api.auth.tokens import Client
from invoicing.api.writes.gateway import StillPending
from invoicing.contracts.envelope import CommandEnvelope
from tests.support.service.application import client_of

INVOICE = {"customer_id": "cus_42", "currency": "JPY", "items": [{"amount": "7"}]}


VOID = {"specversion": "1.0", "type": "VoidInvoice", "subject": "inv_1"}


class Taking:
    """A gateway that takes every command, and whose answers are late."""

    def __init__(self) -> None:
        self.commands: list[CommandEnvelope] = []
        self.records: list[bytes] = []

    async def ask(
        self, command: CommandEnvelope, value: bytes, _wait_seconds: float
    ) -> StillPending:
        self.commands.append(command)
        self.records.append(value)
        return StillPending("0-1042")


async def post(
    address: str, body: str, gateway: Taking, headers: dict[str, str] | None = None
) -> httpx.Response:
    async with client_of(gateway=gateway, tokens=Knowing()) as http:
        return await http.post(address, content=body.encode(), headers=headers)


class Knowing:
    """Tokens that all stand for one client."""

    async def verify(self, _token: str) -> Client:
        return Client("orders", ALL_SELLERS, frozenset({"invoices:write"}), expires_at=None)


def document(**data: Any) -> str:
    return json.dumps({**INVOICE, **data}, ensure_ascii=False)


async def test_a_body_of_any_script_makes_a_record_hardly_larger_than_itself() -> None:
    gateway = Taking()
    body = document(memo="請求書" * 17_000)

    response = await post("/v1/invoices", body, gateway)

    assert response.status_code == 202, response.text
    [record] = gateway.records
    assert len(record) - len(body.encode()) < 1_000


async def test_half_a_surrogate_pair_goes_on_to_be_refused_by_the_commands_rules() -> None:
    gateway = Taking()

    response = await post("/v1/invoices", document(memo="half").replace("half", "\\ud83d"), gateway)

    assert response.status_code == 202, response.text
    [command] = gateway.commands
    assert command.data == {**INVOICE, "memo": "\ud83d"}


@pytest.mark.parametrize("lacking", [{}, {"id": None, "source": None, "expectedversion": None}])
async def test_headers_and_the_token_say_what_an_envelope_lacks(lacking: dict[str, None]) -> None:
    gateway = Taking()
    headers = {"Idempotency-Key": "void-1", "If-Match": '"2"'}

    response = await post("/v1/commands", json.dumps(VOID | lacking), gateway, headers)

    assert response.status_code == 202, response.text
    [command] = gateway.commands
    assert (command.id, command.source, command.expected_version) == ("void-1", "orders", 2)


async def test_an_envelope_that_says_all_itself_is_taken_at_its_word() -> None:
    gateway = Taking()
    envelope = VOID | {"id": "void-1", "source": "/elsewhere", "expectedversion": 2}

    response = await post("/v1/commands", json.dumps(envelope), gateway)

    assert response.status_code == 202, response.text
    [command] = gateway.commands
    assert (command.id, command.source, command.expected_version) == ("void-1", "/elsewhere", 2)


async def test_headers_that_say_the_same_as_the_envelope_change_nothing() -> None:
    gateway = Taking()
    envelope = json.dumps(VOID | {"id": "void-1", "source": "orders", "expectedversion": 2})

    await post("/v1/commands", envelope, gateway)
    await post("/v1/commands", envelope, gateway, {"Idempotency-Key": "void-1", "If-Match": "2"})

    first, second = gateway.commands
    assert first == second


@pytest.mark.parametrize(
    ("header", "value", "attribute"),
    [("Idempotency-Key", "void-2", "id"), ("If-Match", '"3"', "expectedversion")],
)
async def test_a_header_that_contradicts_the_envelope_is_refused(
    header: str, value: str, attribute: str
) -> None:
    gateway = Taking()
    envelope = VOID | {"id": "void-1", "source": "orders", "expectedversion": 2}

    response = await post("/v1/commands", json.dumps(envelope), gateway, {header: value})

    problem = response.json()
    assert (response.status_code, problem["code"]) == (400, "malformed_request")
    assert header in problem["detail"]
    assert attribute in problem["detail"]
    assert gateway.commands == []


async def test_a_command_without_any_id_gets_a_new_one() -> None:
    gateway = Taking()

    await post("/v1/commands", json.dumps(VOID), gateway)
    await post("/v1/commands", json.dumps(VOID), gateway)

    first, second = gateway.commands
    assert first.id != second.id


@pytest.mark.parametrize("wrong", ["inv 1", "a.b", "x" * 65, "", 7])
async def test_an_invoice_id_of_other_characters_is_an_error_of_that_field(wrong: object) -> None:
    gateway = Taking()

    made = await post("/v1/invoices", document(invoice_id=wrong), gateway)
    given = await post("/v1/commands", json.dumps(VOID | {"subject": wrong}), gateway)

    for response, field in ((made, "invoice_id"), (given, "subject")):
        problem = response.json()
        assert (response.status_code, problem["code"]) == (422, "invalid_command")
        assert problem["errors"] == [
            {"field": field, "reason": "must be 1 to 64 characters of A-Z a-z 0-9 _ -"}
        ]
    assert gateway.commands == []


async def test_the_location_of_a_pending_command_has_its_position() -> None:
    response = await post("/v1/invoices", document(), Taking(), {"Idempotency-Key": "key/1"})

    assert response.headers["location"] == ("/v1/commands/key%2F1?source=orders&sent_to=0-1042")
    assert response.headers["retry-after"] == "1"
