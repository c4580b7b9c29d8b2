"""What an invoice is called, by its state, its amounts and the day."""

from datetime import date
from typing import Any

import pytest

from invoicing.domain.status import status
from tests.support.domain.desk import Desk

CREATED = (
    "CreateInvoice",
    {
        "customer_id": "cus_1",
        "currency": "USD",
        "due_date": "2026-12-20",
        "items": [{"amount": "100"}],
    },
)
DUE = date(2026, 12, 20)
LATER = date(2026, 12, 21)


def payment(amount: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return ("RecordPayment", {"payment_id": "p", "amount": amount, "currency": "USD"} | more)


@pytest.mark.parametrize(
    ("commands", "today", "expected"),
    [
        ([], DUE, "upcoming"),
        ([], LATER, "overdue"),
        ([payment("40")], DUE, "partially_paid"),
        ([payment("40")], LATER, "overdue"),
        ([payment("100", settled=False)], DUE, "received"),
        ([payment("100", settled=False)], LATER, "received"),
        ([payment("100")], LATER, "paid"),
        ([payment("120")], LATER, "overpaid"),
        ([("WriteOffInvoice", {})], LATER, "uncollectible"),
        ([("VoidInvoice", {})], LATER, "void"),
        ([("UnpostInvoice", {})], LATER, "draft"),
        ([payment("120"), ("ArchiveInvoice", {})], LATER, "archived"),
    ],
)
def test_the_status_follows_from_state_amounts_and_day(
    commands: list[tuple[str, dict[str, Any]]], today: date, expected: str
) -> None:
    desk = Desk()
    for command, data in [CREATED, *commands]:
        desk.accept(command, **data)
    assert status(desk.current, today) == expected
