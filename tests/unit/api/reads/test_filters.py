"""What a client reads when a query parameter is wrong."""

from typing import Any

import pytest

from tests.support.service.application import client_of


async def reasons(path: str, query: dict[str, Any]) -> dict[str, str]:
    """The reason of each wrong parameter."""
    async with client_of() as http:
        response = await http.get(path, params=query)
    assert response.status_code == 400, response.text
    return {error["field"]: error["reason"] for error in response.json()["errors"]}


@pytest.mark.parametrize(
    ("parameter", "value", "words"),
    [
        ("sort", "-total", ["created_at", "amount_due", ".asc or .desc", "due_date.asc"]),
        ("sort", "total:desc", ["total", ".asc or .desc"]),
        ("expand", "customer", ["available_commands", "events"]),
        ("fields", "foo", ["amount_due", "invoice_id"]),
        ("status", "overdu", ["overdue", "partially_paid", "archived"]),
        ("state", "closed", ["'draft'", "'uncollectible'"]),
        ("currency", "usd", ["ISO 4217", "capital letters", "USD"]),
        ("created_at[gte]", "yesterday", ["2026-11-20", "2026-11-20T10:00:00Z"]),
        ("as_of", "2026-13-01", ["2026-11-20", "2026-11-20T10:00:00Z"]),
        ("starting_after", "inv 1", ["1 to 64 characters of A-Z a-z 0-9 _ -"]),
        ("ids", "inv 1", ["1 to 64 characters of A-Z a-z 0-9 _ -"]),
        ("total[gt]", "1e5", ["plain decimal"]),
    ],
)
async def test_an_error_says_which_values_or_form_are_wanted(
    parameter: str, value: str, words: list[str]
) -> None:
    found = await reasons("/v1/invoices", {parameter: value})

    assert list(found) == [parameter]
    assert all(word in found[parameter] for word in words), found
    assert value not in found[parameter].split()


async def test_a_state_given_as_status_is_pointed_to_the_parameter_state() -> None:
    found = await reasons("/v1/invoices", {"status": "open"})

    assert found["status"].endswith("open is a value of the parameter state")


async def test_the_types_of_the_feed_are_listed() -> None:
    found = await reasons("/v1/events", {"type": "invoice.open"})

    assert "'invoice.opened'" in found["type"]


async def test_the_wrong_one_of_several_values_is_named_by_its_index() -> None:
    found = await reasons("/v1/invoices", {"state": ["void", "closed"]})

    assert list(found) == ["state.1"]
