"""Payments: requested, received, settled or failed."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from invoicing.contracts import commands, events
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.contracts.types.money import MONEY_LIMIT
from invoicing.domain.apply import ApplyTable, Changes
from invoicing.domain.balance import payable
from invoicing.domain.consequences import emit_consequences
from invoicing.domain.decision import Decision
from invoicing.domain.invoice import Invoice, Payment, PaymentState

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
    return {"payments": {**invoice.payments, event.payment_id: payment}}


def record(decision: Decision, data: commands.RecordPayment) -> Rejection | None:
    """Record a payment: a new one, or the arrival of one that is in flight under this id."""
    invoice = decision.invoice
    known = invoice.payments.get(data.payment_id)
    if known is None:
        if len(invoice.payments) >= PAYMENTS_MAX:
            return _TOO_MANY_PAYMENTS
    elif known.state is not PaymentState.REQUESTED and not (
        known.state is PaymentState.RECEIVED and data.settled
    ):
        return Rejection(
            RejectionCode.DUPLICATE_PAYMENT, "The invoice already has a payment with this id."
        )
    facts = {
        "payment_id": data.payment_id,
        "amount": data.amount,
        "settled": data.settled,
        "received_at": data.received_at,
        "method": data.method,
        "source_id": data.source_id or (known.source_id if known else None),
    }
    if data.settled:
        return _settle(decision, events.PaymentRecorded, data.amount, facts)
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
    return {"payments": {**invoice.payments, event.payment_id: payment}, "next_attempt_at": None}


def settle(decision: Decision, data: commands.SettlePayment) -> Rejection | None:
    """Make a payment in flight final."""
    payment = _in_flight(decision, data.payment_id)
    if isinstance(payment, Rejection):
        return payment
    facts = {"payment_id": payment.payment_id, "amount": payment.amount}
    return _settle(decision, events.PaymentSettled, payment.amount, facts)


def _settled(invoice: Invoice, event: events.PaymentSettled, recorded_at: datetime) -> Changes:
    payment = invoice.payments[event.payment_id]
    return with_payment(
        invoice,
        payment,
        recorded_at,
        state=PaymentState.SETTLED,
        received_at=payment.received_at or recorded_at,
    )


def _settle(
    decision: Decision,
    event: type[events.PaymentRecorded | events.PaymentSettled],
    amount: Decimal,
    facts: dict[str, object],
) -> Rejection | None:
    """Count an amount as paid."""
    before = decision.invoice
    if before.amount_paid + amount >= MONEY_LIMIT:
        return Rejection(RejectionCode.LIMIT_EXCEEDED, "Payments would total 10^15 or more.")
    decision.emit(event, amount_paid=before.amount_paid + amount, **facts)
    emit_consequences(decision, before)
    return None


def fail(decision: Decision, data: commands.RecordPaymentFailure) -> Rejection | None:
    """Record that a payment in flight has failed."""
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


def _in_flight(decision: Decision, payment_id: str) -> Payment | Rejection:
    payment = decision.invoice.payments.get(payment_id)
    if payment is None or not payment.in_flight:
        return Rejection(RejectionCode.UNKNOWN_PAYMENT, "No payment with this id is in flight.")
    return payment


def with_payment(
    invoice: Invoice, payment: Payment, recorded_at: datetime, **changes: object
) -> Changes:
    """The changes that give the invoice's payment other values."""
    changed = payment.copy_with(**changes, updated_at=recorded_at)
    return {"payments": {**invoice.payments, payment.payment_id: changed}}


APPLY: Final[ApplyTable] = {
    events.PaymentRequested: _requested,
    events.PaymentRecorded: _recorded,
    events.PaymentSettled: _settled,
    events.PaymentFailed: _failed,
}
