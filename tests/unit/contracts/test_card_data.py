"""Card numbers and secrets in commands: refused where something is asked for, masked in reports."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn

from invoicing.contracts.commands import COMMANDS, CommandData, Report, read_data
from invoicing.contracts.envelope import CommandEnvelope, read_command
from invoicing.contracts.replies import Rejection
from invoicing.contracts.types.card_numbers import mask_card_numbers, may_hold_card_number
from tests.support.domain.complete import COMPLETE
from tests.support.domain.desk import open_desk

VISA = "4111111111111111"
MASKED = "4111********1111"

# The numbers that providers publish for tests.
CARDS = {
    "4111111111111111": "4111********1111",
    "4222222222222": "4222*****2222",
    "4000001234567899": "4000********7899",
    "5555555555554444": "5555********4444",
    "2223003122003222": "2223********3222",
    "378282246310005": "3782*******0005",
    "6011111111111117": "6011********1117",
    "30569309025904": "3056******5904",
    "36227206271667": "3622******1667",
    "3530111333300000": "3530********0000",
    "6200000000000005": "6200********0005",
    "6205500000000000004": "6205***********0004",
    "6759649826438453": "6759********8453",
    "2200000000000004": "2200********0004",
    "9792030394440796": "9792********0796",
}


@pytest.mark.parametrize(("number", "masked"), CARDS.items())
def test_the_number_of_a_card_is_masked_but_for_four_digits_at_each_end(
    number: str, masked: str
) -> None:
    assert mask_card_numbers(f"Paid with {number}.") == f"Paid with {masked}."
    assert mask_card_numbers(f"x{number}y") == f"x{masked}y"


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111 1111-11111111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
    ],
)
def test_single_blanks_and_hyphens_may_stand_between_the_digits(text: str) -> None:
    assert mask_card_numbers(text) == MASKED


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"2026-11-20 {VISA} 12/27", f"2026-11-20 {MASKED} 12/27"),
        (f"{VISA} 123", f"{MASKED} 123"),
        (f"{VISA}/5555 5555 5555 4444", f"{MASKED}/5555********4444"),
    ],
)
def test_a_date_or_a_code_beside_the_number_does_not_hide_it(text: str, masked: str) -> None:
    assert mask_card_numbers(text) == masked


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("4111111111111112", "fails Luhn's check"),
        ("41111111111111110000", "part of a longer run"),
        ("00004111111111111111", "part of a longer run"),
        ("4111 1111 1111 1111 1111", "part of a longer run"),
        ("4111  1111  1111  1111", "double blanks"),
        ("4111.1111.1111.1111", "dots"),
        ("411111111111116", "a prefix of Visa with another length"),
        ("7000000000000005", "no issuer's prefix"),
        ("356938035643809", "an IMEI, with Luhn's check digit"),
        ("89014103211118510720", "a SIM card's number"),
        ("4006381333931", "a German article's number"),
        ("4000000000006", "a German article's number that passes Luhn's check too"),
        ("DE89 3704 0044 0532 0130 00", "an IBAN"),
        ("2026-11-20 10-00-00 123456", "a time"),
        ("0192f1c6-8b9a-7000-8000-000000000000", "a UUID"),
    ],
)
def test_other_numbers_are_left_alone(text: str, what: str) -> None:
    assert mask_card_numbers(text) == text, what


@given(st.text("0123456789 -x", max_size=60))
def test_whatever_is_masked_was_suspected_and_no_run_that_is_left_is_a_visa_card(text: str) -> None:
    masked = mask_card_numbers(text)
    assert len(masked) <= len(text)
    assert masked == text or may_hold_card_number(text.encode())
    assert mask_card_numbers(masked) == masked
    for word in masked.replace(" ", "x").replace("-", "x").split("x"):
        assert not (len(word) == 16 and word.startswith("4") and luhn.is_valid(word))


def refused_paths(command: str, data: dict[str, Any]) -> list[str]:
    rejection = read_data(command, data)
    assert isinstance(rejection, Rejection), rejection
    assert rejection.code == "sensitive_data"
    text = rejection.message + "".join(e.field + e.reason for e in rejection.errors)
    assert not any(part in text for part in (VISA, "4111 1111", "secret-4711"))
    return [error.field for error in rejection.errors]


def created(**fields: Any) -> dict[str, Any]:
    return {"customer_id": "c", "currency": "USD", "items": [{"amount": "1"}]} | fields


SPACED = "card 4111 1111 1111 1111"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"memo": SPACED}, "memo"),
        ({"description": SPACED}, "description"),
        ({"items": [{"amount": "1", "description": SPACED}]}, "items.0.description"),
        ({"items": [{"amount": "1", "metadata": {"card": VISA}}]}, "items.0.metadata.card"),
        (
            {"items": [{"amount": "1", "subscription": {"terms": SPACED}}]},
            "items.0.subscription.terms",
        ),
        ({"bill_to": {"name": VISA}}, "bill_to.name"),
        ({"ship_to": {"address": {"line2": VISA}}}, "ship_to.address.line2"),
        ({"metadata": {"note": VISA}}, "metadata.note"),
        ({"metadata": {VISA: "note"}}, f"metadata.{MASKED}"),
        (
            {"tax_identifiers": [{"type": "t", "value": "v", "verified_name": VISA}]},
            "tax_identifiers.0.verified_name",
        ),
    ],
)  # fmt: skip
def test_a_card_number_in_what_people_write_is_refused_with_its_path(
    fields: dict[str, Any], path: str
) -> None:
    assert refused_paths("CreateInvoice", created(**fields)) == [path]


@pytest.mark.parametrize(
    "fields",
    [
        {"customer_id": VISA},
        {"seller_id": VISA},
        {"upstream_id": VISA, "order_id": VISA, "application_id": VISA, "source_id": VISA},
        {"items": [{"amount": "1", "id": VISA, "sku_id": VISA}]},
        {"items": [{"amount": "1", "subscription": {"subscription_id": VISA, "plan_id": VISA}}]},
        {"bill_to": {"phone": VISA}},
        {"tax_identifiers": [{"type": "t", "value": VISA}]},
        {"metadata": {"order_id": VISA, "customerId": VISA, "iban": VISA, "phone": VISA}},
    ],
)
def test_identifiers_may_look_like_card_numbers(fields: dict[str, Any]) -> None:
    assert isinstance(read_data("CreateInvoice", created(**fields)), CommandData)


def attached(**details: Any) -> dict[str, Any]:
    return {"source_id": "src_1", "type": "creditCard", "details": details}


def test_card_numbers_in_details_are_refused_at_any_depth_and_as_whole_numbers() -> None:
    details = {"note": VISA, "owner": {"firstName": SPACED}, "card": int(VISA), "year": 2030}
    assert refused_paths("AttachSource", attached(**details)) == [
        "details.note", "details.owner.firstName", "details.card",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["cvc", "CVV", "cvv2", "number", "Number", "pan", "clientSecret", "client_secret",
     "client-secret", "password", "PASS_WORD", "token"],
)  # fmt: skip
def test_a_secrets_name_in_details_is_refused_at_any_depth(name: str) -> None:
    details = {"brand": "Visa", name: "secret-4711", "owner": {"card": {name: 4711}}}
    assert refused_paths("AttachSource", attached(**details)) == [
        f"details.{name}",
        f"details.owner.card.{name}",
    ]


def test_names_are_compared_whole_and_identifiers_in_details_are_left_alone() -> None:
    details = {
        "accountNumber": VISA, "account_number": VISA, "iban": VISA, "referenceId": VISA,
        "id": VISA, "order_ids": VISA, "phoneNumber": VISA, "mobilePhone": VISA,
        "customerPaymentReference": VISA, "lastFourDigits": "1111", "tokenType": "network",
        "numberOfUses": 1, "company": "Pan", "expirationYear": 2030,
    }  # fmt: skip
    assert isinstance(read_data("AttachSource", attached(**details)), CommandData)


@pytest.mark.parametrize("name", ["card_id", "phone", "accountNumber", "iban"])
def test_a_group_that_is_named_like_an_identifier_is_looked_at(name: str) -> None:
    details = {name: {"x": VISA, "order_id": VISA, "owner": {"note": int(VISA)}}}
    assert refused_paths("AttachSource", attached(**details)) == [
        f"details.{name}.x",
        f"details.{name}.owner.note",
    ]


@pytest.mark.parametrize("name", ["paid", "valid", "grid", "telephoned"])
def test_a_name_that_only_ends_like_an_identifiers_is_looked_at(name: str) -> None:
    assert refused_paths("AttachSource", attached(**{name: VISA})) == [f"details.{name}"]


def texts_of_reports() -> list[tuple[str, str]]:
    free = ("reason", "message", "method")
    return [
        (command, name)
        for command, data in COMPLETE.items()
        if issubclass(COMMANDS[command], Report)
        for name in data
        if name in free
    ]


@pytest.mark.parametrize(("command", "name"), texts_of_reports())
def test_a_card_number_in_a_report_is_masked_and_the_report_taken(command: str, name: str) -> None:
    read = read_data(command, COMPLETE[command] | {name: f"{SPACED}!"})
    assert isinstance(read, CommandData), read
    assert getattr(read, name) == f"card {MASKED}!"


def test_identifiers_in_a_report_are_as_they_were_sent() -> None:
    data = COMPLETE["RecordPayment"] | {"payment_id": VISA, "source_id": VISA}
    read = read_data("RecordPayment", data)
    assert isinstance(read, CommandData)
    assert read.model_dump()["payment_id"] == VISA


def test_the_event_of_a_report_holds_the_masked_number() -> None:
    desk = open_desk()
    desk.accept("RecordPayment", payment_id="p", amount="100", method=f"Visa {VISA}")
    assert "invoice.payment_recorded" in desk.event_types
    assert all(VISA not in event.to_json() for event, _ in desk.history)
    assert desk.current.payments["p"].method == f"Visa {MASKED}"


def test_the_path_of_another_error_masks_a_card_number_too() -> None:
    rejection = read_data("CreateInvoice", created(**{VISA: 1}))
    assert isinstance(rejection, Rejection)
    assert [error.field for error in rejection.errors] == [MASKED]


def envelope(memo: str) -> CommandEnvelope:
    attributes = {"specversion": "1.0", "id": "1", "source": "/s", "type": "T", "subject": "s"}
    read = read_command(json.dumps(attributes | {"data": {"memo": memo}}).encode(), ())
    assert isinstance(read, CommandEnvelope)
    return read


def test_the_stored_hash_of_a_command_does_not_depend_on_the_masked_digits() -> None:
    """Else whoever has the masked number and the hash could try a few million numbers."""
    assert envelope(VISA).body_hash == envelope(MASKED).body_hash
    assert envelope(VISA).body_hash != envelope("4111111111111112").body_hash
