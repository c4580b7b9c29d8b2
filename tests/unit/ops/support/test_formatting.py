"""Events in words."""

from typing import Any

import pytest

from invoicing.ops.support.formatting import changes, is_amount, standing
from invoicing.ops.support.panels import percent

OPENED: dict[str, Any] = {
    "invoice_id": "inv_1",
    "invoice_number": "INV-000001",
    "seller_id": "default",
    "customer_id": "cus_42",
    "currency": "USD",
    "state": "open",
    "total": "214.25",
    "amount_paid": "0.00",
    "amount_refunded": "0.00",
    "amount_credited": "0.00",
    "amount_written_off": "0.00",
    "amount_due": "214.25",
    "amount_overpaid": "0.00",
    "invoice": {"items": [{}], "memo": "Thank you"},
}


def test_a_first_event_is_described_by_what_was_created() -> None:
    assert changes({}, OPENED) == ["USD 214.25 for customer cus_42, 1 item"]


def test_an_event_lists_its_own_fields_then_what_changed() -> None:
    payment = {
        **{name: value for name, value in OPENED.items() if name != "invoice"},
        "amount_paid": "100.00",
        "amount_due": "114.25",
        "payment_id": "pay_1",
        "settled": True,
    }

    assert changes(OPENED, payment) == [
        "payment id: pay_1",
        "settled: yes",
        "amount paid: 0.00 -> 100.00",
        "amount due: 214.25 -> 114.25",
    ]


def test_an_update_lists_the_fields_that_changed() -> None:
    updated = {**OPENED, "invoice": {"items": [{}], "memo": "Thanks", "email": "a@b.example"}}

    assert changes(OPENED, updated) == ["memo: Thank you -> Thanks", "email: none -> a@b.example"]


def test_an_event_that_changed_nothing_lists_nothing() -> None:
    assert changes(OPENED, OPENED) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "INV-000001, open, USD 214.25, due 214.25"),
        ({"amount_due": "0.00", "state": "paid"}, "INV-000001, paid, USD 214.25"),
        ({"amount_due": "0", "amount_overpaid": "3"}, "INV-000001, open, USD 214.25, overpaid 3"),
        ({"invoice_number": None}, "no number, open, USD 214.25, due 214.25"),
    ],
)
def test_standing_has_number_state_and_nonzero_amounts(changed: dict[str, Any], words: str) -> None:
    assert standing({**OPENED, **changed}) == words


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", False), ("0.00", False), ("-0.000", False), ("0.01", True), ("-3", True), ("10", True)],
)
def test_zero_is_no_amount_in_any_scale(text: str, expected: bool) -> None:
    assert is_amount(text) is expected


@pytest.mark.parametrize(
    ("rate", "words"), [("0.2", "20%"), ("0.07125", "7.125%"), ("0", "0%"), ("1", "100%")]
)
def test_a_rate_is_shown_in_percent(rate: str, words: str) -> None:
    assert percent(rate) == words


def test_a_customers_text_cannot_steer_the_terminal() -> None:
    reversed_text = {**OPENED, "invoice": {"items": [{}], "memo": "\x1b[2JThanks\x07"}}

    assert changes(OPENED, reversed_text) == ["memo: Thank you -> ?[2JThanks?"]
