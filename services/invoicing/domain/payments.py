"""Payments: requested, received, settled, failed or cancelled.

Reports can come late and in any order. Money that has arrived is always counted, whatever was
reported before and whatever the invoice's state; a report that nothing will arrive changes nothing
where the payment was given up already.
"""

from datetime import datetime
from typing import Any, Final

from invoicing.contracts import commands, events
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.domain import sources
from invoicing.domain.apply import ApplyTable, Changes
from invoicing.domain.balance import ISSUED, payable
from invoicing.domain.consequences import emit_money
from invoicing.domain.decision import Decision
from invoicing.domain.entries import open_entries, with_entry
from invoicing.domain.invoice import PAYMENTS, Invoice, Payment, PaymentState

PAYMENTS_MAX: Final = 10_000

_TOO_MANY_PAYMENTS = Rejection(
    RejectionCode.LIMIT_EXCEEDED, f"An invoice can have at most {PAYMENTS_MAX} payments."
)


def request(decision: Decision, data: commands.PayInvoice) -> Rejection | None:
    """Request a charge of an attached source, by default the one attached last."""
    invoice = decision.invoice
    if len(invoice.payments) >= PAYMENTS_MAX:
        return _TOO_MANY_PAYMENTS
    source_id = data.source_id or next(reversed(invoice.sources))
    if source_id not in invoice.sources:
        return Rejection(
            RejectionCode.UNKNOWN_SOURCE, "This source is not attached to the invoice."
        )
    why_unusable = sources.why_unusable(invoice, source_id, decision.today)
    if why_unusable is not None:
        return Rejection(RejectionCode.SOURCE_UNUSABLE, why_unusable)
    amount = payable(invoice) if data.amount is None else data.amount
    if amount > payable(invoice):
        return Rejection(
            RejectionCode.AMOUNT_EXCEEDS_BALANCE, "The amount exceeds what can be charged."
        )
    decision.emit(
        events.PaymentRequested,
        payment_id=decision.new_id(invoice.payments),
        amount=amount,
        source_id=source_id,
    )
    return None


def _requested(invoice: Invoice, event: events.PaymentRequested, recorded_at: datetime) -> Changes:
    payment = Payment(
        payment_id=event.payment_id,
        amount=event.amount,
        state=PaymentState.REQUESTED,
        source_id=event.source_id,
        created_at=recorded_at,
        updated_at=recorded_at,
    )
    return {"payments": with_entry(PAYMENTS, invoice.payments, event.payment_id, payment)}


def record(decision: Decision, data: commands.RecordPayment) -> Rejection | None:
    """Record a payment: a new one, or the arrival of one that is known under this id."""
    invoice = decision.invoice
    known = invoice.payments.get(data.payment_id)
    if known is None:
        if invoice.state not in ISSUED:
            return Rejection(
                RejectionCode.ILLEGAL_TRANSITION,
                f"No new payment is taken while the invoice is {invoice.state.value}.",
            )
        if len(invoice.payments) >= PAYMENTS_MAX:
            return _TOO_MANY_PAYMENTS
    elif known.was_given_up and not data.settled:
        return None
    elif known.has_settled or (known.state is PaymentState.RECEIVED and not data.settled):
        return Rejection(
            RejectionCode.DUPLICATE_PAYMENT, "The invoice already has a payment with this id."
        )
    rejection = decision.reported_too_early("received_at", data.received_at)
    if rejection is not None:
        return rejection
    facts: dict[str, Any] = {
        "payment_id": data.payment_id,
        "amount": data.amount,
        "settled": data.settled,
        "received_at": data.received_at,
        "method": data.method,
        "source_id": data.source_id or (known.source_id if known else None),
    }
    if data.settled:
        paid = invoice.amount_paid + data.amount
        emit_money(decision, events.PaymentRecorded, amount_paid=paid, **facts)
        return None
    decision.emit(events.PaymentRecorded, **facts)
    return None


def _recorded(invoice: Invoice, event: events.PaymentRecorded, recorded_at: datetime) -> Changes:
    requested = invoice.payments.get(event.payment_id)
    payment = Payment.construct_unchecked(
        payment_id=event.payment_id,
        amount=event.amount,
        state=PaymentState.SETTLED if event.settled else PaymentState.RECEIVED,
        received_at=event.received_at or recorded_at,
        method=event.method,
        source_id=event.source_id,
        created_at=(requested and requested.created_at) or recorded_at,
        updated_at=recorded_at,
    )
    payments = with_entry(PAYMENTS, invoice.payments, event.payment_id, payment)
    return {"payments": payments, "next_attempt_at": None}


def settle(decision: Decision, data: commands.SettlePayment) -> Rejection | None:
    """Make a payment final that is in flight or was given up."""
    payment = _unsettled(decision, data.payment_id)
    if isinstance(payment, Rejection):
        return payment
    amount = payment.amount if data.amount is None else data.amount
    emit_money(
        decision,
        events.PaymentSettled,
        amount_paid=decision.invoice.amount_paid + amount,
        payment_id=payment.payment_id,
        amount=amount,
    )
    return None


def _settled(invoice: Invoice, event: events.PaymentSettled, recorded_at: datetime) -> Changes:
    payment = invoice.payments[event.payment_id]
    not_failed = {"failure_code": None, "failure_message": None} if payment.was_given_up else {}
    return with_payment(
        invoice,
        payment,
        recorded_at,
        state=PaymentState.SETTLED,
        amount=event.amount,
        received_at=payment.received_at or recorded_at,
        **not_failed,
    )


def fail(decision: Decision, data: commands.RecordPaymentFailure) -> Rejection | None:
    """Record that a payment in flight has failed."""
    payment = _unsettled(decision, data.payment_id)
    if isinstance(payment, Rejection):
        return payment
    if payment.was_given_up:
        return None
    decision.emit(
        events.PaymentFailed,
        payment_id=payment.payment_id,
        amount=payment.amount,
        code=data.code,
        message=data.message,
        attempt_count=decision.invoice.attempt_count + 1,
        next_attempt_at=data.next_attempt_at,
    )
    return None


def _failed(invoice: Invoice, event: events.PaymentFailed, recorded_at: datetime) -> Changes:
    failed = with_payment(
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


def _unsettled(decision: Decision, payment_id: str) -> Payment | Rejection:
    payment = decision.invoice.payments.get(payment_id)
    if payment is None or payment.has_settled:
        return Rejection(RejectionCode.UNKNOWN_PAYMENT, "No payment with this id is in flight.")
    return payment


def cancel_request(decision: Decision, data: commands.CancelPaymentRequest) -> Rejection | None:
    """Take back the request for a charge."""
    payment = _requested_or_given_up(decision, data.payment_id)
    if isinstance(payment, Rejection):
        return payment
    if not payment.was_given_up:
        _emit_cancelled(decision, payment, "cancelled", reason=data.reason)
    return None


def cancel_superseded(decision: Decision, before: Invoice) -> None:
    """Cancel the requests for more than is due, if the decision has lowered what is due."""
    if payable(decision.invoice) >= payable(before):
        return
    for payment in open_entries(PAYMENTS, decision.invoice.payments):
        if payment.amount > payable(decision.invoice):
            _emit_cancelled(decision, payment, "superseded")


def _emit_cancelled(
    decision: Decision, payment: Payment, code: str, reason: str | None = None
) -> None:
    decision.emit(
        events.PaymentCancelled,
        payment_id=payment.payment_id,
        amount=payment.amount,
        code=code,
        reason=reason,
    )


def _cancelled(invoice: Invoice, event: events.PaymentCancelled, recorded_at: datetime) -> Changes:
    return with_payment(
        invoice,
        invoice.payments[event.payment_id],
        recorded_at,
        state=PaymentState.CANCELLED,
        failure_code=event.code,
        failure_message=event.reason,
    )


def record_action(decision: Decision, data: commands.RecordPaymentAction) -> Rejection | None:
    """Record that a requested payment waits for the customer."""
    payment = _requested_or_given_up(decision, data.payment_id)
    if isinstance(payment, Rejection):
        return payment
    known = (payment.action_code, payment.action_url) == (data.code, data.url)
    if not known and not payment.was_given_up:
        decision.emit(
            events.PaymentActionRequired,
            payment_id=payment.payment_id,
            amount=payment.amount,
            code=data.code,
            url=data.url,
        )
    return None


def _action_required(
    invoice: Invoice, event: events.PaymentActionRequired, recorded_at: datetime
) -> Changes:
    return with_payment(
        invoice,
        invoice.payments[event.payment_id],
        recorded_at,
        action_code=event.code,
        action_url=event.url,
    )


def _requested_or_given_up(decision: Decision, payment_id: str) -> Payment | Rejection:
    payment = decision.invoice.payments.get(payment_id)
    requested = payment is not None and payment.state is PaymentState.REQUESTED
    if payment is None or not (requested or payment.was_given_up):
        return Rejection(RejectionCode.UNKNOWN_PAYMENT, "No payment with this id is requested.")
    return payment


def settled_payment(invoice: Invoice, payment_id: str) -> Payment | Rejection:
    """The payment with this id, which must have settled."""
    payment = invoice.payments.get(payment_id)
    if payment is None or not payment.has_settled:
        return Rejection(RejectionCode.UNKNOWN_PAYMENT, "No payment with this id has settled.")
    return payment


def with_payment(
    invoice: Invoice, payment: Payment, recorded_at: datetime, **changes: object
) -> Changes:
    """The changes that give the invoice's payment other values."""
    changed = payment.copy_with(**changes, updated_at=recorded_at)
    return {"payments": with_entry(PAYMENTS, invoice.payments, payment.payment_id, changed)}


APPLY: Final[ApplyTable] = {
    events.PaymentRequested: _requested,
    events.PaymentRecorded: _recorded,
    events.PaymentSettled: _settled,
    events.PaymentFailed: _failed,
    events.PaymentCancelled: _cancelled,
    events.PaymentActionRequired: _action_required,
}
