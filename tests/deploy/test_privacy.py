"""No customer's data and no secret is told to who only watches: planted, then searched for."""

import asyncio
import json
from dataclasses import replace

import pytest

from invoicing.ops.support.kafka import producing, reading
from tests.deploy.secured import SECONDS_MAX, Secured
from tests.support.service.commands import create_invoice, invoice_id, record_payment
from tests.support.service.http import Api
from tests.support.service.service import Worker
from tests.support.service.traces import Traces
from tests.support.stack.wait import eventually

pytestmark = [pytest.mark.timeout(600)]

COMMANDS, REPLIES = "invoices.commands", "invoices.replies"
ITEMS = [{"description": "Pro plan", "unit_price": "100.00"}]
CANARIES = {
    "customer_id": "cus_Kanarienvogel",
    "email": "tweety@canary.example",
    "name": "Serinus Canaria",
    "street": "7 Aviary Lane",
    "phone": "+1 555 0199 283",
    "memo": "sings at dawn",
    "metadata": "yellow-feathers",
    "card": "4111 1111 1111 1111",
}


def invoice() -> dict[str, object]:
    """All that a customer would not like to read in a log."""
    address = {"line1": CANARIES["street"], "city": "Las Palmas", "country": "ES"}
    return {
        "customer_id": CANARIES["customer_id"],
        "currency": "USD",
        "items": ITEMS,
        "email": CANARIES["email"],
        "memo": CANARIES["memo"],
        "bill_to": {"name": CANARIES["name"], "phone": CANARIES["phone"], "address": address},
        "metadata": {"note": CANARIES["metadata"]},
    }


async def test_no_customers_data_and_no_secret_is_told_to_who_only_watches(
    secured: Secured, worker: Worker, api: Api, traces: Traces
) -> None:
    token = api.token()
    told = [
        await asked_over_http(api, token),
        *await sent_as_commands(secured),
        *await of_dead_letters(secured),
    ]
    assert all(any(canary in text for text in told) for canary in CANARIES.values()), told

    await eventually(lambda: len(traces.spans) > 10, seconds=SECONDS_MAX)
    watched = {
        "the worker's log": worker.log,
        "the API's log": api.log,
        "the worker's metrics": worker.get("/metrics")[1],
        "the API's metrics": api.metrics(),
        "traces": "\n".join(str(span) for span in traces.spans),
        "dead letters' headers": "\n".join(await reasons_of_dead_letters(secured)),
    }
    secret = [token, api.pem.splitlines()[1], *secured.passwords.values()]
    for where, text in watched.items():
        assert text, where
        found = [canary for canary in [*CANARIES.values(), *secret] if canary in text]
        assert not found, where


async def asked_over_http(api: Api, token: str) -> str:
    """Accepted, refused and broken requests; all that came back."""
    customer, email = CANARIES["customer_id"], CANARIES["email"]
    async with api.connect(token) as http:
        made = await http.post("/v1/invoices", json=invoice())
        answers = [
            made,
            await http.get(made.headers["location"]),
            await http.get("/v1/invoices", params={"customer_id": customer, "unknown": email}),
            await http.get(f"/v1/invoices/{CANARIES['metadata']}"),
            await http.get(f"/{CANARIES['metadata']}", headers={"User-Agent": email}),
            await http.post("/v1/invoices", json={**invoice(), customer: email}),
            await http.post("/v1/invoices", content=json.dumps(invoice())[:-1]),
            await http.post("/v1/invoices", json=invoice(), headers={"Authorization": customer}),
        ]
    assert made.status_code == 201, made.text
    return "\n".join(answer.text for answer in answers)


async def sent_as_commands(secured: Secured) -> list[str]:
    """Commands that are accepted and refused, for every reason that names a value; the answers."""
    subject, customer = invoice_id(), CANARIES["customer_id"]
    commands = [
        create_invoice(subject, **invoice()),
        create_invoice(subject, **invoice()),
        create_invoice(invoice_id(), **invoice(), **{CANARIES["metadata"]: CANARIES["email"]}),
        create_invoice(invoice_id(), **{**invoice(), "currency": CANARIES["name"]}),
        record_payment(subject, CANARIES["phone"]),
        record_payment(subject, "1.00", currency="EUR", method=CANARIES["street"]),
        record_payment(subject, "1.00", method=CANARIES["card"]),
        create_invoice(invoice_id(), **invoice() | {"memo": CANARIES["card"]}),
        replace(create_invoice(invoice_id()), type=CANARIES["name"]),
        create_invoice(CANARIES["metadata"], customer_id=customer),
        replace(create_invoice(invoice_id(), **invoice()), subject=f"{CANARIES['email']} "),
    ]
    answers: list[str] = []
    async with reading(secured.party("operator").settings(), REPLIES) as replies:
        async with producing(secured.party("producer").settings()) as producer:
            for command in commands:
                await producer.send_and_wait(COMMANDS, command.value, key=command.subject.encode())
        while len(answers) < len(commands):
            record = await asyncio.wait_for(replies.getone(), SECONDS_MAX)
            answers.append(record.value.decode())
    assert not any(CANARIES["card"] in answer for answer in answers)
    return [*answers, *(command.value.decode() for command in commands)]


async def of_dead_letters(secured: Secured) -> list[str]:
    """Records that cannot be read, for different reasons; their values, as they were set aside."""
    whole = create_invoice(invoice_id(), **invoice())
    broken = [
        whole.value[:-1],
        whole.value.replace(b"100.00", b"\xff\xfe"),
        whole.value.replace(b'"USD"', b"NaN"),
        replace(whole, source="", id=CANARIES["name"]).value,
    ]
    async with producing(secured.party("producer").settings()) as producer:
        for value in broken:
            await producer.send_and_wait(COMMANDS, value, key=b"k")
    letters = await eventually(
        lambda: dead_letters(secured), until=lambda seen: len(seen) >= len(broken), seconds=120
    )
    return [value for value, _ in letters]


async def reasons_of_dead_letters(secured: Secured) -> list[str]:
    return [headers for _, headers in await dead_letters(secured)]


async def dead_letters(secured: Secured) -> list[tuple[str, str]]:
    """Value and headers of each."""
    told = await asyncio.to_thread(secured.party("operator").run, "dead-letters", "list", "--json")
    letters = [json.loads(line) for line in told.splitlines()]
    return [(str(letter["value"]), str(letter["headers"])) for letter in letters]
