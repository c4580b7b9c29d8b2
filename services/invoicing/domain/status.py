"""What an invoice is called on a given day: its state, or what follows from dates and amounts.

A day's status is never stored, for it changes when nothing happens. The standing, which is the
status as long as the invoice is not due, changes with its events only.
"""

from datetime import date
from typing import Final

from invoicing.contracts.invoice import State
from invoicing.domain.invoice import Invoice, PaymentState

ARCHIVED: Final = "archived"
OVERPAID: Final = "overpaid"
RECEIVED: Final = "received"
PARTIALLY_PAID: Final = "partially_paid"
UPCOMING: Final = "upcoming"
OVERDUE: Final = "overdue"

MAY_BE_OVERDUE: Final = frozenset({PARTIALLY_PAID, UPCOMING})
"""The standings that are called overdue once the due date has passed."""

BASE_STATUSES_OF_OPEN: Final = frozenset({RECEIVED, *MAY_BE_OVERDUE})
BASE_STATUSES_OF_PAID: Final = frozenset({OVERPAID, State.PAID.value})


def status(invoice: Invoice, today: date) -> str:
    """archived before all else; then overpaid and, of an open invoice, received (money is on its
    way), overdue, partially_paid or upcoming; else the state."""
    base = ARCHIVED if invoice.archived else base_status(invoice)
    # Asked only where it counts, for the document is read when it is looked at.
    return status_on(base, invoice.document.due_date, today) if base in MAY_BE_OVERDUE else base


def status_on(base: str, due_date: date, today: date) -> str:
    """The status that a standing comes to on a day."""
    return OVERDUE if base in MAY_BE_OVERDUE and today > due_date else base


def base_status(invoice: Invoice) -> str:
    """The status of an invoice that is not archived, on any day up to its due date."""
    if invoice.state is State.PAID and invoice.amount_overpaid:
        return OVERPAID
    return _base_status_of_open(invoice) if invoice.state is State.OPEN else invoice.state.value


def _base_status_of_open(invoice: Invoice) -> str:
    if any(payment.state is PaymentState.RECEIVED for payment in invoice.payments.values()):
        return RECEIVED
    return PARTIALLY_PAID if invoice.amount_due < invoice.total else UPCOMING
