"""What happened to an invoice: the `data` of every event."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeVar

from pydantic import Field

from invoicing.contracts.invoice import Summary
from invoicing.contracts.lazy_document import LazyDocument
from invoicing.contracts.model import ContractModel
from invoicing.contracts.types.details import Details
from invoicing.contracts.types.money import Money, Quantity
from invoicing.contracts.types.texts import Day, Instant, LongText, Text


class EventData(Summary):
    """The `data` of an event: the summary after it, then what changed."""

    type: ClassVar[str]
    schema_version: ClassVar[int] = 1


_EVENTS: Final[dict[str, type[EventData]]] = {}
EVENTS: Final[Mapping[str, type[EventData]]] = MappingProxyType(_EVENTS)
"""Every event by its type, in the order that the documents list them."""

EventT = TypeVar("EventT", bound=EventData)


def event(model: type[EventT]) -> type[EventT]:
    """Register an event's data under its `type`."""
    assert model.type not in EVENTS, f"{model.type} is registered twice"
    _EVENTS[model.type] = model
    return model


class DocumentEvent(EventData):
    """An event that shows the whole invoice."""

    invoice: LazyDocument = Field(description="The whole of it, as it is after the event.")

    def model_dump_json(self, **options: Any) -> str:
        """As JSON. Most of it is the document, whose JSON is made once for all that show it."""
        summary = super().model_dump_json(exclude={"invoice"}, **options)
        return f'{summary[:-1]},"invoice":{self.invoice.json_text}}}'


class Changed(EventData):
    """An event that somebody may have given a reason for."""

    reason: LongText | None = Field(None, description="Why, in words.")


@event
class InvoiceCreated(DocumentEvent):
    """An invoice was made, as a draft; where it was to be open, `invoice.opened` follows."""

    type = "invoice.created"


@event
class InvoiceUpdated(DocumentEvent):
    """Fields of it were set."""

    type = "invoice.updated"


@event
class InvoiceDeleted(EventData):
    """A draft was removed."""

    type = "invoice.deleted"


@event
class InvoiceOpened(DocumentEvent):
    """It has its number and can be paid."""

    type = "invoice.opened"


@event
class InvoiceUnposted(Changed):
    """It is a draft again and keeps its number."""

    type = "invoice.unposted"


@event
class InvoiceVoided(Changed):
    """It is void and keeps its number."""

    type = "invoice.voided"


@event
class InvoiceCancelled(Changed):
    """A draft was given up."""

    type = "invoice.cancelled"


@event
class InvoiceReversed(Changed):
    """It was undone by a credit note for the whole, which the event before told of."""

    type = "invoice.reversed"


@event
class InvoiceWrittenOff(Changed):
    """What was due is given up."""

    type = "invoice.written_off"
    amount: Money = Field(description="What was given up by this.")


@event
class PaymentRequested(EventData):
    """A charge is wanted; the payment is in flight from here."""

    type = "invoice.payment_requested"
    payment_id: Text = Field(description="The payment to answer about.")
    amount: Money = Field(description="What to charge.")
    source_id: Text = Field(description="What to charge it to.")


@event
class PaymentRecorded(EventData):
    """Money has arrived, or is on its way."""

    type = "invoice.payment_recorded"
    payment_id: Text = Field(description="The payment.")
    amount: Money = Field(description="How much.")
    settled: bool = Field(description="Whether it is final and counts as paid; else in flight.")
    received_at: Instant | None = Field(None, description="When it arrived.")
    method: Text | None = Field(None, description="How it was paid.")
    source_id: Text | None = Field(None, description="The source it came from.")


@event
class PaymentSettled(EventData):
    """A payment in flight is final and counts as paid."""

    type = "invoice.payment_settled"
    payment_id: Text = Field(description="The payment.")
    amount: Money = Field(description="How much.")


@event
class PaymentFailed(EventData):
    """A payment in flight will not arrive."""

    type = "invoice.payment_failed"
    payment_id: Text = Field(description="The payment.")
    amount: Money = Field(description="How much it would have been.")
    code: Text = Field(description="Why, for programs.")
    message: LongText | None = Field(None, description="Why, for people.")
    attempt_count: int = Field(description="Failed attempts on this invoice until now.")
    next_attempt_at: Instant | None = Field(None, description="When it will be tried again.")


@event
class InvoicePaid(EventData):
    """Nothing is due any more."""

    type = "invoice.paid"


@event
class InvoiceOverpaid(EventData):
    """More came than was due; `amount_overpaid` can be refunded."""

    type = "invoice.overpaid"


@event
class PaymentRefunded(EventData):
    """Money was given back."""

    type = "invoice.payment_refunded"
    payment_id: Text = Field(description="The payment.")
    refund_id: Text = Field(description="The refund.")
    amount: Money = Field(description="How much was given back.")
    reason: LongText | None = Field(None, description="Why, in words.")


class CreditedItem(ContractModel):
    """What a credit note takes off a line."""

    id: Text = Field(description="The line's id.")
    quantity: Quantity | None = Field(None, description="How many, where it is by quantity.")
    amount: Money = Field(description="With tax.")


class CreditNote(ContractModel):
    """A credit note."""

    credit_note_id: Text = Field(description="The credit note.")
    credit_note_number: Text = Field(
        description="Given per seller, without a gap.", examples=["CN-000001"]
    )
    document_date: Day = Field(description="Its date.")
    amount: Money = Field(description="What it takes off, with tax.")
    tax_amount: Money = Field(description="The tax in it.")
    items: tuple[CreditedItem, ...] = Field((), description="The lines, where it is by line.")
    shipping_amount: Money | None = Field(None, description="Shipping in it, with tax.")
    reason: LongText | None = Field(None, description="Why, in words.")


@event
class InvoiceCredited(EventData):
    """A credit note was issued."""

    type = "invoice.credited"
    credit_note: CreditNote = Field(description="The credit note.")


class Source(ContractModel):
    """A means of payment."""

    source_id: Text = Field(description="The source.")
    type: Text | None = Field(None, description="What kind it is; null where nobody said.")
    details: Details | None = Field(None, description="What to show of it.")


@event
class SourceAttached(EventData):
    """A means of payment was attached."""

    type = "invoice.source_attached"
    source: Source = Field(description="The source.")


@event
class SourceDetached(EventData):
    """A means of payment was detached."""

    type = "invoice.source_detached"
    source_id: Text = Field(description="The source.")


@event
class InvoiceArchived(EventData):
    """It was put out of sight."""

    type = "invoice.archived"


@event
class InvoiceRestored(EventData):
    """It was taken out of the archive."""

    type = "invoice.restored"


@event
class SendRequested(EventData):
    """It is to be sent by e-mail."""

    type = "invoice.send_requested"
    send_id: Text = Field(description="The sending to answer about.")
    to: Text = Field(description="Recipient.")
    message: LongText | None = Field(None, description="What to write with it.")


@event
class InvoiceSent(EventData):
    """It was sent."""

    type = "invoice.sent"
    send_id: Text = Field(description="The sending.")
    to: Text = Field(description="Recipient.")


@event
class SendFailed(EventData):
    """It could not be sent."""

    type = "invoice.send_failed"
    send_id: Text = Field(description="The sending.")
    code: Text = Field(description="Why, for programs.")
    message: LongText | None = Field(None, description="Why, for people.")


@event
class InvoiceOverdue(EventData):
    """Its due date has passed and something is due."""

    type = "invoice.overdue"
    due_date: Day = Field(description="When it was due.")
    as_of: Day = Field(description="The day it was noticed.")
