"""Reading a command's data: one reply lists all its errors."""

from typing import Any

import pytest

from invoicing.contracts.commands import COMMANDS, CommandData, read_data
from invoicing.contracts.replies import Rejection


def rejected(command_type: str, data: object) -> dict[str, str]:
    """The reasons of a rejection, by field."""
    rejection = read_data(command_type, data)
    assert isinstance(rejection, Rejection), rejection
    return {error.field: error.reason for error in rejection.errors}


def test_errors_of_the_schema_and_between_fields_come_together() -> None:
    errors = rejected(
        "CreateInvoice",
        {
            "currency": "USD",
            "due_date": "2026-12-20",
            "payment_terms_days": 14,
            "items": [
                {"id": "a", "unit_price": 5},
                {"id": "a", "quantity": "2", "fees": [{"type": "recycling"}]},
            ],
            "shipping": {"amount": "4.999"},
        },
    )

    assert errors == {
        "customer_id": "is required",
        "items.0.unit_price": "must be a string",
        "payment_terms_days": "cannot be given with due_date",
        "items.0.id": "must not be the same as another line's",
        "items.1.unit_price": "give either this or amount",
        "items.1.fees.0.amount": "give either this or per_unit_amount",
        "items.1.id": "must not be the same as another line's",
        "shipping.amount": "must have at most 2 decimals",
    }


def test_decimals_and_rules_between_fields_come_together() -> None:
    errors = rejected(
        "CreateInvoice",
        {"customer_id": "c", "currency": "JPY", "items": [{}], "shipping": {"amount": "1.5"}},
    )

    assert errors == {
        "items.0.unit_price": "give either this or amount",
        "shipping.amount": "must have at most 0 decimals",
    }


def test_a_credit_note_has_all_its_errors_at_once() -> None:
    errors = rejected(
        "IssueCreditNote", {"amount": 5, "items": [{"id": "1", "quantity": "1", "amount": "1"}]}
    )

    assert errors == {
        "credit_note_id": "is required",
        "amount": "must be a string",
        "items.0.amount": "cannot be with quantity",
    }


@pytest.mark.parametrize(
    "data",
    [
        {"items": [1, None, [], {"id": []}, {"id": {}, "fees": 7}]},
        {"items": {"0": {}}, "currency": ["USD"]},
        {"currency": "USD", "items": [{"amount": {}}], "shipping": []},
    ],
)
@pytest.mark.parametrize("command_type", sorted(COMMANDS))
def test_a_part_of_another_type_stops_no_check(command_type: str, data: Any) -> None:
    assert isinstance(read_data(command_type, data), CommandData | Rejection)


def test_amounts_in_the_commands_own_currency_are_read_at_its_scale() -> None:
    read = read_data("RecordPayment", {"payment_id": "p", "amount": "5", "currency": "USD"})

    assert isinstance(read, CommandData)
    assert read.model_dump()["amount"].as_tuple().exponent == -2
