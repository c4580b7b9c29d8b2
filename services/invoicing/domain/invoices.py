"""Making, changing, opening and giving up an invoice."""

from invoicing.contracts import commands, events
from invoicing.contracts.invoice import State
from invoicing.contracts.lazy_document import LazyDocument
from invoicing.contracts.replies import FieldError, Rejection, RejectionCode
from invoicing.domain.decision import Command, Context, Decision, tell
from invoicing.domain.documents import TEXTS, changed_document, new_document
from invoicing.domain.evolve import evolve
from invoicing.domain.lifecycle import refusal_of
from invoicing.domain.numbering import series_for


def create(
    command: Command, data: commands.CreateInvoice, context: Context
) -> Decision | Rejection:
    """Make a draft, and open it unless it is to stay one."""
    seller = context.sellers.find(data.seller_id)
    if seller is None:
        return Rejection(RejectionCode.UNKNOWN_SELLER, "There is no such seller.")
    document = new_document(data, seller, command.time)
    if isinstance(document, Rejection):
        return document
    nothing = document.total - document.total
    created = tell(
        events.InvoiceCreated,
        {
            "invoice_id": command.invoice_id,
            "invoice_number": None,
            "seller_id": data.seller_id,
            "customer_id": data.customer_id,
            "currency": data.currency,
            "state": State.DRAFT,
            "total": document.total,
            "amount_paid": nothing,
            "amount_refunded": nothing,
            "amount_credited": nothing,
            "amount_written_off": nothing,
            "invoice": LazyDocument(document),
        },
    )
    invoice = evolve(None, created, context.recorded_at)
    decision = Decision(invoice, command, context, [created])
    if data.state == "draft":
        return decision
    return (
        refusal_of(invoice, commands.OpenInvoice)
        or open_(decision, commands.OpenInvoice())
        or decision
    )


def update(decision: Decision, data: commands.UpdateInvoice) -> Rejection | None:
    """Set the given fields. What changes nothing is accepted and tells of nothing."""
    invoice = decision.invoice
    if invoice.state is State.OPEN:
        fixed = sorted(data.model_fields_set - TEXTS)
        if fixed:
            return _fixed_once_open(fixed)
    document = changed_document(invoice.document, data, decision.seller)
    if isinstance(document, Rejection):
        return document
    if document != invoice.document:
        decision.tell(
            events.InvoiceUpdated,
            customer_id=document.customer_id,
            total=document.total,
            invoice=LazyDocument(document),
        )
    return None


def _fixed_once_open(fields: list[str]) -> Rejection:
    return Rejection(
        RejectionCode.ILLEGAL_TRANSITION,
        "Once an invoice is open, these fields are as they are.",
        tuple(FieldError(field=name, reason="can be set in a draft only") for name in fields),
    )


def delete(decision: Decision, _data: commands.DeleteInvoice) -> None:
    """Remove a draft."""
    decision.tell(events.InvoiceDeleted, state=State.DELETED)


def open_(decision: Decision, _data: commands.OpenInvoice) -> Rejection | None:
    """Give it a number, unless it has kept one; where it costs nothing, it is paid at once."""
    invoice = decision.invoice
    number = invoice.invoice_number
    if number is None:
        seller = decision.seller
        if isinstance(seller, Rejection):
            return seller
        day = invoice.filed.excerpt.document_date
        number = decision.take_number(series_for(seller, "invoice", day))
    decision.tell(
        events.InvoiceOpened,
        state=State.OPEN,
        invoice_number=number,
        invoice=invoice.filed,
    )
    if invoice.total == 0:
        decision.tell(events.InvoicePaid, state=State.PAID)
    return None


def unpost(decision: Decision, data: commands.UnpostInvoice) -> None:
    """Make it a draft again."""
    decision.tell(events.InvoiceUnposted, state=State.DRAFT, reason=data.reason)


def void(decision: Decision, data: commands.VoidInvoice) -> None:
    """Declare it void."""
    decision.tell(events.InvoiceVoided, state=State.VOID, reason=data.reason)


def cancel(decision: Decision, data: commands.CancelInvoice) -> None:
    """Give up a draft."""
    decision.tell(events.InvoiceCancelled, state=State.CANCELLED, reason=data.reason)
