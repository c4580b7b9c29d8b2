"""A story that emits every event: the examples of all messages are taken from it.

Only its commands are written here. The service itself makes the events and replies of them.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, Final

import orjson

from invoicing.contracts.types.texts import rfc3339
from invoicing.domain.numbering import format_number
from invoicing.domain.sellers import read_sellers
from invoicing.store.memory import MemoryStore
from invoicing.store.rows import Position, StoredEvent, StoredInvoice, StoredReply
from invoicing.worker.batch import BatchHandler
from invoicing.worker.records import LaneState, Record

BEGIN: Final = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
SOURCE: Final = "/orders"
SELLERS: Final = """
[sellers.default]
name = "Acme Cloud Inc."
address = { line1 = "1 Market Street", city = "Portland", state = "OR", country = "US" }
tax_ids = [{ type = "us_ein", value = "12-3456789" }]
payment_terms_days = 30
"""

Step = tuple[str, str, dict[str, Any]]

_ADA: Final = {
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "phone": "+1 503 555 0100",
    "organization": "Analytical Engines Ltd.",
    "address": {
        "line1": "12 St James's Square",
        "city": "London",
        "postal_code": "SW1Y 4JH",
        "country": "GB",
    },
}

_WHOLE: Final[dict[str, Any]] = {
    "customer_id": "cus_42",
    "currency": "USD",
    "due_date": "2026-12-20",
    "items": [
        {
            "sku_id": "sku_pro",
            "description": "Pro plan",
            "quantity": "2",
            "unit_price": "100.00",
            "discount": {"percent_off": "10", "amount_off": "5.00"},
            "tax": {"rate": "0.07125"},
            "subscription": {
                "subscription_id": "sub_7",
                "plan_id": "plan_pro",
                "auto_renewal": True,
                "start_time": "2026-11-01T00:00:00Z",
                "end_time": "2026-12-01T00:00:00Z",
            },
        },
        {
            "sku_id": "sku_phone",
            "description": "Desk telephone",
            "unit_price": "49.90",
            "tax": {"amount": "3.56", "category": "hardware"},
            "fees": [{"type": "recycling", "per_unit_amount": "0.50"}],
            "duties": {"amount": "2.00"},
            "importer_tax": {"amount": "1.20"},
        },
    ],
    "discount": {"amount_off": "10.00"},
    "shipping": {"amount": "4.90", "tax": {"rate": "0.07125"}},
    "email": "ada@example.com",
    "memo": "Thank you for your order.",
    "locale": "en-GB",
    "customer_type": "business",
    "charge_type": "customer_initiated",
    "bill_to": _ADA,
    "ship_to": _ADA,
    "tax_identifiers": [{"type": "gb_vat", "value": "GB123456789", "state": "pending"}],
    "metadata": {"campaign": "autumn"},
    "upstream_id": "up_1001",
    "order_id": "ord_77",
}
_SMALL: Final[dict[str, Any]] = {
    "customer_id": "cus_43",
    "currency": "EUR",
    "items": [{"description": "Consulting, hours", "quantity": "1.5", "unit_price": "80"}],
}
_PAYMENT: Final = {"payment_id": "pay_1", "amount": "100.00", "currency": "USD"}

_LANE: Final = LaneState("invoices.commands", 0, checkpoint=0, routing_partitions=1)

STORY: Final[Sequence[Step]] = (
    ("CreateInvoice", "inv_1001", _WHOLE),
    ("SendInvoice", "inv_1001", {"message": "Your invoice for November."}),
    ("RecordInvoiceSent", "inv_1001", {"send_id": "inv_1001-3", "to": "ada@example.com"}),
    (
        "AttachSource",
        "inv_1001",
        {
            "source_id": "src_1",
            "type": "creditCard",
            "details": {"brand": "Visa", "lastFourDigits": "1111", "expirationYear": 2029},
        },
    ),
    ("PayInvoice", "inv_1001", {"source_id": "src_1", "amount": "50.00"}),
    (
        "RecordPaymentFailure",
        "inv_1001",
        {
            "payment_id": "inv_1001-6",
            "code": "card_declined",
            "message": "The bank declined the charge.",
            "next_attempt_at": "2026-11-23T10:00:00Z",
        },
    ),
    ("MarkInvoiceOverdue", "inv_1001", {"as_of": "2026-12-21"}),
    (
        "RecordPayment",
        "inv_1001",
        {**_PAYMENT, "received_at": "2026-11-20T09:58:00Z", "method": "wire_transfer"},
    ),
    (
        "RecordPayment",
        "inv_1001",
        {"payment_id": "pay_2", "amount": "150.00", "currency": "USD", "settled": False},
    ),
    ("SettlePayment", "inv_1001", {"payment_id": "pay_2"}),
    (
        "RefundPayment",
        "inv_1001",
        {
            "payment_id": "pay_2",
            "refund_id": "ref_1",
            "amount": "0.50",
            "reason": "Paid too much.",
        },
    ),
    ("ArchiveInvoice", "inv_1001", {}),
    ("RestoreInvoice", "inv_1001", {}),
    ("CreateInvoice", "inv_1002", {**_SMALL, "state": "draft"}),
    (
        "UpdateInvoice",
        "inv_1002",
        {"memo": "For your workshop in November.", "payment_terms_days": 14},
    ),
    ("OpenInvoice", "inv_1002", {}),
    ("UnpostInvoice", "inv_1002", {"reason": "The hours were wrong."}),
    ("AttachSource", "inv_1002", {"source_id": "src_2", "type": "wireTransfer"}),
    ("DetachSource", "inv_1002", {"source_id": "src_2"}),
    ("CancelInvoice", "inv_1002", {"reason": "The workshop did not take place."}),
    ("CreateInvoice", "inv_1003", {**_SMALL, "state": "draft"}),
    ("DeleteInvoice", "inv_1003", {}),
    ("CreateInvoice", "inv_1004", _SMALL),
    ("VoidInvoice", "inv_1004", {"reason": "Made twice."}),
    ("VoidInvoice", "inv_1004", {"reason": "Made twice."}),
    ("CreateInvoice", "inv_1005", _SMALL),
    (
        "IssueCreditNote",
        "inv_1005",
        {
            "credit_note_id": "cn_1",
            "items": [{"id": "1", "quantity": "0.5"}],
            "reason": "Half an hour less.",
        },
    ),
    ("RecordInvoiceSendFailure", "inv_1005", {"send_id": "mail_9", "code": "mailbox_unknown"}),
    ("WriteOffInvoice", "inv_1005", {"reason": "The collection period has passed."}),
    ("CreateInvoice", "inv_1006", _SMALL),
    ("ReverseInvoice", "inv_1006", {"reason": "Delivered to somebody else."}),
    ("CreateInvoice", "inv_1007", {"customer_id": "cus_44", "currency": "EUR", "total": "9"}),
    ("ReinstateInvoice", "inv_1005", {"reason": "The customer has promised to pay."}),
    ("CreateInvoice", "inv_1008", _SMALL),
    ("AttachSource", "inv_1008", {"source_id": "src_3", "type": "creditCard"}),
    ("PayInvoice", "inv_1008", {}),
    (
        "RecordPaymentAction",
        "inv_1008",
        {
            "payment_id": "inv_1008-4",
            "code": "authentication_required",
            "url": "https://pay.example/confirm/7",
        },
    ),
    (
        "CancelPaymentRequest",
        "inv_1008",
        {"payment_id": "inv_1008-4", "reason": "The customer pays by direct debit."},
    ),
    (
        "RecordPayment",
        "inv_1008",
        {"payment_id": "pay_3", "amount": "120.00", "method": "sepa_debit"},
    ),
    (
        "RefundPayment",
        "inv_1008",
        {"payment_id": "pay_3", "refund_id": "ref_2", "amount": "20.00", "execute": True},
    ),
    (
        "RecordRefundFailure",
        "inv_1008",
        {
            "payment_id": "pay_3",
            "refund_id": "ref_2",
            "code": "account_closed",
            "message": "The account of the customer is closed.",
        },
    ),
    (
        "RefundPayment",
        "inv_1008",
        {"payment_id": "pay_3", "refund_id": "ref_3", "amount": "20.00", "settled": False},
    ),
    (
        "SettleRefund",
        "inv_1008",
        {
            "payment_id": "pay_3",
            "refund_id": "ref_3",
            "amount": "20.00",
            "settled_at": "2026-11-20T10:40:00Z",
        },
    ),
    (
        "OpenDispute",
        "inv_1008",
        {
            "payment_id": "pay_3",
            "dispute_id": "dis_1",
            "amount": "50.00",
            "reason": "The customer does not know the charge.",
            "evidence_due_at": "2026-12-04T00:00:00Z",
        },
    ),
    ("CloseDispute", "inv_1008", {"dispute_id": "dis_1", "outcome": "lost", "fee": "15.00"}),
    (
        "ReturnPayment",
        "inv_1008",
        {
            "payment_id": "pay_3",
            "return_id": "ret_1",
            "amount": "30.00",
            "code": "MD06",
            "fee": "4.00",
        },
    ),
    ("CreateInvoice", "inv_1020", {**_SMALL, "state": "draft"}),
    ("CancelInvoice", "inv_1020", {}),
    ("RestateInvoice", "inv_1020", {}),
    (
        "VoidCreditNote",
        "inv_1005",
        {"credit_note_id": "cn_1", "reason": "The hours were worked after all."},
    ),
)
"""A new step goes to the end: the steps before it keep their ids and times."""


_STEPS_BEFORE_OVERDUE: Final = [command for command, _, _ in STORY].index("MarkInvoiceOverdue")


@dataclass(frozen=True, slots=True)
class StoryResult:
    """The commands of a story, and what the service stored for them."""

    commands: Sequence[dict[str, Any]]
    events: Sequence[StoredEvent]
    answers: Sequence[StoredReply]
    invoices: Sequence[StoredInvoice]


def run_story(story: Sequence[Step] = STORY) -> StoryResult:
    """Handle a story by the real batch handler, one command a minute. Deterministic."""
    sellers = read_sellers(SELLERS)
    store = MemoryStore(partial(format_number, sellers=sellers))
    instants = map(_instant, count(1))
    handler = BatchHandler(store, sellers, lambda: next(instants))
    commands = [command_message(number, step) for number, step in enumerate(story, start=1)]

    async def handle() -> None:
        for offset, command in enumerate(commands):
            if command["type"] == "RestateInvoice":
                _publish_by_the_first_rules(store, command["subject"])
            record = Record(
                position=Position("invoices.commands", 0, offset),
                key=command["subject"].encode(),
                value=orjson.dumps(command),
                headers=(),
                timestamp_ms=int(BEGIN.timestamp() * 1000),
            )
            await handler.handle([record], _LANE)

    asyncio.run(handle())
    return StoryResult(
        commands,
        list(store.events.values()),
        list(store.replies.values()),
        list(store.invoices.values()),
    )


def _instant(number: int) -> datetime:
    """When a step is handled: one a minute, and those from the overdue notice on in December."""
    is_overdue = number > _STEPS_BEFORE_OVERDUE
    return BEGIN + timedelta(minutes=number - 1, days=31 if is_overdue else 0)


def _publish_by_the_first_rules(store: MemoryStore, invoice_id: str) -> None:
    """Leave a cancelled draft as the first releases did: with an amount due."""

    row = store.invoices.get(invoice_id)
    if row is None:
        return
    due = '"amount_due":"' + orjson.loads(row.snapshot)["total"] + '"'

    def republished(text: str) -> str:
        return text.replace('"amount_due":"0.00"', due).replace(',"times_paid":0', "")

    store.invoices[invoice_id] = row._replace(snapshot=republished(row.snapshot))
    for key, event in store.events.items():
        if event.invoice_id == invoice_id:
            store.events[key] = event._replace(document=republished(event.document))


def command_message(number: int, step: Step) -> dict[str, Any]:
    """The CloudEvent of a step; `number` makes its id and its time."""
    command_type, invoice_id, data = step
    return {
        "specversion": "1.0",
        "id": f"order-77-{number}",
        "source": SOURCE,
        "type": command_type,
        "subject": invoice_id,
        "time": rfc3339(_instant(number)),
        "datacontenttype": "application/json",
        "correlationid": "order-77",
        "data": data,
    }
