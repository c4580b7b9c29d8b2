"""The current state of an invoice: what its events add up to, stored as a snapshot.

All times are in UTC.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

from pydantic import Field
from pydantic_core import from_json

from invoicing.contracts.events import CreditNote, Source
from invoicing.contracts.invoice import Document, State, Summary
from invoicing.contracts.lazy_document import LazyDocument
from invoicing.contracts.model import ContractModel
from invoicing.contracts.raw_member import append_member, split_last
from invoicing.contracts.types.money import Money
from invoicing.contracts.types.texts import Day, LongText, Text


class PaymentState(StrEnum):
    """The state of a payment: requested and received ones are in flight."""

    REQUESTED = "requested"
    RECEIVED = "received"
    SETTLED = "settled"
    FAILED = "failed"


class Refund(ContractModel):
    """A refund of a part of a payment."""

    refund_id: Text
    amount: Money
    refunded_at: datetime
    reason: LongText | None = None


class Payment(ContractModel):
    """A payment that was requested or has arrived."""

    payment_id: Text
    amount: Money
    state: PaymentState
    received_at: datetime | None = None
    method: Text | None = None
    source_id: Text | None = None
    failure_code: Text | None = None
    failure_message: LongText | None = None
    refunds: tuple[Refund, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def in_flight(self) -> bool:
        """Whether the payment may still settle or fail."""
        return self.state in (PaymentState.REQUESTED, PaymentState.RECEIVED)

    @property
    def refundable(self) -> Decimal:
        """The settled amount that was not refunded."""
        settled = self.amount if self.state is PaymentState.SETTLED else self.amount * 0
        return settled - sum((refund.amount for refund in self.refunds), Decimal(0))


class SendState(StrEnum):
    """The state of a sending."""

    REQUESTED = "requested"
    SENT = "sent"
    FAILED = "failed"


class Sending(ContractModel):
    """A sending of the invoice by e-mail."""

    state: SendState
    to: Text | None = None
    message: LongText | None = None
    code: Text | None = None
    sent_at: datetime | None = None


class AttachedSource(Source):
    """A payment source and the time at which it was attached."""

    attached_at: datetime | None = None


class Invoice(Summary):
    """An invoice after `version` events."""

    version: int
    lazy_document: LazyDocument = Field(exclude=True)
    archived: bool = False
    overdue_as_of: Day | None = None
    attempt_count: int = 0
    next_attempt_at: datetime | None = None
    payments: dict[str, Payment] = Field(default_factory=dict)
    credit_notes: tuple[CreditNote, ...] = ()
    sources: dict[str, AttachedSource] = Field(default_factory=dict)
    detached_source_ids: tuple[str, ...] = ()
    sendings: dict[str, Sending] = Field(default_factory=dict)
    last_notification_at: datetime | None = None
    entered: dict[State, datetime] = Field(default_factory=dict)
    created_at: datetime
    updated_at: datetime

    @property
    def document(self) -> Document:
        """The document, parsed on first access."""
        return self.lazy_document.document

    @property
    def has_payment_in_flight(self) -> bool:
        """Whether any payment may still settle or fail."""
        return any(payment.in_flight for payment in self.payments.values())

    def model_dump_json(self, **options: Any) -> str:
        """Serialise, with the document at the end."""
        state = super().model_dump_json(**options)
        return append_member(state, "document", self.lazy_document.json_text)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Parse what `model_dump_json` wrote; the document is parsed on first access."""
        text = json_data if isinstance(json_data, str) else json_data.decode()
        state, document = split_last(text, "document")
        fields = from_json(state)
        fields["lazy_document"] = lazy = LazyDocument(document)
        if "times_paid" not in fields:
            # A snapshot of the first releases, as folding its events gives it.
            fields["live_mode"] = lazy.index_fields.live_mode
            fields["times_paid"] = 1 if State.PAID in fields.get("entered", ()) else 0
        return cls.model_validate(fields, **options)


_SUMMARY = tuple(Summary.model_fields)


def summary_of(source: Summary) -> dict[str, Any]:
    """The summary of an event or an invoice, by the names of its fields."""
    fields = source.__dict__
    return {name: fields[name] for name in _SUMMARY}
