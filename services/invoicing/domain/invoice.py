"""The invoice as the write side knows it: what its events add up to, stored as current state."""

from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from contracts.events import CreditNote, Source
from contracts.invoice import Document, Shape, Showing, State, Summary
from contracts.money import Money
from contracts.texts import Day, Instant, LongText, Text


class PaymentState(StrEnum):
    """How far a payment has come."""

    REQUESTED = "requested"
    RECEIVED = "received"
    SETTLED = "settled"
    FAILED = "failed"


class Refund(Shape):
    """Money of a payment that was given back."""

    refund_id: Text
    amount: Money
    refunded_at: Instant
    reason: LongText | None = None


class Payment(Shape):
    """A payment, wanted or arrived."""

    payment_id: Text
    amount: Money
    state: PaymentState
    received_at: Instant | None = None
    method: Text | None = None
    source_id: Text | None = None
    failure_code: Text | None = None
    failure_message: LongText | None = None
    refunds: tuple[Refund, ...] = ()

    @property
    def in_flight(self) -> bool:
        """Whether it may still arrive or fail."""
        return self.state in (PaymentState.REQUESTED, PaymentState.RECEIVED)

    @property
    def refundable(self) -> Decimal:
        """What has settled of it and was not given back."""
        settled = self.amount if self.state is PaymentState.SETTLED else self.amount * 0
        return settled - sum((refund.amount for refund in self.refunds), Decimal(0))


class SendState(StrEnum):
    """How far a sending has come."""

    REQUESTED = "requested"
    SENT = "sent"
    FAILED = "failed"


class Sending(Shape):
    """One sending of the invoice by e-mail."""

    state: SendState
    to: Text | None = None
    message: LongText | None = None
    code: Text | None = None


class Invoice(Showing, Summary):
    """An invoice after some number of events. `version` counts them."""

    document_field = "document"
    version: int
    document: Document
    archived: bool = False
    overdue_as_of: Day | None = None
    attempt_count: int = 0
    next_attempt_at: Instant | None = None
    payments: dict[str, Payment] = Field(default_factory=dict)
    credit_notes: tuple[CreditNote, ...] = ()
    sources: dict[str, Source] = Field(default_factory=dict)
    detached_source_ids: tuple[str, ...] = ()
    sendings: dict[str, Sending] = Field(default_factory=dict)
    entered: dict[State, Instant] = Field(default_factory=dict)
    created_at: Instant
    updated_at: Instant

    @property
    def has_payment_in_flight(self) -> bool:
        """Whether a payment may still arrive or fail."""
        return any(payment.in_flight for payment in self.payments.values())
