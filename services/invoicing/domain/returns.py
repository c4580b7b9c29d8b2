"""Returns: payments that settled, and that the customer's bank took back.

A return has happened, so it is taken although the money was refunded before: the customer then
owes more than the total. Only what settled can be returned.
"""

from datetime import datetime
from typing import Final

from invoicing.contracts import commands, events
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.domain.apply import ApplyTable, Changes
from invoicing.domain.consequences import emit_money
from invoicing.domain.decision import Decision, drop_none
from invoicing.domain.entries import owner
from invoicing.domain.invoice import PAYMENTS, Invoice, PaymentReturn, PaymentState
from invoicing.domain.payments import settled_payment, with_payment

RETURNS_MAX: Final = 1_000
"""Of one payment."""


def record(decision: Decision, data: commands.ReturnPayment) -> Rejection | None:
    """Record a return, by default of all that settled and was not returned."""
    invoice = decision.invoice
    payment = settled_payment(invoice, data.payment_id)
    if isinstance(payment, Rejection):
        return payment
    if data.return_id is not None:
        other = owner(PAYMENTS, invoice.payments, ("return", data.return_id))
        if other is not None:
            (earlier,) = (one for one in other.returns if one.return_id == data.return_id)
            same = other is payment and data.amount in (None, earlier.amount)
            return None if same else _DUPLICATE_RETURN
    if len(payment.returns) >= RETURNS_MAX:
        return Rejection(
            RejectionCode.LIMIT_EXCEEDED, f"A payment can have at most {RETURNS_MAX} returns."
        )
    remaining = payment.amount - payment.returned
    amount = remaining if data.amount is None else data.amount
    if not 0 < amount <= remaining:
        return Rejection(
            RejectionCode.AMOUNT_EXCEEDS_BALANCE, "The returns would exceed the payment."
        )
    emit_money(
        decision,
        events.PaymentReturned,
        reopened_by="return",
        amount_returned=invoice.amount_returned + amount,
        payment_id=data.payment_id,
        return_id=data.return_id,
        amount=amount,
        code=data.code,
        fee=data.fee,
    )
    return None


_DUPLICATE_RETURN = Rejection(
    RejectionCode.DUPLICATE_RETURN, "The invoice already has another return with this id."
)


def _returned(invoice: Invoice, event: events.PaymentReturned, recorded_at: datetime) -> Changes:
    payment = invoice.payments[event.payment_id]
    returned = PaymentReturn.construct_unchecked(
        amount=event.amount,
        code=event.code,
        returned_at=recorded_at,
        **drop_none(return_id=event.return_id, fee=event.fee),
    )
    whole = payment.returned + event.amount == payment.amount
    return with_payment(
        invoice,
        payment,
        recorded_at,
        state=PaymentState.RETURNED if whole else payment.state,
        returns=(*payment.returns, returned),
    )


APPLY: Final[ApplyTable] = {
    events.PaymentReturned: _returned,
}
