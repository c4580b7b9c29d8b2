"""The life of an invoice: create, update, delete, open, unpost, void, cancel, mark overdue."""

from datetime import datetime
from typing import Final

from invoicing.contracts import commands, events
from invoicing.contracts.invoice import State
from invoicing.contracts.lazy_document import LazyDocument
from invoicing.contracts.replies import FieldError, Rejection, RejectionCode
from invoicing.domain.apply import ApplyTable, Changes, summary_only
from invoicing.domain.balance import balance
from invoicing.domain.calendar import DEFAULT_ZONE, day_in, overdue_from_of
from invoicing.domain.consequences import emit_consequences
from invoicing.domain.decision import Command, Context, Decision, build_event
from invoicing.domain.documents import (
    UPDATABLE_ONCE_ISSUED,
    UPDATABLE_WHILE_OPEN,
    changed_document,
    new_document,
    opened_document,
)
from invoicing.domain.invoice import Invoice, summary_of
from invoicing.domain.numbering import series_for
from invoicing.domain.sources import with_default_source


def create(
    command: Command, data: commands.CreateInvoice, context: Context
) -> events.InvoiceCreated | Rejection:
    """Create a draft. The caller opens it if it is not to remain one."""
    seller = context.sellers.find(data.seller_id)
    if seller is None:
        return Rejection(RejectionCode.UNKNOWN_SELLER, "No seller with this id is configured.")
    day = seller.day_of(min(command.time, context.recorded_at))
    document = new_document(
        data, seller, day, is_opened=data.state != "draft", at=context.recorded_at
    )
    if isinstance(document, Rejection):
        return document
    zero = document.total - document.total
    facts = {
        "invoice_id": command.invoice_id,
        "invoice_number": None,
        "seller_id": data.seller_id,
        "customer_id": data.customer_id,
        "currency": data.currency,
        "state": State.DRAFT,
        "total": document.total,
        "amount_paid": zero,
        "amount_refunded": zero,
        "amount_returned": zero,
        "amount_transferred": zero,
        "amount_credited": zero,
        "live_mode": document.live_mode,
        "disputed": False,
        "times_paid": 0,
        "invoice": LazyDocument(document),
    }
    return build_event(events.InvoiceCreated, facts, balance(facts))


def created(event: events.InvoiceCreated, recorded_at: datetime) -> Invoice:
    """Return the invoice that its first event makes; its default source is attached."""
    return Invoice.construct_unchecked(
        **summary_of(event) | {"live_mode": event.invoice.index_fields.live_mode},
        version=1,
        lazy_document=event.invoice,
        sources=with_default_source({}, event.invoice, recorded_at),
        entered={event.state: recorded_at},
        created_at=recorded_at,
        updated_at=recorded_at,
    )


def update(decision: Decision, data: commands.UpdateInvoice) -> Rejection | None:
    """Set the given fields. An update that changes nothing is accepted and emits no event."""
    invoice = decision.invoice
    fixed = _fixed_fields(invoice, data)
    if fixed:
        return Rejection(
            RejectionCode.ILLEGAL_TRANSITION,
            "Some of these fields cannot be changed any more; errors say which.",
            tuple(FieldError(field=name, reason=reason) for name, reason in sorted(fixed.items())),
        )
    shown, at = invoice.document.document_date, decision.context.recorded_at
    document = changed_document(invoice, data, decision.seller, shown, at)
    if isinstance(document, Rejection):
        return document
    # That the day is another one than the draft shows is no change by itself.
    if document != invoice.document and document.dated_at_opening and decision.day != shown:
        document = changed_document(invoice, data, decision.seller, decision.day, at)
        if isinstance(document, Rejection):
            return document
    if document != invoice.document:
        decision.emit(
            events.InvoiceUpdated,
            customer_id=document.customer_id,
            total=document.total,
            live_mode=document.live_mode,
            invoice=LazyDocument(document),
        )
    return None


def _fixed_fields(invoice: Invoice, data: commands.UpdateInvoice) -> dict[str, str]:
    """The given fields that the invoice's state fixes, and what is required instead."""
    given = data.model_fields_set
    if invoice.state is State.OPEN:
        return dict.fromkeys(given - UPDATABLE_WHILE_OPEN, "can be changed in a draft only")
    if invoice.state is not State.DRAFT:
        reason = f"cannot be changed while the invoice is {invoice.state.value}"
        return dict.fromkeys(given - UPDATABLE_ONCE_ISSUED, reason)
    if invoice.invoice_number is None:
        return {}
    document = invoice.document
    fixed = {
        name: "cannot be changed once the invoice has a number"
        for name in given & {"customer_id", "live_mode"}
        if getattr(data, name) != getattr(document, name)
    }
    if data.document_date and data.document_date.year != document.document_date.year:
        fixed["document_date"] = "must be in the year that the number was given for"
    return fixed


def _updated(invoice: Invoice, event: events.InvoiceUpdated, recorded_at: datetime) -> Changes:
    before, after = invoice.lazy_document.index_fields, event.invoice.index_fields
    changes: Changes = {
        "lazy_document": event.invoice,
        "live_mode": after.live_mode,
    }
    # A default source that was detached stays detached until another one is named.
    if after.source_id != before.source_id:
        changes["sources"] = with_default_source(invoice.sources, event.invoice, recorded_at)
    if after.due_date > before.due_date:
        changes["overdue_as_of"] = None
    return changes


def delete(decision: Decision, _data: commands.DeleteInvoice) -> None:
    """Delete a draft."""
    decision.emit(events.InvoiceDeleted, state=State.DELETED)


def open_(decision: Decision, _data: commands.OpenInvoice) -> Rejection | None:
    """Open a draft under a new number or the one that it has. A total of 0 is paid at once."""
    invoice = decision.invoice
    seller = decision.seller
    if isinstance(seller, Rejection):
        return seller
    number, document = invoice.invoice_number, invoice.lazy_document
    if number is None and document.index_fields.overdue_from is None:
        opened = opened_document(document.document, seller, decision.day)
        if isinstance(opened, Rejection):
            return opened
        document = LazyDocument(opened)
    day = document.index_fields.document_date
    rejection = decision.period_locked(day)
    if rejection is not None:
        return rejection
    if number is None:
        series = series_for(seller, "invoice", day, live_mode=invoice.live_mode)
        number = decision.take_number(series)
    decision.emit(
        events.InvoiceOpened,
        state=State.OPEN,
        invoice_number=number,
        invoice=document,
    )
    emit_consequences(decision, invoice)
    return None


def _opened(invoice: Invoice, event: events.InvoiceOpened, _recorded_at: datetime) -> Changes:
    # Where opening does not change the document, keep the instance that may be parsed already.
    return {} if event.invoice == invoice.lazy_document else {"lazy_document": event.invoice}


def unpost(decision: Decision, data: commands.UnpostInvoice) -> Rejection | None:
    """Make an open invoice a draft again."""
    rejection = _date_is_locked(decision)
    if rejection is None:
        decision.emit(events.InvoiceUnposted, state=State.DRAFT, reason=data.reason)
    return rejection


def _unposted(_invoice: Invoice, _event: events.EventData, _recorded_at: datetime) -> Changes:
    return {"overdue_as_of": None}


def void(decision: Decision, data: commands.VoidInvoice) -> Rejection | None:
    """Void an issued invoice."""
    rejection = _date_is_locked(decision)
    if rejection is None:
        decision.emit(events.InvoiceVoided, state=State.VOID, reason=data.reason)
    return rejection


def _date_is_locked(decision: Decision) -> Rejection | None:
    return decision.period_locked(decision.invoice.lazy_document.index_fields.document_date)


def cancel(decision: Decision, data: commands.CancelInvoice) -> None:
    """Cancel a draft."""
    decision.emit(events.InvoiceCancelled, state=State.CANCELLED, reason=data.reason)


def mark_overdue(decision: Decision, data: commands.MarkInvoiceOverdue) -> Rejection | None:
    """Record, once, that the due date has passed in the invoice's time zone."""
    invoice, now = decision.invoice, decision.context.recorded_at
    if invoice.overdue_as_of is not None:
        return None
    document = invoice.document
    due_date = document.due_date
    if data.as_of <= due_date or now < overdue_from_of(document):
        return Rejection(RejectionCode.NOT_PAST_DUE, f"The invoice is due on {due_date}.")
    if data.as_of > day_in(document.time_zone or DEFAULT_ZONE, now):
        return Rejection(RejectionCode.NOT_PAST_DUE, "as_of is after today.")
    decision.emit(events.InvoiceOverdue, due_date=due_date, as_of=data.as_of)
    return None


def _overdue(_invoice: Invoice, event: events.InvoiceOverdue, _recorded_at: datetime) -> Changes:
    return {"overdue_as_of": event.as_of}


APPLY: Final[ApplyTable] = {
    events.InvoiceUpdated: _updated,
    events.InvoiceDeleted: summary_only,
    events.InvoiceOpened: _opened,
    events.InvoiceUnposted: _unposted,
    events.InvoiceVoided: summary_only,
    events.InvoiceCancelled: summary_only,
    events.InvoiceOverdue: _overdue,
}
