"""What a request becomes on its way to Kafka."""

import json
from typing import Any

import httpx

from contracts.envelope import CommandEnvelope
from tests.service.application import client_of

INVOICE = {"customer_id": "cus_42", "currency": "JPY", "items": [{"amount": "7"}]}


class Taking:
    """A gateway that takes every command, and whose answers are late."""

    def __init__(self) -> None:
        self.commands: list[CommandEnvelope] = []
        self.records: list[bytes] = []

    async def ask(self, command: CommandEnvelope, value: bytes, _wait_seconds: float) -> None:
        self.commands.append(command)
        self.records.append(value)


async def post(
    address: str, body: str, gateway: Taking, headers: dict[str, str] | None = None
) -> httpx.Response:
    async with client_of(gateway=gateway) as http:
        return await http.post(address, content=body.encode(), headers=headers)


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
