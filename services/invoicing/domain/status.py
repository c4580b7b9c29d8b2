"""What an invoice is called on a given day: its state, or what follows from dates and amounts.

Never stored, for it changes when nothing happens.
"""

from datetime import date

from contracts.invoice import State
from invoicing.domain.invoice import Invoice, PaymentState


def status(invoice: Invoice, today: date) -> str:
    """archived before all else; then overpaid and, of an open invoice, received (money is on its
    way), overdue, partially_paid or upcoming; else the state."""
    if invoice.archived:
        return "archived"
    if invoice.state is State.PAID and invoice.amount_overpaid:
        return "overpaid"
    return _open_status(invoice, today) if invoice.state is State.OPEN else invoice.state.value


def _open_status(invoice: Invoice, today: date) -> str:
    if any(payment.state is PaymentState.RECEIVED for payment in invoice.payments.values()):
        return "received"
    if today > invoice.document.due_date:
        return "overdue"
    if invoice.amount_due < invoice.total:
        return "partially_paid"
    return "upcoming"
