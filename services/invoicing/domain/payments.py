"""Money that is asked for, comes, fails to come, goes back, or is given up."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from invoicing.contracts import commands, events
from invoicing.contracts.invoice import State
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.contracts.types.money import MONEY_LIMIT
from invoicing.domain.apply import ApplyTable, Changes, summary_only
from invoicing.domain.balance import balance_of, payable
from invoicing.domain.decision import Decision
from invoicing.domain.invoice import Invoice, Payment, PaymentState, Refund

PAYMENTS_MAX: Final = 10_000
REFUNDS_MAX: Final = 1_000
"""Of one payment."""

_TOO_MANY_PAYMENTS = Rejection(
    RejectionCode.LIMIT_EXCEEDED, f"An invoice has at most {PAYMENTS_MAX} payments."
)


def request(decision: Decision, data: commands.PayInvoice) -> Rejection | None:
    """Ask for a charge."""
    invoice = decision.invoice
    if len(invoice.payments) >= PAYMENTS_MAX:
        return _TOO_MANY_PAYMENTS
    source_id = data.source_id or next(reversed(invoice.sources))
    if source_id not in invoice.sources:
        return Rejection(
            RejectionCode.UNKNOWN_SOURCE, "This source is not attached to the invoice."
        )
    amount = payable(invoice) if data.amount is None else data.amount
    if amount > payable(invoice):
        return Rejection(RejectionCode.AMOUNT_EXCEEDS_BALANCE, "The amount is more than is due.")
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
    return {"payments": {**invoice.payments, event.payment_id: payment}}


def record(decision: Decision, data: commands.RecordPayment) -> Rejection | None:
    """Take note of a payment; one that is in flight under this id has arrived by it."""
    invoice = decision.invoice
    if data.currency != invoice.currency:
        return Rejection(RejectionCode.CURRENCY_MISMATCH, f"The invoice is in {invoice.currency}.")
    known = invoice.payments.get(data.payment_id)
    if known is not None and not _awaited(known, settled=data.settled):
        return Rejection(
            RejectionCode.DUPLICATE_PAYMENT, "There is a payment of this id on the invoice."
        )
    if known is None and len(invoice.payments) >= PAYMENTS_MAX:
        return _TOO_MANY_PAYMENTS
    facts = {
        "payment_id": data.payment_id,
        "amount": data.amount,
        "settled": data.settled,
        "received_at": data.received_at,
        "method": data.method,
        "source_id": data.source_id or (known.source_id if known else None),
    }
    if not data.settled:
        decision.emit(events.PaymentRecorded, **facts)
        return None
    return _arrive(decision, events.PaymentRecorded, data.amount, facts)


def _awaited(payment: Payment, *, settled: bool) -> bool:
    if payment.state is PaymentState.RECEIVED:
        return settled
    return payment.state is PaymentState.REQUESTED


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


def _begun(invoice: Invoice, payment_id: str) -> datetime | None:
    """Since when there is a payment of this id, where it was asked for before it came."""
    payment = invoice.payments.get(payment_id)
    return payment.created_at if payment else None


def settle(decision: Decision, data: commands.SettlePayment) -> Rejection | None:
    """A payment in flight is final."""
    payment = _in_flight(decision, data.payment_id)
    if isinstance(payment, Rejection):
        return payment
    facts = {"payment_id": payment.payment_id, "amount": payment.amount}
    return _arrive(decision, events.PaymentSettled, payment.amount, facts)


def _arrive(
    decision: Decision,
    event: type[events.PaymentRecorded | events.PaymentSettled],
    amount: Decimal,
    facts: dict[str, object],
) -> Rejection | None:
    """Count money as paid: first on what is due, then on what was written off; the rest is over."""
    before = decision.invoice
    if before.amount_paid + amount >= MONEY_LIMIT:
        return Rejection(RejectionCode.LIMIT_EXCEEDED, "Payments come to 10^15 or more.")
    beyond_due = max(amount - before.amount_due, amount * 0)
    taken_back = min(before.amount_written_off, beyond_due)
    decision.emit(
        event,
        amount_paid=before.amount_paid + amount,
        amount_written_off=before.amount_written_off - taken_back,
        **facts,
    )
    mark_paid_if_settled(decision)
    if decision.invoice.amount_overpaid > before.amount_overpaid:
        decision.emit(events.InvoiceOverpaid)
    return None


def mark_paid_if_settled(decision: Decision) -> None:
    """An open invoice is paid when nothing is due; one given up, when nothing is written off."""
    invoice = decision.invoice
    if invoice.state in (State.OPEN, State.UNCOLLECTIBLE) and not payable(invoice):
        decision.emit(events.InvoicePaid, state=State.PAID)


def _settled(invoice: Invoice, event: events.PaymentSettled, recorded_at: datetime) -> Changes:
    payment = invoice.payments[event.payment_id]
    return _with_payment(
        invoice,
        payment,
        recorded_at,
        state=PaymentState.SETTLED,
        received_at=payment.received_at or recorded_at,
    )


def fail(decision: Decision, data: commands.RecordPaymentFailure) -> Rejection | None:
    """A payment in flight will not arrive."""
    payment = _in_flight(decision, data.payment_id)
    if isinstance(payment, Rejection):
        return payment
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


def _in_flight(decision: Decision, payment_id: str) -> Payment | Rejection:
    payment = decision.invoice.payments.get(payment_id)
    if payment is None or not payment.in_flight:
        return Rejection(RejectionCode.UNKNOWN_PAYMENT, "No payment of this id is in flight.")
    return payment


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


def refund(decision: Decision, data: commands.RefundPayment) -> Rejection | None:
    """Give back money of one payment; what is due again makes the invoice open again."""
    invoice = decision.invoice
    payment = invoice.payments.get(data.payment_id)
    if payment is None or payment.state is not PaymentState.SETTLED:
        return Rejection(RejectionCode.UNKNOWN_PAYMENT, "No payment of this id has settled.")
    if _has_refund(invoice, data.refund_id):
        return Rejection(
            RejectionCode.DUPLICATE_REFUND, "There is a refund of this id on the invoice."
        )
    if len(payment.refunds) >= REFUNDS_MAX:
        return Rejection(
            RejectionCode.LIMIT_EXCEEDED, f"A payment has at most {REFUNDS_MAX} refunds."
        )
    if data.amount > payment.refundable:
        return Rejection(
            RejectionCode.AMOUNT_EXCEEDS_BALANCE, "The amount is more than is left of the payment."
        )
    refunded = invoice.amount_refunded + data.amount
    after = balance_of(invoice, amount_refunded=refunded)
    decision.emit(
        events.PaymentRefunded,
        amount_refunded=refunded,
        payment_id=data.payment_id,
        refund_id=data.refund_id,
        amount=data.amount,
        reason=data.reason,
        state=State.OPEN if after.amount_due else invoice.state,
    )
    return None


def _has_refund(invoice: Invoice, refund_id: str) -> bool:
    return any(
        refund.refund_id == refund_id
        for payment in invoice.payments.values()
        for refund in payment.refunds
    )


def _refunded(invoice: Invoice, event: events.PaymentRefunded, recorded_at: datetime) -> Changes:
    payment = invoice.payments[event.payment_id]
    refund = Refund.construct_unchecked(
        refund_id=event.refund_id,
        amount=event.amount,
        refunded_at=recorded_at,
        reason=event.reason,
    )
    return _with_payment(invoice, payment, recorded_at, refunds=(*payment.refunds, refund))


def _with_payment(
    invoice: Invoice, payment: Payment, recorded_at: datetime, **changes: object
) -> Changes:
    changed = payment.copy_with(**changes, updated_at=recorded_at)
    return {"payments": {**invoice.payments, payment.payment_id: changed}}


def write_off(decision: Decision, data: commands.WriteOffInvoice) -> None:
    """Give up what is due."""
    invoice = decision.invoice
    decision.emit(
        events.InvoiceWrittenOff,
        state=State.UNCOLLECTIBLE,
        amount_written_off=invoice.amount_written_off + invoice.amount_due,
        amount=invoice.amount_due,
        reason=data.reason,
    )


APPLY: Final[ApplyTable] = {
    events.PaymentRequested: _requested,
    events.PaymentRecorded: _recorded,
    events.PaymentSettled: _settled,
    events.PaymentFailed: _failed,
    events.PaymentRefunded: _refunded,
    events.InvoicePaid: summary_only,
    events.InvoiceOverpaid: summary_only,
    events.InvoiceWrittenOff: summary_only,
}
