"""Sending an invoice by e-mail: request, success, failure. No amount changes.

A command that changes nothing is accepted and emits no event.
"""

from datetime import datetime
from typing import Final

from invoicing.contracts import commands, events
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.domain.apply import ApplyTable, Changes
from invoicing.domain.decision import Decision
from invoicing.domain.entries import open_entries, with_entry
from invoicing.domain.invoice import SENDINGS, Invoice, Sending, SendState

SENDINGS_MAX: Final = 1_000


def request(decision: Decision, data: commands.SendInvoice) -> Rejection | None:
    """Request a sending, unless an equal one is pending."""
    invoice = decision.invoice
    recipient = data.to or invoice.document.email
    if recipient is None:
        return Rejection(
            RejectionCode.NO_RECIPIENT, "Neither the command nor the invoice has an e-mail address."
        )
    pending = [
        (sending.to, sending.message) for sending in open_entries(SENDINGS, invoice.sendings)
    ]
    if (recipient, data.message) in pending:
        return None
    if len(invoice.sendings) >= SENDINGS_MAX:
        return _too_many_sendings()
    decision.emit(
        events.SendRequested,
        send_id=decision.new_id(invoice.sendings),
        to=recipient,
        message=data.message,
    )
    return None


def _requested(invoice: Invoice, event: events.SendRequested, _recorded_at: datetime) -> Changes:
    sending = Sending(state=SendState.REQUESTED, to=event.to, message=event.message)
    return {"sendings": with_entry(SENDINGS, invoice.sendings, event.send_id, sending)}


def record_sent(decision: Decision, data: commands.RecordInvoiceSent) -> Rejection | None:
    """Record a successful sending, whether it was requested here or not."""
    known = decision.invoice.sendings.get(data.send_id)
    if known is not None and (known.state, known.to) == (SendState.SENT, data.to):
        return None
    if known is None and len(decision.invoice.sendings) >= SENDINGS_MAX:
        return _too_many_sendings()
    decision.emit(events.InvoiceSent, send_id=data.send_id, to=data.to)
    return None


def _sent(invoice: Invoice, event: events.InvoiceSent, recorded_at: datetime) -> Changes:
    sending = Sending(state=SendState.SENT, to=event.to, sent_at=recorded_at)
    return {
        "sendings": with_entry(SENDINGS, invoice.sendings, event.send_id, sending),
        "last_notification_at": recorded_at,
    }


def record_failure(decision: Decision, data: commands.RecordInvoiceSendFailure) -> Rejection | None:
    """Record a sending that failed or bounced, whether it was requested here or not."""
    known = decision.invoice.sendings.get(data.send_id)
    if known is not None and (known.state, known.code) == (SendState.FAILED, data.code):
        return None
    if known is None and len(decision.invoice.sendings) >= SENDINGS_MAX:
        return _too_many_sendings()
    decision.emit(events.SendFailed, send_id=data.send_id, code=data.code, message=data.message)
    return None


def _failed(invoice: Invoice, event: events.SendFailed, _recorded_at: datetime) -> Changes:
    before = invoice.sendings.get(event.send_id)
    sending = Sending(state=SendState.FAILED, to=before.to if before else None, code=event.code)
    return {"sendings": with_entry(SENDINGS, invoice.sendings, event.send_id, sending)}


def _too_many_sendings() -> Rejection:
    return Rejection(
        RejectionCode.LIMIT_EXCEEDED, f"An invoice can be sent at most {SENDINGS_MAX} times."
    )


APPLY: Final[ApplyTable] = {
    events.SendRequested: _requested,
    events.InvoiceSent: _sent,
    events.SendFailed: _failed,
}
