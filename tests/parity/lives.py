"""Lives of invoices, as commands: one of each is there for every row to look at."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.domain.complete import PARTICULARS
from tests.support.service.commands import Sent

LATER = "2099-12-31"
SHELF = "shelf"
"""The application that the invoices to look at come from, and no other."""

INVOICE: dict[str, Any] = {
    "customer_id": "cus_42",
    "currency": "USD",
    "due_date": LATER,
    "items": [
        {
            "description": "Pro plan",
            "quantity": "2",
            "unit_price": "100.00",
            "tax": {"rate": "0.07125"},
        }
    ],
}
"""200.00 at 7.125% tax: 214.25."""

COMPLETE: dict[str, Any] = {**PARTICULARS, "currency": "USD", "due_date": LATER}
"""Every field that there is."""

PAYMENT = {"payment_id": "pay_1", "amount": "214.25", "currency": "USD"}
IN_FLIGHT = {**PAYMENT, "settled": False, "source_id": "src_1", "method": "card"}
FAILURE = {
    "payment_id": "pay_1",
    "code": "declined",
    "message": "No money.",
    "next_attempt_at": "2026-12-24T10:00:00Z",
}
REFUND_ID = {"payment_id": "pay_1", "refund_id": "ref_1"}
REFUND = {**REFUND_ID, "amount": "214.25"}
ACTION = {"code": "authentication_required", "url": "https://pay.example/7"}
SOURCE = {"source_id": "src_1", "type": "creditCard"}
UNUSABLE: Mapping[str, Mapping[str, Any]] = {
    "in_euro": {"currency": "EUR"},
    "expired": {"expirationMonth": 12, "expirationYear": 2003},
    **{state: {"state": state} for state in ("consumed", "cancelled", "failed")},
}
"""Details of sources that cannot be charged for an invoice in dollars."""
LONG_AGO = {"document_date": "2020-01-01", "due_date": "2020-01-31"}

Command = tuple[str, Mapping[str, Any]]


def create(**data: Any) -> Command:
    return ("CreateInvoice", {**INVOICE, **data})


def pay(amount: str, **data: Any) -> Command:
    return ("RecordPayment", {**PAYMENT, "amount": amount, **data})


LIVES: Mapping[str, Sequence[Command]] = {
    "draft": [create(state="draft")],
    "below_zero": [create(state="draft", items=[{"amount": "-1.00"}])],
    "reopened": [create(), ("UnpostInvoice", {})],
    "deleted": [create(state="draft"), ("DeleteInvoice", {})],
    "upcoming": [create()],
    "complete": [("CreateInvoice", COMPLETE)],
    "euro": [
        create(
            currency="EUR",
            customer_id="cus_7",
            upstream_id="up_7",
            metadata={"campaign": "autumn"},
            items=[{"amount": "7.00", "sku_id": "sku_7"}],
        )
    ],
    "overdue": [create(**LONG_AGO)],
    "noticed": [create(**LONG_AGO), ("MarkInvoiceOverdue", {"as_of": "2020-02-01"})],
    "with_source": [create(source_id="src_1")],
    "requested": [create(source_id="src_1"), ("PayInvoice", {"amount": "14.25"})],
    "received": [create(), ("RecordPayment", IN_FLIGHT)],
    "settled": [create(), ("RecordPayment", IN_FLIGHT), ("SettlePayment", {"payment_id": "pay_1"})],
    "failed": [create(), ("RecordPayment", IN_FLIGHT), ("RecordPaymentFailure", FAILURE)],
    "partially_paid": [create(), pay("100.00")],
    "paid": [create(), pay("214.25")],
    "free": [create(items=[{"amount": "0"}])],
    "overpaid": [create(), pay("300.00")],
    "refunded": [
        create(),
        pay("214.25"),
        ("RefundPayment", REFUND),
    ],
    "charge_cancelled": [
        create(source_id="src_1"),
        ("PayInvoice", {}),
        ("CancelPaymentRequest", {"payment_id": "inv_charge_cancelled-3", "reason": "By wire."}),
    ],
    "needs_action": [
        create(source_id="src_1"),
        ("PayInvoice", {}),
        ("RecordPaymentAction", {"payment_id": "inv_needs_action-3", **ACTION}),
    ],
    "refund_pending": [create(), pay("214.25"), ("RefundPayment", {**REFUND, "execute": True})],
    "refund_failed": [
        create(),
        pay("214.25"),
        ("RefundPayment", REFUND),
        ("RecordRefundFailure", {**REFUND_ID, "code": "account_closed", "message": "Gone."}),
    ],
    "returned": [
        create(),
        pay("214.25"),
        ("ReturnPayment", {"payment_id": "pay_1", "code": "R01"}),
    ],
    "disputed": [
        create(),
        pay("214.25"),
        ("OpenDispute", {"payment_id": "pay_1", "dispute_id": "dis_1", "amount": "214.25"}),
    ],
    **{
        f"source_{why}": [create(), ("AttachSource", {**SOURCE, "details": details})]
        for why, details in UNUSABLE.items()
    },
    "credited": [create(), ("IssueCreditNote", {"credit_note_id": "cn_1", "amount": "14.25"})],
    "reversed": [create(), ("ReverseInvoice", {})],
    "void": [create(), ("VoidInvoice", {})],
    "cancelled": [create(state="draft"), ("CancelInvoice", {})],
    "uncollectible": [create(), ("WriteOffInvoice", {})],
    "archived": [create(), ("ArchiveInvoice", {})],
    "sent": [create(), ("RecordInvoiceSent", {"send_id": "send_1", "to": "ada@example.com"})],
}


def lived(life: str, subject: str) -> list[Sent]:
    """A life as the commands of one invoice."""
    return [Sent(type_, subject, dict(data)) for type_, data in LIVES[life]]


def shelved(life: str) -> list[Sent]:
    """The one invoice of a life that is there to be looked at."""
    creation, *rest = lived(life, f"inv_{life}")
    data = {"application_id": SHELF, **creation.data}
    return [Sent(creation.type, creation.subject, data), *rest]
