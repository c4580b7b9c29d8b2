"""The invoice as the write side knows it: what its events add up to, stored as current state.

Every time in it is in UTC, as the events that it came with.
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
from invoicing.contracts.types.money import Money
from invoicing.contracts.types.texts import Day, LongText, Text


class PaymentState(StrEnum):
    """How far a payment has come."""

    REQUESTED = "requested"
    RECEIVED = "received"
    SETTLED = "settled"
    FAILED = "failed"


class Refund(ContractModel):
    """Money of a payment that was given back."""

    refund_id: Text
    amount: Money
    refunded_at: datetime
    reason: LongText | None = None


class Payment(ContractModel):
    """A payment, wanted or arrived."""

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


class Sending(ContractModel):
    """One sending of the invoice by e-mail."""

    state: SendState
    to: Text | None = None
    message: LongText | None = None
    code: Text | None = None
    sent_at: datetime | None = None


class AttachedSource(Source):
    """A means of payment, and since when the invoice has it."""

    attached_at: datetime | None = None


# Stands once at most after the state: in JSON a text's quotes are escaped, and within a document
# the names that people choose (metadata) are never given an object.
_DOCUMENT = ',"document":{'


class Invoice(Summary):
    """An invoice after some number of events. `version` counts them."""

    version: int
    filed: LazyDocument = Field(exclude=True)
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
        """The whole invoice as it was given and worked out."""
        return self.filed.document

    @property
    def has_payment_in_flight(self) -> bool:
        """Whether a payment may still arrive or fail."""
        return any(payment.in_flight for payment in self.payments.values())

    def model_dump_json(self, **options: Any) -> str:
        """As JSON, the document at its end."""
        return f'{super().model_dump_json(**options)[:-1]},"document":{self.filed.json_text}}}'

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Read what `model_dump_json` wrote; the document is read when it is looked at."""
        text = json_data if isinstance(json_data, str) else json_data.decode()
        state, _, document = text.rpartition(_DOCUMENT)
        filed = LazyDocument("{" + document[:-1])
        return cls.model_validate({**from_json(state + "}"), "filed": filed}, **options)


_SUMMARY = tuple(Summary.model_fields)


def summary_of(told: Summary) -> dict[str, Any]:
    """The summary that an event holds, or an invoice, by the names of its fields."""
    fields = told.__dict__
    return {name: fields[name] for name in _SUMMARY}
