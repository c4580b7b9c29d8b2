"""The current state of an invoice: what its events add up to, stored as a snapshot.

All times are in UTC.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from operator import itemgetter
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
    """The state of a payment: requested and received ones are in flight.

    Failed and cancelled ones may still settle, since reports can be late. A returned one settled,
    and all of it went back to the customer's bank.
    """

    REQUESTED = "requested"
    RECEIVED = "received"
    SETTLED = "settled"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RETURNED = "returned"


class RefundState(StrEnum):
    """The state of a refund. A failed one may still settle, and a settled one may still fail."""

    PENDING = "pending"
    SETTLED = "settled"
    FAILED = "failed"


class Refund(ContractModel):
    """A refund of a part of a payment."""

    refund_id: Text
    amount: Money
    state: RefundState = RefundState.SETTLED
    execute: bool = False
    requested_at: datetime | None = None
    refunded_at: datetime | None = None
    failed_at: datetime | None = None
    reason: LongText | None = None
    failure_code: Text | None = None
    failure_message: LongText | None = None


class PaymentReturn(ContractModel):
    """A part of a payment, or all of it, that the customer's bank took back."""

    return_id: Text | None = None
    amount: Money
    code: Text
    fee: Money | None = None
    returned_at: datetime


class DisputeState(StrEnum):
    """The state of a dispute."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"
    WITHDRAWN = "withdrawn"


class Dispute(ContractModel):
    """A dispute about a payment; `fee` is the sum of what the provider charged for it.

    `last_fee` is the fee of the last outcome, 0 where it had none; a repeated report is known by
    it. Older snapshots lack it.
    """

    dispute_id: Text
    amount: Money
    state: DisputeState
    reason: LongText | None = None
    evidence_due_at: datetime | None = None
    fee: Money | None = None
    last_fee: Money | None = None
    opened_at: datetime
    closed_at: datetime | None = None


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
    action_code: Text | None = None
    action_url: LongText | None = None
    refunds: tuple[Refund, ...] = ()
    returns: tuple[PaymentReturn, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def in_flight(self) -> bool:
        """Whether the payment may still settle or fail."""
        return self.state in (PaymentState.REQUESTED, PaymentState.RECEIVED)

    @property
    def was_given_up(self) -> bool:
        """Whether nothing more is expected of the payment, though it may still settle."""
        return self.state in (PaymentState.FAILED, PaymentState.CANCELLED)

    @property
    def has_settled(self) -> bool:
        """Whether the payment has arrived, even if it went back later."""
        return self.state in (PaymentState.SETTLED, PaymentState.RETURNED)

    @property
    def refunded(self) -> Decimal:
        """The sum of its settled refunds."""
        return self._sum(r.amount for r in self.refunds if r.state is RefundState.SETTLED)

    @property
    def returned(self) -> Decimal:
        """The sum of its returns."""
        return self._sum(part.amount for part in self.returns)

    @property
    def disputed(self) -> Decimal:
        """The sum of its open and lost disputes."""
        at_risk = (DisputeState.OPEN, DisputeState.LOST)
        return self._sum(d.amount for d in self.disputes if d.state in at_risk)

    @property
    def refundable(self) -> Decimal:
        """What is left of it: below zero where more went back than had settled."""
        settled = self.amount if self.has_settled else self.amount * 0
        pending = self._sum(r.amount for r in self.refunds if r.state is RefundState.PENDING)
        return settled - self.refunded - pending - self.returned - self.disputed

    def _sum(self, amounts: Iterable[Decimal]) -> Decimal:
        return sum(amounts, self.amount * 0)


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

    @property
    def was_requested_or_sent(self) -> bool:
        """Whether there is more than a report of its failure, which has no recipient."""
        return self.to is not None


class AttachedSource(Source):
    """A payment source and the time at which it was attached."""

    attached_at: datetime | None = None


class RecordedCreditNote(CreditNote):
    """A credit note, and when and why it was voided."""

    voided_at: datetime | None = None
    void_reason: LongText | None = None

    @property
    def is_void(self) -> bool:
        """Whether it credits nothing any more."""
        return self.voided_at is not None

    def as_issued(self) -> CreditNote:
        """The credit note as its event has it."""
        given = self.model_fields_set & CreditNote.model_fields.keys()
        return CreditNote.construct_unchecked(**{name: getattr(self, name) for name in given})


class Invoice(Summary):
    """An invoice after `version` events."""

    version: int
    lazy_document: LazyDocument = Field(exclude=True)
    archived: bool = False
    overdue_as_of: Day | None = None
    attempt_count: int = 0
    next_attempt_at: datetime | None = None
    payments: dict[str, Payment] = Field(default_factory=dict)
    credit_notes: tuple[RecordedCreditNote, ...] = ()
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
    def standing_credit_notes(self) -> tuple[RecordedCreditNote, ...]:
        """The credit notes that were not voided."""
        return tuple(note for note in self.credit_notes if not note.is_void)

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
_summary_values = itemgetter(*_SUMMARY)


def summary_of(source: Summary) -> dict[str, Any]:
    """The summary of an event or an invoice, by the names of its fields."""
    return dict(zip(_SUMMARY, _summary_values(source.__dict__), strict=True))
