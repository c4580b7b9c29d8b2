"""Refunds of payments: pending, settled or failed.

A pending refund changes no amount of the invoice, but is not left of its payment any more. A refund
that we start takes at most what is left; one that the provider has made happened, so it may take
up to all that settled.
"""

from datetime import datetime
from typing import Final

from invoicing.contracts import commands, events
from invoicing.contracts.invoice import State
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.domain.apply import ApplyTable, Changes
from invoicing.domain.consequences import emit_consequences, emit_money
from invoicing.domain.decision import Decision
from invoicing.domain.entries import owner
from invoicing.domain.invoice import PAYMENTS, Invoice, Payment, Refund, RefundState
from invoicing.domain.payments import settled_payment, with_payment

REFUNDS_MAX: Final = 1_000
"""Of one payment."""

_TOO_MANY_REFUNDS = Rejection(
    RejectionCode.LIMIT_EXCEEDED, f"A payment can have at most {REFUNDS_MAX} refunds."
)
_DUPLICATE_REFUND = Rejection(
    RejectionCode.DUPLICATE_REFUND, "The invoice already has a refund with this id."
)


def refund(decision: Decision, data: commands.RefundPayment) -> Rejection | None:
    """Refund a part of one payment, at most what is left of it."""
    before = decision.invoice
    rejection = emit_refund(decision, data)
    if rejection is None:
        emit_consequences(decision, before, reopened_by="refund")
    return rejection


def emit_refund(
    decision: Decision, data: commands.RefundPayment, *, state: State | None = None
) -> Rejection | None:
    """Emit the refund alone, without what follows from it.

    `state` is the invoice's life if an earlier fact of the decision ended a write-off.
    """
    invoice = decision.invoice
    payment = settled_payment(invoice, data.payment_id)
    if isinstance(payment, Rejection):
        return payment
    if _has_refund(invoice, data.refund_id):
        return _DUPLICATE_REFUND
    if len(payment.refunds) >= REFUNDS_MAX:
        return _TOO_MANY_REFUNDS
    if data.amount > payment.refundable:
        return Rejection(
            RejectionCode.AMOUNT_EXCEEDS_BALANCE,
            "The amount exceeds what remains of the payment.",
        )
    facts = {
        "payment_id": data.payment_id,
        "refund_id": data.refund_id,
        "amount": data.amount,
        "reason": data.reason,
        "state": state,
    }
    if data.execute or not data.settled:
        decision.emit(events.RefundRequested, execute=data.execute, **facts)
    else:
        refunded = invoice.amount_refunded + data.amount
        decision.emit(events.PaymentRefunded, amount_refunded=refunded, **facts)
    return None


def _requested(invoice: Invoice, event: events.RefundRequested, recorded_at: datetime) -> Changes:
    payment = invoice.payments[event.payment_id]
    refund = Refund.construct_unchecked(
        refund_id=event.refund_id,
        amount=event.amount,
        state=RefundState.PENDING,
        execute=event.execute,
        reason=event.reason,
        requested_at=recorded_at,
    )
    return with_payment(invoice, payment, recorded_at, refunds=(*payment.refunds, refund))


def settle(decision: Decision, data: commands.SettleRefund) -> Rejection | None:
    """Make a refund final: a pending one, a failed one, or one that the provider has made."""
    invoice = decision.invoice
    payment = settled_payment(invoice, data.payment_id)
    if isinstance(payment, Rejection):
        return payment
    known = _refund_of(payment, data.refund_id)
    if known is not None and known.state is RefundState.SETTLED:
        return Rejection(RejectionCode.UNKNOWN_REFUND, "No refund with this id is pending.")
    amount = known.amount if data.amount is None and known is not None else data.amount
    if amount is None:
        return Rejection(
            RejectionCode.UNKNOWN_REFUND,
            "The payment has no refund with this id. Give the amount if the provider has made it.",
        )
    if known is None and _has_refund(invoice, data.refund_id):
        return _DUPLICATE_REFUND
    if known is None and len(payment.refunds) >= REFUNDS_MAX:
        return _TOO_MANY_REFUNDS
    if payment.refunded + amount > payment.amount:
        return Rejection(
            RejectionCode.AMOUNT_EXCEEDS_BALANCE, "The refunds would exceed the payment."
        )
    rejection = decision.reported_too_early("settled_at", data.settled_at)
    if rejection is not None:
        return rejection
    emit_money(
        decision,
        events.PaymentRefunded,
        reopened_by="refund",
        amount_refunded=invoice.amount_refunded + amount,
        payment_id=data.payment_id,
        refund_id=data.refund_id,
        amount=amount,
        settled_at=data.settled_at,
    )
    return None


def _refunded(invoice: Invoice, event: events.PaymentRefunded, recorded_at: datetime) -> Changes:
    payment = invoice.payments[event.payment_id]
    settled: dict[str, object] = {
        "amount": event.amount,
        "state": RefundState.SETTLED,
        "refunded_at": event.settled_at or recorded_at,
    }
    known = _refund_of(payment, event.refund_id)
    if known is not None:
        if known.state is RefundState.FAILED:
            settled |= {"failed_at": None, "failure_code": None, "failure_message": None}
        return _with_refund(invoice, payment, recorded_at, known.copy_with(**settled))
    refund = Refund.construct_unchecked(refund_id=event.refund_id, reason=event.reason, **settled)
    return with_payment(invoice, payment, recorded_at, refunds=(*payment.refunds, refund))


def fail(decision: Decision, data: commands.RecordRefundFailure) -> Rejection | None:
    """Record that a refund has failed. If it had settled, its amount is received again."""
    invoice = decision.invoice
    payment = settled_payment(invoice, data.payment_id)
    if isinstance(payment, Rejection):
        return payment
    known = _refund_of(payment, data.refund_id)
    if known is None:
        return Rejection(RejectionCode.UNKNOWN_REFUND, "The payment has no refund with this id.")
    if known.state is RefundState.FAILED:
        return None
    had_settled = known.state is RefundState.SETTLED
    emit_money(
        decision,
        events.RefundFailed,
        amount_refunded=invoice.amount_refunded - (known.amount if had_settled else 0),
        payment_id=data.payment_id,
        refund_id=data.refund_id,
        amount=known.amount,
        was_settled=had_settled,
        code=data.code,
        message=data.message,
    )
    return None


def _failed(invoice: Invoice, event: events.RefundFailed, recorded_at: datetime) -> Changes:
    payment = invoice.payments[event.payment_id]
    known = _refund_of(payment, event.refund_id)
    assert known is not None, "a refund failed that was never made"
    failed = known.copy_with(
        state=RefundState.FAILED,
        refunded_at=None,
        failed_at=recorded_at,
        failure_code=event.code,
        failure_message=event.message,
    )
    return _with_refund(invoice, payment, recorded_at, failed)


def _refund_of(payment: Payment, refund_id: str) -> Refund | None:
    return next((refund for refund in payment.refunds if refund.refund_id == refund_id), None)


def _has_refund(invoice: Invoice, refund_id: str) -> bool:
    return owner(PAYMENTS, invoice.payments, ("refund", refund_id)) is not None


def _with_refund(
    invoice: Invoice, payment: Payment, recorded_at: datetime, changed: Refund
) -> Changes:
    refunds = tuple(
        changed if refund.refund_id == changed.refund_id else refund for refund in payment.refunds
    )
    return with_payment(invoice, payment, recorded_at, refunds=refunds)


APPLY: Final[ApplyTable] = {
    events.RefundRequested: _requested,
    events.PaymentRefunded: _refunded,
    events.RefundFailed: _failed,
}
