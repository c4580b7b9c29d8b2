"""The current state of an invoice: what its events add up to, stored as a snapshot.

All times are in UTC.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import Field
from pydantic_core import from_json

from invoicing.contracts.events import CreditNote, Source
from invoicing.contracts.invoice import Document, State, Summary
from invoicing.contracts.lazy_document import LazyDocument
from invoicing.contracts.model import ContractModel, given_fields
from invoicing.contracts.raw_member import split_last
from invoicing.contracts.types.money import Money
from invoicing.contracts.types.texts import Day, LongText, Text
from invoicing.domain.entries import Entries, EntrySequence, Fact, Kind, PartKey, total, with_entry


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


IN_FLIGHT: Final = Fact("in_flight", lambda payment: int(payment.in_flight))
ON_ITS_WAY: Final = Fact(
    "on_its_way",
    lambda payment: payment.amount * (payment.state is PaymentState.RECEIVED),
)
OPEN_DISPUTES: Final = Fact(
    "open_disputes",
    lambda payment: sum(dispute.state is DisputeState.OPEN for dispute in payment.disputes),
)
UNSETTLED: Final = Fact("unsettled", lambda payment: int(not payment.has_settled))
REQUESTED_OR_GIVEN_UP: Final = Fact(
    "requested_or_given_up",
    lambda payment: int(payment.state is PaymentState.REQUESTED or payment.was_given_up),
)
RETURNABLE: Final = Fact(
    "returnable",
    lambda payment: int(payment.has_settled and payment.returned < payment.amount),
)
DISPUTABLE: Final = Fact(
    "disputable",
    lambda payment: int(payment.has_settled and payment.disputed < payment.amount),
)
DISPUTED: Final = Fact("disputed", lambda payment: int(payment.disputed > 0))
REFUNDABLE: Final = Fact("refundable", lambda payment: int(payment.refundable > 0))
NOT_ALL_REFUNDED: Final = Fact(
    "not_all_refunded",
    lambda payment: int(payment.has_settled and payment.refunded < payment.amount),
)
HAS_REFUNDS: Final = Fact("has_refunds", lambda payment: int(bool(payment.refunds)))
WAS_SENT: Final = Fact("was_sent", lambda sending: int(sending.was_requested_or_sent))


HELD_IN_DISPUTES: Final = Fact(
    "held_in_disputes",
    lambda payment: sum(d.amount for d in payment.disputes if d.state is DisputeState.OPEN),
)
PENDING_REFUNDS: Final = Fact(
    "pending_refunds",
    lambda payment: sum(r.amount for r in payment.refunds if r.state is RefundState.PENDING),
)


def _shape_of_payment(payment: Payment) -> PaymentState | None:
    # Nearly all have arrived whole, and then the state says everything.
    has_parts = payment.refunds or payment.returns or payment.disputes
    is_counted_by_amount = payment.state is PaymentState.RECEIVED or not payment.amount
    return None if has_parts or is_counted_by_amount else payment.state


def _parts_of_payment(payment: Payment) -> Iterator[PartKey]:
    for refund in payment.refunds:
        yield "refund", refund.refund_id
    for returned in payment.returns:
        if returned.return_id is not None:
            yield "return", returned.return_id
    for dispute in payment.disputes:
        yield "dispute", dispute.dispute_id


PAYMENTS: Final = Kind(
    "payment",
    Payment,
    facts=(
        IN_FLIGHT, ON_ITS_WAY, OPEN_DISPUTES, UNSETTLED, REQUESTED_OR_GIVEN_UP, RETURNABLE,
        DISPUTABLE, DISPUTED, REFUNDABLE, NOT_ALL_REFUNDED, HAS_REFUNDS, HELD_IN_DISPUTES,
        PENDING_REFUNDS,
    ),
    shape_of=_shape_of_payment,
    is_open=lambda payment: payment.state is PaymentState.REQUESTED,
    parts_of=_parts_of_payment,
)  # fmt: skip
CREDIT_NOTES: Final = Kind("credit_note", RecordedCreditNote)
SENDINGS: Final = Kind(
    "sending",
    Sending,
    facts=(WAS_SENT,),
    is_open=lambda sending: sending.state is SendState.REQUESTED,
)

ENTRY_KINDS: Final[Mapping[str, Kind[Any]]] = {
    "payments": PAYMENTS,
    "credit_notes": CREDIT_NOTES,
    "sendings": SENDINGS,
}
"""By the fields of an invoice."""

if TYPE_CHECKING:
    # Where there are many, `Entries`.
    PaymentsById = Mapping[str, Payment]
    CreditNotes = Sequence[RecordedCreditNote]
    SendingsById = Mapping[str, Sending]
else:
    PaymentsById = dict[str, Payment]
    CreditNotes = tuple[RecordedCreditNote, ...]
    SendingsById = dict[str, Sending]


class Invoice(Summary):
    """An invoice after `version` events."""

    version: int
    lazy_document: LazyDocument = Field(exclude=True)
    archived: bool = False
    overdue_as_of: Day | None = None
    attempt_count: int = 0
    next_attempt_at: datetime | None = None
    payments: PaymentsById = Field(default_factory=dict)
    credit_notes: CreditNotes = ()
    sources: dict[str, AttachedSource] = Field(default_factory=dict)
    detached_source_ids: tuple[str, ...] = ()
    sendings: SendingsById = Field(default_factory=dict)
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
        return total(self.payments, IN_FLIGHT) > 0

    @property
    def json_value(self) -> dict[str, Any]:
        """The fields to write as JSON, with the document at the end."""
        fields = dict(given_fields(self._with_inline_entries()))
        fields["entered"] = {state.value: at for state, at in self.entered.items()}
        fields["document"] = fields.pop("lazy_document")
        return fields

    def _with_inline_entries(self) -> "Invoice":
        """The same, with all its entries in dicts and tuples."""
        inline: dict[str, Any] = {
            name: dict(entries)
            for name in ("payments", "sendings")
            if isinstance(entries := getattr(self, name), Entries)
        }
        if isinstance(self.credit_notes, EntrySequence):
            inline["credit_notes"] = tuple(self.credit_notes)
        return self.copy_with(**inline) if inline else self

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Parse what `to_json` wrote; the document is parsed on first access."""
        text = json_data if isinstance(json_data, str) else json_data.decode()
        state, document = split_last(text, "document")
        fields = from_json(state)
        fields["lazy_document"] = lazy = LazyDocument(document)
        if "times_paid" not in fields:
            # A snapshot of the first releases, as folding its events gives it.
            fields["live_mode"] = lazy.index_fields.live_mode
            fields["times_paid"] = 1 if State.PAID in fields.get("entered", ()) else 0
        return cls.model_validate(fields, **options)


def with_credit_note(notes: CreditNotes, note: RecordedCreditNote) -> CreditNotes:
    """The credit notes with this one added or replaced."""
    if isinstance(notes, EntrySequence):
        return EntrySequence(notes.entries.with_entry(note.credit_note_id, note))
    by_id = {one.credit_note_id: one for one in notes}
    after = with_entry(CREDIT_NOTES, by_id, note.credit_note_id, note)
    return EntrySequence(after) if isinstance(after, Entries) else tuple(after.values())


_SUMMARY = tuple(Summary.model_fields)
_summary_values = itemgetter(*_SUMMARY)


def summary_of(source: Summary) -> dict[str, Any]:
    """The summary of an event or an invoice, by the names of its fields."""
    return dict(zip(_SUMMARY, _summary_values(source.__dict__), strict=True))
