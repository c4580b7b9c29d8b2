"""The `data` of every event."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final, Literal, TypeVar

from pydantic import Field

from invoicing.contracts.invoice import State, Summary
from invoicing.contracts.lazy_document import LazyDocument
from invoicing.contracts.model import ContractModel
from invoicing.contracts.types.details import Details
from invoicing.contracts.types.money import Money, Quantity, Rate
from invoicing.contracts.types.texts import Day, Instant, LongText, Text


class EventData(Summary):
    """The `data` of an event: the invoice's summary after it, then the change."""

    type: ClassVar[str]
    schema_version: ClassVar[int] = 1
    declared: ClassVar["EventClass"]


_EVENTS: Final[dict[str, type[EventData]]] = {}
EVENTS: Final[Mapping[str, type[EventData]]] = MappingProxyType(_EVENTS)
"""Every event by its type, in the order that the documents list them."""

EventT = TypeVar("EventT", bound=EventData)
EventClass = type[EventData]


def event(model: type[EventT]) -> type[EventT]:
    """Register an event's data under its `type`."""
    assert model.type not in EVENTS, f"{model.type} is registered twice"
    _EVENTS[model.type] = model
    return model


class DocumentEvent(EventData):
    """An event that carries the whole invoice (event-carried state transfer)."""

    invoice: LazyDocument = Field(description="The whole invoice after the event.")


class Changed(EventData):
    """An event that may have a reason."""

    reason: LongText | None = Field(None, description="The reason, in words.")


class Posted(EventData):
    """An event that the books have on its own day, unless `posting_date` says otherwise."""

    posting_date: Day | None = Field(
        None,
        description="The day that it is posted on, if that is not the event's own day in the"
        " invoice's time zone: the first day after the seller's closed books, or the seller's"
        " today, where its time zone has changed.",
    )


@event
class InvoiceCreated(DocumentEvent):
    """An invoice was created as a draft. If it was to be open, `invoice.opened` follows."""

    type = "invoice.created"


@event
class InvoiceUpdated(DocumentEvent):
    """Fields of the invoice were set."""

    type = "invoice.updated"


@event
class InvoiceDeleted(EventData):
    """A draft was deleted."""

    type = "invoice.deleted"


@event
class InvoiceOpened(DocumentEvent):
    """The invoice was opened: it has its number and can be paid."""

    type = "invoice.opened"


@event
class InvoiceUnposted(Posted, Changed):
    """The invoice is a draft again and keeps its number."""

    type = "invoice.unposted"


@event
class InvoiceVoided(Posted, Changed):
    """The invoice was voided and keeps its number."""

    type = "invoice.voided"


@event
class InvoiceCancelled(Changed):
    """A draft was cancelled."""

    type = "invoice.cancelled"


@event
class InvoiceReversed(Changed):
    """The invoice was reversed by the credit note of the event before."""

    type = "invoice.reversed"


@event
class InvoiceWrittenOff(Posted, Changed):
    """The amount due was written off."""

    type = "invoice.written_off"
    amount: Money = Field(description="The amount written off by this event.")


@event
class PaymentRequested(EventData):
    """A charge was requested; the payment is in flight from now on."""

    type = "invoice.payment_requested"
    payment_id: Text = Field(description="The payment to report about.")
    amount: Money = Field(description="The amount to charge.")
    source_id: Text = Field(description="The source to charge.")


@event
class PaymentRecorded(Posted):
    """A payment has arrived or is in flight."""

    type = "invoice.payment_recorded"
    payment_id: Text = Field(description="The payment.")
    amount: Money = Field(description="The amount of the payment.")
    settled: bool = Field(
        description="Whether the payment is final and counts as paid; if not, it is in flight."
    )
    received_at: Instant | None = Field(None, description="When the payment arrived.")
    method: Text | None = Field(None, description="The method of payment.")
    source_id: Text | None = Field(None, description="The source that was charged.")


@event
class PaymentSettled(Posted):
    """A payment is final and counts as paid."""

    type = "invoice.payment_settled"
    payment_id: Text = Field(description="The payment.")
    amount: Money = Field(
        description="The amount that has arrived. It may differ from the expected one."
    )


@event
class PaymentFailed(EventData):
    """A payment in flight will not arrive."""

    type = "invoice.payment_failed"
    payment_id: Text = Field(description="The payment.")
    amount: Money = Field(description="The amount of the payment.")
    code: Text = Field(description="The reason, for programs.")
    message: LongText | None = Field(None, description="The reason, for people.")
    attempt_count: int = Field(description="The number of failed attempts on this invoice so far.")
    next_attempt_at: Instant | None = Field(None, description="When the charge will be retried.")


@event
class PaymentActionRequired(EventData):
    """A requested payment waits for the customer."""

    type = "invoice.payment_action_required"
    payment_id: Text = Field(description="The payment.")
    amount: Money = Field(description="The amount of the payment.")
    code: Text = Field(description="The required action, for programs.")
    url: LongText | None = Field(None, description="Where the customer can do it.")


@event
class PaymentCancelled(EventData):
    """The request for a charge was taken back. The charge may still succeed."""

    type = "invoice.payment_cancelled"
    payment_id: Text = Field(description="The payment.")
    amount: Money = Field(description="The amount that was requested.")
    code: Literal["cancelled", "superseded"] = Field(
        description="Cancelled by command, or superseded: less is due than it requested."
    )
    reason: LongText | None = Field(None, description="The reason, in words.")


@event
class InvoicePaid(EventData):
    """Nothing is owed any more. `times_paid` above 1 says that it was paid before.

    It may be by a credit note, without any money: `amount_paid` tells.
    """

    type = "invoice.paid"


ReopenReason = Literal["refund", "return", "dispute_lost", "credit_note_voided", "reinstated"]


@event
class InvoiceReopened(EventData):
    """The invoice owes again. It may become overdue again."""

    type = "invoice.reopened"
    reason: ReopenReason = Field(description="The fact by which it owes again.")


@event
class InvoiceReinstated(Posted, Changed):
    """What was written off is due again; `invoice.reopened` follows."""

    type = "invoice.reinstated"
    amount: Money = Field(description="The amount that is due again.")


class PublishedAmounts(ContractModel):
    """A state, and the amounts that follow from an invoice's facts."""

    state: State = Field(description="The stored state.")
    amount_due: Money = Field(description="What was due.")
    amount_written_off: Money = Field(description="What was written off.")
    amount_overpaid: Money = Field(description="What was overpaid.")


@event
class InvoiceRestated(Posted):
    """The first releases published other amounts for the same facts; these hold from now on."""

    type = "invoice.restated"
    rules: int = Field(
        description="The version of the rules by which amounts follow from facts.", examples=[2]
    )
    before: PublishedAmounts = Field(description="What was published last.")
    after: PublishedAmounts = Field(description="What follows from the facts.")


@event
class InvoiceOverpaid(EventData):
    """`amount_overpaid` has risen; it can be refunded."""

    type = "invoice.overpaid"


@event
class PaymentRefunded(Posted):
    """A refund is final."""

    type = "invoice.payment_refunded"
    payment_id: Text = Field(description="The payment.")
    refund_id: Text = Field(description="The refund.")
    amount: Money = Field(
        description="The amount that went back. It may differ from the expected one."
    )
    reason: LongText | None = Field(None, description="The reason, in words.")
    settled_at: Instant | None = Field(None, description="When the refund became final.")


@event
class RefundRequested(Posted):
    """A refund is pending: no amount changes until `invoice.payment_refunded`."""

    type = "invoice.refund_requested"
    payment_id: Text = Field(description="The payment.")
    refund_id: Text = Field(description="The refund to report about.")
    amount: Money = Field(description="The amount of the refund.")
    execute: bool = Field(
        description="Whether a payment service is to make it; if not, it is on its way already."
    )
    reason: LongText | None = Field(None, description="The reason, in words.")


@event
class RefundFailed(Posted):
    """A refund has failed. If it was final, its amount counts as received again."""

    type = "invoice.refund_failed"
    payment_id: Text = Field(description="The payment.")
    refund_id: Text = Field(description="The refund.")
    amount: Money = Field(description="The amount of the refund.")
    was_settled: bool = Field(description="Whether the refund had been final.")
    code: Text = Field(description="The reason, for programs.")
    message: LongText | None = Field(None, description="The reason, for people.")


@event
class PaymentReturned(Posted):
    """The bank took a payment back, or a part of it."""

    type = "invoice.payment_returned"
    payment_id: Text = Field(description="The payment.")
    return_id: Text | None = Field(None, description="The return.")
    amount: Money = Field(description="The amount that went back.")
    code: Text = Field(description="The reason, for programs.")
    fee: Money | None = Field(None, description="What the bank charged the seller for it.")


@event
class DisputeOpened(Posted):
    """A payment is disputed. No amount changes until the dispute is lost."""

    type = "invoice.dispute_opened"
    payment_id: Text = Field(description="The payment.")
    dispute_id: Text = Field(description="The dispute.")
    amount: Money = Field(description="The disputed amount.")
    reason: LongText | None = Field(None, description="The reason, in words.")
    evidence_due_at: Instant | None = Field(None, description="Until when evidence can be given.")


DisputeOutcome = Literal["won", "lost", "withdrawn"]


@event
class DisputeClosed(Posted):
    """A dispute has an outcome. If it is lost, the amount went back to the customer."""

    type = "invoice.dispute_closed"
    payment_id: Text = Field(description="The payment.")
    dispute_id: Text = Field(description="The dispute.")
    amount: Money = Field(description="The disputed amount.")
    outcome: DisputeOutcome = Field(description="The outcome.")
    was_lost: bool = Field(
        description="Whether it had been closed as lost before: its amount is back."
    )
    fee: Money | None = Field(None, description="What the provider charged the seller for it.")


class CreditedItem(ContractModel):
    """The part of a credit note that credits one line."""

    id: Text = Field(description="The line's id.")
    quantity: Quantity | None = Field(
        None, description="The quantity credited, if the line is credited by quantity."
    )
    amount: Money = Field(description="With tax.")


class CreditNoteTaxGroup(ContractModel):
    """The part of a credit note that is in one tax group, or untaxed."""

    category: Text | None = Field(
        description="The tax category; null for what is untaxed, such as duties."
    )
    rate: Rate | None = Field(description="The rate; null if only amounts were given, or untaxed.")
    net: Money = Field(description="The amount credited, without the tax.")
    tax: Money = Field(description="The tax credited.")


class CreditNote(ContractModel):
    """A credit note."""

    credit_note_id: Text = Field(description="The credit note.")
    credit_note_number: Text = Field(description="Gapless per seller.", examples=["CN-000001"])
    document_date: Day = Field(description="The date of the credit note.")
    amount: Money = Field(description="The amount credited, with tax.")
    tax_amount: Money = Field(description="The tax in it.")
    tax_groups: tuple[CreditNoteTaxGroup, ...] = Field(
        (),
        description="Net and tax by category and rate; the first releases left them out.",
    )
    items: tuple[CreditedItem, ...] = Field((), description="The lines credited, if it is by line.")
    shipping_amount: Money | None = Field(None, description="The shipping credited, with tax.")
    reason: LongText | None = Field(None, description="The reason, in words.")


@event
class InvoiceCredited(EventData):
    """A credit note was issued."""

    type = "invoice.credited"
    credit_note: CreditNote = Field(description="The credit note.")


@event
class CreditNoteVoided(Posted, Changed):
    """A credit note was voided. It keeps its number, and what it credited is owed again."""

    type = "invoice.credit_note_voided"
    credit_note: CreditNote = Field(description="The credit note that does not stand any more.")


class Source(ContractModel):
    """A payment source."""

    source_id: Text = Field(description="The source.")
    type: Text | None = Field(None, description="The kind of source; null if unknown.")
    details: Details | None = Field(None, description="Details to display.")


@event
class SourceAttached(EventData):
    """A payment source was attached, or its details were set."""

    type = "invoice.source_attached"
    source: Source = Field(description="The source.")


@event
class SourceDetached(EventData):
    """A payment source was detached."""

    type = "invoice.source_detached"
    source_id: Text = Field(description="The source.")


@event
class InvoiceArchived(EventData):
    """The invoice was archived."""

    type = "invoice.archived"


@event
class InvoiceRestored(EventData):
    """The invoice was restored from the archive."""

    type = "invoice.restored"


@event
class SendRequested(EventData):
    """The invoice is to be sent by e-mail."""

    type = "invoice.send_requested"
    send_id: Text = Field(description="The send request to report about.")
    to: Text = Field(description="Recipient.")
    message: LongText | None = Field(None, description="A message to send with it.")


@event
class InvoiceSent(EventData):
    """The invoice was sent."""

    type = "invoice.sent"
    send_id: Text = Field(description="The id of the send request.")
    to: Text = Field(description="Recipient.")


@event
class SendFailed(EventData):
    """The invoice could not be sent."""

    type = "invoice.send_failed"
    send_id: Text = Field(description="The id of the send request.")
    code: Text = Field(description="The reason, for programs.")
    message: LongText | None = Field(None, description="The reason, for people.")


@event
class InvoiceOverdue(EventData):
    """The due date has passed and an amount is due."""

    type = "invoice.overdue"
    due_date: Day = Field(description="The due date.")
    as_of: Day = Field(description="The day on which the invoice was found overdue.")
