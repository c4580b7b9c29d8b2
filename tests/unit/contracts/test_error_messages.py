"""What a refusal says of a field: what is wanted of it."""

from typing import Any

import pytest

from invoicing.contracts.commands import read_data
from invoicing.contracts.replies import Rejection

ITEM = {"amount": "1"}


def reason(**fields: Any) -> str:
    """The one reason that a CreateInvoice with these fields is refused for."""
    data = {"customer_id": "c", "currency": "USD", "items": [ITEM]} | fields
    rejection = read_data("CreateInvoice", data)
    assert isinstance(rejection, Rejection)
    (error,) = rejection.errors
    return error.reason


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"items": [{"amount": 1}]}, "must be a string"),
        ({"items": [{"amount": "1e5"}]}, "such as -100.00"),
        ({"shipping": {"amount": "-1"}}, "such as 100.00"),
        ({"items": [{"unit_price": "1", "quantity": "1,5"}]}, "such as 1.5"),
        ({"items": [ITEM | {"tax": {"rate": "20%"}}]}, "such as 0.2"),
        ({"discount": {"percent_off": "101"}}, "from 0 to 100"),
        ({"discount": {"amount_off": "1.001"}}, "at most 2 decimals"),
        ({"currency": "usd"}, "an ISO 4217 code in capital letters"),
        ({"state": "paid"}, "'open' or 'draft'"),
        ({"customer_id": ""}, "must not be empty"),
        ({"customer_id": None}, "must be a string"),
        ({"memo": "\x00"}, "must not hold NUL"),
        ({"memo": "\ud800"}, "without lone surrogates"),
        ({"email": "ada"}, "an e-mail address"),
        ({"locale": "en US"}, "such as en-US"),
        ({"bill_to": {"address": {"country": "Austria"}}}, "such as AT"),
        ({"due_date": "2026-02-30"}, "as YYYY-MM-DD"),
        ({"due_date": "2026-12-20T00:00:00Z"}, "as YYYY-MM-DD"),
        ({"tax_inclusive": "true"}, "true or false"),
        ({"payment_terms_days": -1}, "at least 0"),
        ({"items": [ITEM] * 1_001}, "at most 1000 entries"),
        ({"item": []}, "is not a field of this command"),
    ],
)
def test_a_reason_says_what_is_wanted(fields: dict[str, Any], wanted: str) -> None:
    assert wanted in reason(**fields)
