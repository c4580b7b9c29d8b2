"""Disputes: payments that the customer contests with the bank.

An open dispute changes no amount of the invoice, but is not left of its payment any more. A lost
one takes its amount back from the seller, even if that was refunded before.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

from invoicing.contracts import commands, events
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.domain.apply import ApplyTable, Changes
from invoicing.domain.consequences import emit_money
from invoicing.domain.decision import Decision, drop_none
from invoicing.domain.entries import owner, total
from invoicing.domain.invoice import (
    OPEN_DISPUTES,
    PAYMENTS,
    Dispute,
    DisputeState,
    Invoice,
    Payment,
)
from invoicing.domain.payments import settled_payment, with_payment

DISPUTES_MAX: Final = 1_000
"""Of one payment."""


def open_(decision: Decision, data: commands.OpenDispute) -> Rejection | None:
    """Record that a part of a payment is disputed."""
    invoice = decision.invoice
    payment = settled_payment(invoice, data.payment_id)
    if isinstance(payment, Rejection):
        return payment
    if _find(invoice, data.dispute_id) is not None:
        return Rejection(
            RejectionCode.DUPLICATE_DISPUTE, "The invoice already has a dispute with this id."
        )
    if len(payment.disputes) >= DISPUTES_MAX:
        return Rejection(
            RejectionCode.LIMIT_EXCEEDED, f"A payment can have at most {DISPUTES_MAX} disputes."
        )
    if payment.disputed + data.amount > payment.amount:
        return Rejection(
            RejectionCode.AMOUNT_EXCEEDS_BALANCE, "The disputes would exceed the payment."
        )
    decision.emit(
        events.DisputeOpened,
        disputed=True,
        payment_id=data.payment_id,
        dispute_id=data.dispute_id,
        amount=data.amount,
        reason=data.reason,
        evidence_due_at=data.evidence_due_at,
    )
    return None


def _opened(invoice: Invoice, event: events.DisputeOpened, recorded_at: datetime) -> Changes:
    payment = invoice.payments[event.payment_id]
    dispute = Dispute.construct_unchecked(
        dispute_id=event.dispute_id,
        amount=event.amount,
        state=DisputeState.OPEN,
        opened_at=recorded_at,
        **drop_none(reason=event.reason, evidence_due_at=event.evidence_due_at),
    )
    return with_payment(invoice, payment, recorded_at, disputes=(*payment.disputes, dispute))


def close(decision: Decision, data: commands.CloseDispute) -> Rejection | None:
    """Record the outcome of a dispute that is open, or that was lost and is won after all."""
    invoice = decision.invoice
    found = _find(invoice, data.dispute_id)
    if found is None:
        return Rejection(RejectionCode.UNKNOWN_DISPUTE, "The invoice has no dispute with this id.")
    payment, dispute = found
    last_fee = dispute.fee if dispute.last_fee is None else dispute.last_fee
    if dispute.state == data.outcome and data.fee in (None, last_fee):
        return None
    was_lost = dispute.state is DisputeState.LOST
    is_won_after_all = was_lost and data.outcome == "won"
    if dispute.state is not DisputeState.OPEN and not is_won_after_all:
        return Rejection(
            RejectionCode.DISPUTE_CLOSED, f"The dispute is {dispute.state.value} already."
        )
    change = dispute.amount if data.outcome == "lost" else -dispute.amount if was_lost else 0
    emit_money(
        decision,
        events.DisputeClosed,
        reopened_by="dispute_lost",
        disputed=total(invoice.payments, OPEN_DISPUTES) > (dispute.state is DisputeState.OPEN),
        amount_returned=invoice.amount_returned + change,
        payment_id=payment.payment_id,
        dispute_id=data.dispute_id,
        amount=dispute.amount,
        outcome=data.outcome,
        was_lost=was_lost,
        fee=data.fee,
    )
    return None


def _closed(invoice: Invoice, event: events.DisputeClosed, recorded_at: datetime) -> Changes:
    payment = invoice.payments[event.payment_id]
    dispute = _dispute_of(payment, event.dispute_id)
    fees = [fee for fee in (dispute.fee, event.fee) if fee is not None]
    closed = dispute.copy_with(
        state=DisputeState(event.outcome),
        closed_at=recorded_at,
        last_fee=event.fee or Decimal(0),
        **drop_none(fee=sum(fees, Decimal(0)) if fees else None),
    )
    disputes = tuple(closed if other is dispute else other for other in payment.disputes)
    return with_payment(invoice, payment, recorded_at, disputes=disputes)


def _find(invoice: Invoice, dispute_id: str) -> tuple[Payment, Dispute] | None:
    payment = owner(PAYMENTS, invoice.payments, ("dispute", dispute_id))
    return None if payment is None else (payment, _dispute_of(payment, dispute_id))


def _dispute_of(payment: Payment, dispute_id: str) -> Dispute:
    (dispute,) = (one for one in payment.disputes if one.dispute_id == dispute_id)
    return dispute


APPLY: Final[ApplyTable] = {
    events.DisputeOpened: _opened,
    events.DisputeClosed: _closed,
}
