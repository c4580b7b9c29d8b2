"""The commands that the search tries in a situation: every command about money, with few amounts.

The invoice is of 100.00. Amounts are such that they meet: what is paid is what is due, less or more
than that, or all that is left. Of whatever has an id there are so many at most, that all orders of
them can be tried.
"""

from collections.abc import Iterator
from typing import Any, Final

from tests.support.domain.search.facts import Facts

Step = tuple[str, dict[str, Any]]

PAYMENTS_MAX: Final = 2
REFUNDS_MAX: Final = 2
DISPUTES_MAX: Final = 1
NOTES_MAX: Final = 2
AMOUNTS: Final = ("30.00", "100.00")

CREATED: Final[Step] = (
    "CreateInvoice",
    {
        "customer_id": "cus_1",
        "currency": "USD",
        "due_date": "2026-12-20",
        "source_id": "src_1",
        "items": [{"amount": "100.00"}],
    },
)
WITHOUT_DATA: Final = (
    "OpenInvoice",
    "UnpostInvoice",
    "VoidInvoice",
    "CancelInvoice",
    "ReverseInvoice",
    "DeleteInvoice",
    "WriteOffInvoice",
    "ReinstateInvoice",
)
LEFT_OUT: Final = frozenset(
    {
        "AttachSource",
        "DetachSource",
        "ArchiveInvoice",
        "RestoreInvoice",
        "SendInvoice",
        "RecordInvoiceSent",
        "RecordInvoiceSendFailure",
        "MarkInvoiceOverdue",
        "RestateInvoice",
    }
)
"""Commands that change no amount: they would only multiply the situations."""


def first_steps() -> Iterator[Step]:
    """An invoice is created open, or as a draft."""
    name, data = CREATED
    yield name, data
    yield name, data | {"state": "draft"}


def next_steps(facts: Facts) -> Iterator[Step]:
    """All that is tried next. Most of it is rejected in most situations."""
    for name in WITHOUT_DATA:
        yield name, {}
    if facts.life == "draft":
        yield "UpdateInvoice", {"items": [{"amount": "30.00"}]}
    yield from _payments(facts)
    for payment_id in facts.payments:
        yield from _steps_of_payment(facts, payment_id)
    yield from _steps_of_refunds(facts)
    yield from _credit_notes(facts)


def _payments(facts: Facts) -> Iterator[Step]:
    if len(facts.payments) < PAYMENTS_MAX:
        yield "PayInvoice", {}
        yield "PayInvoice", {"amount": "30.00"}
        new = {"payment_id": f"pay_{len(facts.payments)}"}
        for amount in AMOUNTS:
            yield "RecordPayment", new | {"amount": amount}
            yield "RecordPayment", new | {"amount": amount, "settled": False}


def _steps_of_payment(facts: Facts, payment_id: str) -> Iterator[Step]:
    of = {"payment_id": payment_id}
    yield "RecordPayment", of | {"amount": "30.00"}
    yield "RecordPayment", of | {"amount": "30.00", "settled": False}
    yield "SettlePayment", of
    yield "SettlePayment", of | {"amount": "30.00"}
    yield "RecordPaymentFailure", of | {"code": "declined"}
    yield "CancelPaymentRequest", of
    yield "RecordPaymentAction", of | {"code": "confirm"}
    yield "ReturnPayment", of | {"code": "R01"}
    yield "ReturnPayment", of | {"code": "R01", "amount": "30.00"}
    if len(facts.refunds) < REFUNDS_MAX:
        new = of | {"refund_id": f"ref_{len(facts.refunds)}"}
        for amount in AMOUNTS:
            yield "RefundPayment", new | {"amount": amount}
            yield "RefundPayment", new | {"amount": amount, "settled": False}
            yield "SettleRefund", new | {"amount": amount}
    if len(facts.disputes) < DISPUTES_MAX:
        new = of | {"dispute_id": f"dis_{len(facts.disputes)}"}
        for amount in AMOUNTS:
            yield "OpenDispute", new | {"amount": amount}


def _steps_of_refunds(facts: Facts) -> Iterator[Step]:
    for refund_id, refund in facts.refunds.items():
        of = {"payment_id": refund.payment_id, "refund_id": refund_id}
        yield "SettleRefund", of
        yield "RecordRefundFailure", of | {"code": "account_closed"}
    for dispute_id in facts.disputes:
        for outcome in ("won", "lost", "withdrawn"):
            yield "CloseDispute", {"dispute_id": dispute_id, "outcome": outcome}


def _credit_notes(facts: Facts) -> Iterator[Step]:
    if len(facts.notes) < NOTES_MAX:
        new = {"credit_note_id": f"cn_{len(facts.notes)}"}
        for amount in AMOUNTS:
            yield "IssueCreditNote", new | {"amount": amount}
            for payment_id in facts.payments if len(facts.refunds) < REFUNDS_MAX else ():
                refund = {"payment_id": payment_id, "refund_id": f"ref_{len(facts.refunds)}"}
                yield "IssueCreditNote", new | {"amount": amount, "refund": refund}
                refund_of_part = refund | {"amount": "30.00"}
                yield "IssueCreditNote", new | {"amount": amount, "refund": refund_of_part}
    for credit_note_id in facts.notes:
        yield "VoidCreditNote", {"credit_note_id": credit_note_id}
