"""docs/coverage.md: what it names exists, and the fields of three systems really go through."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from contracts.commands import COMMANDS
from contracts.events import EVENTS
from contracts.invoice import Document
from contracts.replies import ACCEPTED, REJECTED, Answer, RefusalCode, Rejection
from invoicing.domain.invoice import Invoice
from ops.main import app
from ops.schemas.shapes import Schema, shape_of
from ops.schemas.story import play
from tests.domain.complete import COMPLETE
from tests.domain.desk import Desk

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/coverage.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| There", "| ---"))
]
SHAPES: dict[str, Schema] = {
    **{name: shape_of(model, "validation") for name, model in COMMANDS.items()},
    **{name: shape_of(model, "serialization") for name, model in EVENTS.items()},
    ACCEPTED: shape_of(Answer, "serialization"),
    REJECTED: shape_of(Rejection, "serialization"),
    "Invoice.document": shape_of(Document, "serialization"),
    "Invoice": shape_of(Invoice, "serialization"),
}
OTHER_NAMES = {
    "id",
    "source",
    "subject",
    *(code.value for code in RefusalCode),
    *(
        f"invoicing {command.callback.__name__}"
        for command in app.registered_commands
        if command.callback
    ),
}


def names(cell: str) -> list[str]:
    return re.findall("`([^`]+)`", cell)


def exists(name: str) -> bool:
    """Whether a name of the second column is a command, an event, a field of one, or a code."""
    for shape, schema in SHAPES.items():
        if name == shape or name.startswith(f"{shape}."):
            fields = name.removeprefix(shape).split(".")[1:]
            return has_field(schema, schema, fields)
    return name in OTHER_NAMES


def has_field(schema: Schema, part: Any, fields: list[str]) -> bool:
    """Whether the fields lead on from this part of a schema, through references and arrays."""
    if not fields:
        return True
    if "$ref" in part:
        definition = part["$ref"].removeprefix("#/$defs/")
        return has_field(schema, schema["$defs"][definition], fields)
    within = [*part.get("anyOf", ()), part.get("items"), part.get("additionalProperties")]
    if any(has_field(schema, one, fields) for one in within if isinstance(one, dict)):
        return True
    first, *others = fields
    found = part.get("properties", {}).get(first)
    return found is not None and has_field(schema, found, others)


def test_every_command_event_and_field_of_the_page_exists() -> None:
    for _, here, _ in ROWS:
        unknown = [name for name in names(here) if not exists(name)]
        assert not unknown or here.startswith("Waits for HTTP"), here


def test_a_field_that_does_not_exist_is_noticed() -> None:
    assert exists("CreateInvoice.items.tax.rate")
    assert not exists("CreateInvoice.items.tax.rates")
    assert not exists("invoice.burnt")


def test_every_test_of_the_page_exists() -> None:
    files = {
        path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/test_*.py")
    }
    for *_, shown in ROWS:
        for name in names(shown):
            file, test = name.split("::")
            assert f"def {test}(" in files[file], name


def test_every_row_is_shown_by_a_test_or_says_why_not() -> None:
    unshown = [
        row
        for row in ROWS
        if row[2] == "–" and not re.match("Waits for|None|Derived|Recorded", row[1])
    ]
    assert unshown == []


def test_every_command_has_its_place_on_the_page() -> None:
    named = {name for _, here, _ in ROWS for name in names(here)}
    assert {name.partition(".")[0] for name in named} >= COMMANDS.keys()


# What the rows rely on

IN_UTC = {"2026-12-01T00:00:00+02:00": "2026-11-30T22:00:00Z"}


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> dict[tuple[str | int, ...], Any]:
    if not isinstance(value, dict | list):
        return {path: value}
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    return {leaf: end for name, part in parts for leaf, end in leaves(part, (*path, name)).items()}


def test_every_field_that_a_command_gives_stands_in_the_event() -> None:
    given = COMPLETE["CreateInvoice"] | {"state": "draft"}

    created = json.loads(play([("CreateInvoice", "inv_1", given)]).events[0].document)["data"]

    told = leaves(created["invoice"] | {name: created[name] for name in ("state", "seller_id")})
    for path, value in leaves(given).items():
        assert told[path] == IN_UTC.get(value, value), path


def open_desk(**fields: Any) -> Desk:
    desk = Desk()
    data = {"customer_id": "cus_1", "currency": "USD", "items": [{"amount": "100"}]}
    desk.accept("CreateInvoice", **data, **fields)
    return desk


def test_what_is_left_out_has_the_defaults_of_the_three_systems() -> None:
    invoice = open_desk().current
    document = invoice.document
    assert invoice.state == "open"
    assert document.collection_period_days == 30
    assert (document.billing_optimization, document.exclude_from_autopay) == (True, False)
    assert (document.live_mode, document.tax_inclusive) == (True, False)


CHOICES = {
    "customer_type": ["individual", "business"],
    "charge_type": ["customer_initiated", "merchant_initiated", "moto"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in CHOICES.items() for value in values]
)
def test_every_value_of_a_choice_is_taken(name: str, value: str) -> None:
    assert getattr(open_desk(**{name: value}).current.document, name) == value


@pytest.mark.parametrize("state", ["pending", "verified", "not_valid"])
def test_every_state_of_a_tax_identifier_is_taken(state: str) -> None:
    identifier = {"type": "eu_vat", "value": "ATU12345678", "state": state}
    (told,) = open_desk(tax_identifiers=[identifier]).current.document.tax_identifiers
    assert told.state == state


CARD = {"lastFourDigits": "1111", "expirationMonth": 7, "expirationYear": 2030, "brand": "Visa"}
REDIRECT = {"redirectUrl": "https://a.example/r", "returnUrl": "https://a.example/b"}
PAY_PAL = {
    "redirect": REDIRECT | {"cancelUrl": "https://a.example/c"},
    "directDebit": {"token": "t_1"},
}
BANK = {
    "accountHolder": "Ada Lovelace",
    "bankName": "A bank",
    "city": "London",
    "country": "GB",
    "referenceId": "ref-1",
    "accountNumber": "12345678",
}
OWNER_ADDRESS = {"line1": "12 St James's Square", "city": "London", "country": "GB"}
DETAILS: dict[str, dict[str, Any]] = {
    "creditCard": CARD,
    "googlePay": CARD,
    "payPal": PAY_PAL,
    "payPalBilling": PAY_PAL,
    "payPalCredit": PAY_PAL,
    "directDebit": {"redirect": REDIRECT},
    "wireTransfer": BANK | {"additionalBankInformation": "Branch 1", "iban": "GB33BUKB20201555"},
    "bPay": BANK
    | {"billId": "bill-1", "customerPaymentReference": "cpr-1", "swiftCode": "BUKBGB22"},
    "payCo": REDIRECT,
    "onlineBanking": {"bankCode": "001"},
    "klarnaCredit": {
        "shipping": {
            "recipient": "Ada Lovelace",
            "phoneNumber": "+44 20 0000",
            "email": "ada@example.com",
            "address": OWNER_ADDRESS,
        },
        "token": "t_1",
    },
    "klarnaCreditRecurring": {
        "returnUrl": "https://a.example/b",
        "cancelUrl": "https://a.example/c",
    },
    "konbini": {
        "storeId": "s_1",
        "receiptNumber": "r_1",
        "printableInvoiceUrl": "https://a.example/p",
        "storeName": "Lawson",
        "localizedStoreName": "ローソン",
        "storeLogoUrl": "https://a.example/l",
    },
    "alipay": {},
    "applePay": {},
    "codJapan": {},
    "bankTransfer": {},
}


@pytest.mark.parametrize("type_", DETAILS)
def test_every_type_of_source_is_attached_with_its_details(type_: str) -> None:
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type=type_, details={type_: DETAILS[type_]})
    source = desk.current.sources["src_1"]
    assert (source.type, source.details) == (type_, {type_: DETAILS[type_]})


def test_whatever_is_told_of_a_source_stands_in_the_event() -> None:
    told = {
        "reusable": True,
        "flow": "standard",
        "state": "chargeable",
        "paymentSessionId": "ses_1",
        "metadata": {"note": "the blue one"},
        "owner": {
            "firstName": "Ada",
            "lastName": "Lovelace",
            "email": "ada@example.com",
            "organization": "Analytical Engines",
            "upstreamId": "up_1",
            "address": OWNER_ADDRESS,
            "additionalAddressInfo": {"neighborhood": "St James's"},
        },
    }
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type="creditCard", details=told)
    assert json.loads(desk.history[-1][0].model_dump_json())["source"]["details"] == told


def test_a_failed_payment_keeps_its_code_and_message() -> None:
    desk = open_desk()
    desk.accept("RecordPayment", payment_id="p", amount="100", currency="USD", settled=False)
    desk.accept("RecordPaymentFailure", payment_id="p", code="cancelled", message="By the customer")
    payment = desk.current.payments["p"]
    assert (payment.state, payment.failure_code) == ("failed", "cancelled")
    assert payment.failure_message == "By the customer"


def test_the_texts_of_an_open_invoice_can_be_set() -> None:
    texts = {"description": "For November", "memo": "Thanks", "metadata": {"cost_centre": "7"}}
    document = open_desk().accept("UpdateInvoice", **texts).document
    assert document.model_dump(include=set(texts)) == texts
