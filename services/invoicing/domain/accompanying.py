"""What goes along with an invoice: sources, the archive, sending, reminders. No amount changes.

What is so already is accepted and tells of nothing.
"""

from typing import Final

from invoicing.contracts import commands, events
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.domain.decision import Decision, given
from invoicing.domain.invoice import SendState

SOURCES_MAX: Final = 100
SENDINGS_MAX: Final = 1_000


def attach(decision: Decision, data: commands.AttachSource) -> Rejection | None:
    """Attach a source, or tell more about one that is attached."""
    invoice = decision.invoice
    source = events.Source.construct_unchecked(
        source_id=data.source_id, type=data.type, **given(details=data.details)
    )
    known = invoice.sources.get(data.source_id)
    if known is not None and (known.type, known.details) == (data.type, data.details):
        return None
    if known is None and len(invoice.sources) + len(invoice.detached_source_ids) >= SOURCES_MAX:
        return Rejection(
            RejectionCode.LIMIT_EXCEEDED, f"An invoice has had at most {SOURCES_MAX} sources."
        )
    decision.tell(events.SourceAttached, source=source)
    return None


def detach(decision: Decision, data: commands.DetachSource) -> Rejection | None:
    """Detach a source."""
    invoice = decision.invoice
    if data.source_id in invoice.detached_source_ids:
        return None
    if data.source_id not in invoice.sources:
        return Rejection(RejectionCode.UNKNOWN_SOURCE, "This source was never attached.")
    decision.tell(events.SourceDetached, source_id=data.source_id)
    return None


def archive(decision: Decision, _data: commands.ArchiveInvoice) -> None:
    """Put it out of sight."""
    if not decision.invoice.archived:
        decision.tell(events.InvoiceArchived)


def restore(decision: Decision, _data: commands.RestoreInvoice) -> None:
    """Take it out of the archive."""
    if decision.invoice.archived:
        decision.tell(events.InvoiceRestored)


def request_sending(decision: Decision, data: commands.SendInvoice) -> Rejection | None:
    """Ask for it to be sent; the same that is on its way already is not sent twice."""
    invoice = decision.invoice
    recipient = data.to or invoice.document.email
    if recipient is None:
        return Rejection(
            RejectionCode.NO_RECIPIENT, "Neither the command nor the invoice has an e-mail address."
        )
    on_its_way = any(
        sending.state is SendState.REQUESTED
        and (sending.to, sending.message) == (recipient, data.message)
        for sending in invoice.sendings.values()
    )
    if on_its_way:
        return None
    if len(invoice.sendings) >= SENDINGS_MAX:
        return _too_many_sendings()
    decision.tell(
        events.SendRequested,
        send_id=decision.new_id(invoice.sendings),
        to=recipient,
        message=data.message,
    )
    return None


def record_sent(decision: Decision, data: commands.RecordInvoiceSent) -> Rejection | None:
    """Take note that it was sent."""
    known = decision.invoice.sendings.get(data.send_id)
    if known is not None and (known.state, known.to) == (SendState.SENT, data.to):
        return None
    if known is None and len(decision.invoice.sendings) >= SENDINGS_MAX:
        return _too_many_sendings()
    decision.tell(events.InvoiceSent, send_id=data.send_id, to=data.to)
    return None


def record_send_failure(
    decision: Decision, data: commands.RecordInvoiceSendFailure
) -> Rejection | None:
    """Take note that it could not be sent, or that it came back."""
    known = decision.invoice.sendings.get(data.send_id)
    if known is not None and (known.state, known.code) == (SendState.FAILED, data.code):
        return None
    if known is None and len(decision.invoice.sendings) >= SENDINGS_MAX:
        return _too_many_sendings()
    decision.tell(events.SendFailed, send_id=data.send_id, code=data.code, message=data.message)
    return None


def _too_many_sendings() -> Rejection:
    return Rejection(
        RejectionCode.LIMIT_EXCEEDED, f"An invoice is sent at most {SENDINGS_MAX} times."
    )


def mark_overdue(decision: Decision, data: commands.MarkInvoiceOverdue) -> Rejection | None:
    """Take note, once, that the due date has passed."""
    invoice = decision.invoice
    if invoice.overdue_as_of is not None:
        return None
    due_date = invoice.document.due_date
    if data.as_of <= due_date:
        return Rejection(RejectionCode.NOT_PAST_DUE, f"The invoice is due on {due_date}.")
    decision.tell(events.InvoiceOverdue, due_date=due_date, as_of=data.as_of)
    return None
