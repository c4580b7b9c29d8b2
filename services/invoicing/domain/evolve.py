"""What an event makes of an invoice. Folding all events of an invoice gives its stored state."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from invoicing.contracts import events
from invoicing.contracts.events import EventData
from invoicing.contracts.invoice import Summary
from invoicing.contracts.lazy_document import LazyDocument
from invoicing.domain.invoice import (
    AttachedSource,
    Invoice,
    Payment,
    PaymentState,
    Refund,
    Sending,
    SendState,
)

_SUMMARY = tuple(Summary.model_fields)

Changes = dict[str, Any]


def summary_of(told: Summary) -> Changes:
    """The summary that an event holds, or an invoice, by the names of its fields."""
    fields = told.__dict__
    return {name: fields[name] for name in _SUMMARY}


def evolve(invoice: Invoice | None, event: EventData, recorded_at: datetime) -> Invoice:
    """The invoice after the event. `recorded_at` is when the event was stored."""
    summary = summary_of(event)
    if invoice is None:
        if not isinstance(event, events.InvoiceCreated):
            raise TypeError(f"the first event of an invoice cannot be {event.type}")
        return _created(event, summary, recorded_at)
    changes = _CHANGES.get(type(event), _none)(invoice, event, recorded_at)
    if event.state is not invoice.state:
        changes["entered"] = {**invoice.entered, event.state: recorded_at}
    return invoice.copy_with(
        **summary, **changes, version=invoice.version + 1, updated_at=recorded_at
    )


def _created(event: events.InvoiceCreated, summary: Changes, recorded_at: datetime) -> Invoice:
    return Invoice.construct_unchecked(
        **summary,
        version=1,
        filed=event.invoice,
        sources=_with_default_source({}, event.invoice, recorded_at),
        entered={event.state: recorded_at},
        created_at=recorded_at,
        updated_at=recorded_at,
    )


def _with_default_source(
    sources: dict[str, AttachedSource], filed: LazyDocument, recorded_at: datetime
) -> dict[str, AttachedSource]:
    """A source that the invoice names is attached, if nobody has told more about it yet."""
    source_id = filed.excerpt.source_id
    if source_id is None or source_id in sources:
        return sources
    return {**sources, source_id: AttachedSource(source_id=source_id, attached_at=recorded_at)}


def _none(_invoice: Invoice, _event: EventData, _recorded_at: datetime) -> Changes:
    return {}


def _updated(invoice: Invoice, event: events.InvoiceUpdated, recorded_at: datetime) -> Changes:
    sources = dict(invoice.sources)
    if event.invoice.excerpt.source_id != invoice.filed.excerpt.source_id:
        sources = _with_default_source(sources, event.invoice, recorded_at)
    return {"filed": event.invoice, "sources": sources}


def _opened(invoice: Invoice, event: events.InvoiceOpened, _recorded_at: datetime) -> Changes:
    # Opening changes nothing of it: what was read of it already is kept.
    return {} if event.invoice == invoice.filed else {"filed": event.invoice}


def _unposted(_invoice: Invoice, _event: EventData, _recorded_at: datetime) -> Changes:
    return {"overdue_as_of": None}


def _requested(invoice: Invoice, event: events.PaymentRequested, recorded_at: datetime) -> Changes:
    payment = Payment(
        payment_id=event.payment_id,
        amount=event.amount,
        state=PaymentState.REQUESTED,
        source_id=event.source_id,
        created_at=recorded_at,
        updated_at=recorded_at,
    )
    return {"payments": {**invoice.payments, event.payment_id: payment}}


def _recorded(invoice: Invoice, event: events.PaymentRecorded, recorded_at: datetime) -> Changes:
    payment = Payment.construct_unchecked(
        payment_id=event.payment_id,
        amount=event.amount,
        state=PaymentState.SETTLED if event.settled else PaymentState.RECEIVED,
        received_at=event.received_at or recorded_at,
        method=event.method,
        source_id=event.source_id,
        created_at=_begun(invoice, event.payment_id) or recorded_at,
        updated_at=recorded_at,
    )
    return {"payments": {**invoice.payments, event.payment_id: payment}, "next_attempt_at": None}


def _settled(invoice: Invoice, event: events.PaymentSettled, recorded_at: datetime) -> Changes:
    payment = invoice.payments[event.payment_id]
    return _with_payment(
        invoice,
        payment,
        recorded_at,
        state=PaymentState.SETTLED,
        received_at=payment.received_at or recorded_at,
    )


def _failed(invoice: Invoice, event: events.PaymentFailed, recorded_at: datetime) -> Changes:
    failed = _with_payment(
        invoice,
        invoice.payments[event.payment_id],
        recorded_at,
        state=PaymentState.FAILED,
        failure_code=event.code,
        failure_message=event.message,
    )
    return failed | {
        "attempt_count": event.attempt_count,
        "next_attempt_at": event.next_attempt_at,
    }


def _refunded(invoice: Invoice, event: events.PaymentRefunded, recorded_at: datetime) -> Changes:
    payment = invoice.payments[event.payment_id]
    refund = Refund.construct_unchecked(
        refund_id=event.refund_id,
        amount=event.amount,
        refunded_at=recorded_at,
        reason=event.reason,
    )
    return _with_payment(invoice, payment, recorded_at, refunds=(*payment.refunds, refund))


def _begun(invoice: Invoice, payment_id: str) -> datetime | None:
    """Since when there is a payment of this id, where it was asked for before it came."""
    payment = invoice.payments.get(payment_id)
    return payment.created_at if payment else None


def _with_payment(
    invoice: Invoice, payment: Payment, recorded_at: datetime, **changes: object
) -> Changes:
    changed = payment.copy_with(**changes, updated_at=recorded_at)
    return {"payments": {**invoice.payments, payment.payment_id: changed}}


def _credited(invoice: Invoice, event: events.InvoiceCredited, _recorded_at: datetime) -> Changes:
    return {"credit_notes": (*invoice.credit_notes, event.credit_note)}


def _attached(invoice: Invoice, event: events.SourceAttached, recorded_at: datetime) -> Changes:
    source_id = event.source.source_id
    others = {id_: source for id_, source in invoice.sources.items() if id_ != source_id}
    known = invoice.sources.get(source_id)
    source = AttachedSource.computed_from(
        event.source, attached_at=known.attached_at if known else recorded_at
    )
    return {
        "sources": {**others, source_id: source},
        "detached_source_ids": tuple(
            id_ for id_ in invoice.detached_source_ids if id_ != source_id
        ),
    }


def _detached(invoice: Invoice, event: events.SourceDetached, _recorded_at: datetime) -> Changes:
    return {
        "sources": {
            id_: source for id_, source in invoice.sources.items() if id_ != event.source_id
        },
        "detached_source_ids": (*invoice.detached_source_ids, event.source_id),
    }


def _archived(_invoice: Invoice, _event: EventData, _recorded_at: datetime) -> Changes:
    return {"archived": True}


def _restored(_invoice: Invoice, _event: EventData, _recorded_at: datetime) -> Changes:
    return {"archived": False}


def _send_requested(
    invoice: Invoice, event: events.SendRequested, _recorded_at: datetime
) -> Changes:
    sending = Sending(state=SendState.REQUESTED, to=event.to, message=event.message)
    return {"sendings": {**invoice.sendings, event.send_id: sending}}


def _sent(invoice: Invoice, event: events.InvoiceSent, recorded_at: datetime) -> Changes:
    sending = Sending(state=SendState.SENT, to=event.to, sent_at=recorded_at)
    return {
        "sendings": {**invoice.sendings, event.send_id: sending},
        "last_notification_at": recorded_at,
    }


def _send_failed(invoice: Invoice, event: events.SendFailed, _recorded_at: datetime) -> Changes:
    before = invoice.sendings.get(event.send_id)
    sending = Sending(state=SendState.FAILED, to=before.to if before else None, code=event.code)
    return {"sendings": {**invoice.sendings, event.send_id: sending}}


def _overdue(_invoice: Invoice, event: events.InvoiceOverdue, _recorded_at: datetime) -> Changes:
    return {"overdue_as_of": event.as_of}


# Each is called with events of its own class only, which a mapping's type cannot say.
_CHANGES: Final[dict[type[EventData], Callable[[Invoice, Any, datetime], Changes]]] = {
    events.InvoiceUpdated: _updated,
    events.InvoiceOpened: _opened,
    events.InvoiceUnposted: _unposted,
    events.PaymentRequested: _requested,
    events.PaymentRecorded: _recorded,
    events.PaymentSettled: _settled,
    events.PaymentFailed: _failed,
    events.PaymentRefunded: _refunded,
    events.InvoiceCredited: _credited,
    events.SourceAttached: _attached,
    events.SourceDetached: _detached,
    events.InvoiceArchived: _archived,
    events.InvoiceRestored: _restored,
    events.SendRequested: _send_requested,
    events.InvoiceSent: _sent,
    events.SendFailed: _send_failed,
    events.InvoiceOverdue: _overdue,
}
