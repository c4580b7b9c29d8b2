"""Refunds of payments."""

from datetime import datetime
from typing import Final

from invoicing.contracts import commands, events
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.domain.apply import ApplyTable, Changes
from invoicing.domain.consequences import emit_consequences
from invoicing.domain.decision import Decision
from invoicing.domain.invoice import Invoice, PaymentState, Refund
from invoicing.domain.payments import with_payment

REFUNDS_MAX: Final = 1_000
"""Of one payment."""


def refund(decision: Decision, data: commands.RefundPayment) -> Rejection | None:
    """Refund a part of one payment. If something is due again, the invoice is open again."""
    invoice = decision.invoice
    payment = invoice.payments.get(data.payment_id)
    if payment is None or payment.state is not PaymentState.SETTLED:
        return Rejection(RejectionCode.UNKNOWN_PAYMENT, "No payment with this id has settled.")
    if any(
        earlier.refund_id == data.refund_id
        for other in invoice.payments.values()
        for earlier in other.refunds
    ):
        return Rejection(
            RejectionCode.DUPLICATE_REFUND, "The invoice already has a refund with this id."
        )
    if len(payment.refunds) >= REFUNDS_MAX:
        return Rejection(
            RejectionCode.LIMIT_EXCEEDED, f"A payment can have at most {REFUNDS_MAX} refunds."
        )
    if data.amount > payment.refundable:
        return Rejection(
            RejectionCode.AMOUNT_EXCEEDS_BALANCE,
            "The amount exceeds what remains of the payment.",
        )
    decision.emit(
        events.PaymentRefunded,
        amount_refunded=invoice.amount_refunded + data.amount,
        payment_id=data.payment_id,
        refund_id=data.refund_id,
        amount=data.amount,
        reason=data.reason,
    )
    emit_consequences(decision, invoice, reopened_by="refund")
    assert decision.invoice.payments[data.payment_id].refundable >= 0, "more refunded than paid"
    return None


def _refunded(invoice: Invoice, event: events.PaymentRefunded, recorded_at: datetime) -> Changes:
    payment = invoice.payments[event.payment_id]
    refund = Refund.construct_unchecked(
        refund_id=event.refund_id,
        amount=event.amount,
        refunded_at=recorded_at,
        reason=event.reason,
    )
    return with_payment(invoice, payment, recorded_at, refunds=(*payment.refunds, refund))


APPLY: Final[ApplyTable] = {
    events.PaymentRefunded: _refunded,
}
