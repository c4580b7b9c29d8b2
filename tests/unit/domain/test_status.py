"""What an invoice is called, by its state, its amounts and the day."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from invoicing.domain.status import status_unarchived
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
LATER = datetime(2026, 12, 21, tzinfo=UTC)
DUE = LATER - timedelta(microseconds=1)


CREDITED = ("IssueCreditNote", {"credit_note_id": "cn_1", "amount": "25"})
CREDITED_AGAIN = ("IssueCreditNote", {"credit_note_id": "cn_2", "amount": "25"})
REFUNDED = ("RefundPayment", {"payment_id": "p", "refund_id": "r", "amount": "40"})
RETURNED = ("ReturnPayment", {"payment_id": "p", "code": "R01"})
DISPUTED = ("OpenDispute", {"payment_id": "p", "dispute_id": "d", "amount": "40"})
LOST = ("CloseDispute", {"dispute_id": "d", "outcome": "lost"})


def payment(amount: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return ("RecordPayment", {"payment_id": "p", "amount": amount, "currency": "USD"} | more)


@pytest.mark.parametrize(
    ("commands", "at", "expected"),
    [
        ([], DUE, "upcoming"),
        ([], LATER, "overdue"),
        ([payment("40")], DUE, "partially_paid"),
        ([payment("40")], LATER, "overdue"),
        ([CREDITED], DUE, "upcoming"),
        ([payment("40"), REFUNDED], DUE, "upcoming"),
        ([payment("40"), RETURNED], DUE, "upcoming"),
        ([payment("40"), DISPUTED], DUE, "partially_paid"),
        ([payment("40"), DISPUTED, LOST], DUE, "upcoming"),
        ([payment("0.01", settled=False)], DUE, "upcoming"),
        ([payment("0.01", settled=False)], LATER, "overdue"),
        ([payment("99.99", settled=False)], LATER, "overdue"),
        ([payment("0.01"), payment("99.99", payment_id="q", settled=False)], LATER, "received"),
        ([payment("50", settled=False), CREDITED, CREDITED_AGAIN], LATER, "received"),
        ([payment("100", settled=False)], DUE, "received"),
        ([payment("100", settled=False)], LATER, "received"),
        ([payment("100")], LATER, "paid"),
        ([payment("120")], LATER, "overpaid"),
        ([("WriteOffInvoice", {})], LATER, "uncollectible"),
        ([("VoidInvoice", {})], LATER, "void"),
        ([("UnpostInvoice", {})], LATER, "draft"),
        ([payment("120"), ("ArchiveInvoice", {})], LATER, "overpaid"),
    ],
)
def test_the_status_follows_from_state_amounts_and_day(
    commands: list[tuple[str, dict[str, Any]]], at: datetime, expected: str
) -> None:
    desk = Desk()
    for command, data in [CREATED, *commands]:
        desk.accept(command, **data)
    assert status_unarchived(desk.current, at) == expected
