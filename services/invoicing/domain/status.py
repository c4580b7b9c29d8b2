"""The status of an invoice at an instant: its state, or what follows from dates and amounts.

The status is never stored, since it changes with time. The base status, which is the status
until the due date has passed, changes with events only; the column `standing` holds it.
"""

from datetime import datetime
from typing import Final

from invoicing.contracts.invoice import State
from invoicing.domain.balance import net_received
from invoicing.domain.calendar import overdue_from_of
from invoicing.domain.entries import total
from invoicing.domain.invoice import ON_ITS_WAY, Invoice

ARCHIVED: Final = "archived"
OVERPAID: Final = "overpaid"
RECEIVED: Final = "received"
PARTIALLY_PAID: Final = "partially_paid"
UPCOMING: Final = "upcoming"
OVERDUE: Final = "overdue"

MAY_BE_OVERDUE: Final = frozenset({PARTIALLY_PAID, UPCOMING})
"""The base statuses that become overdue when the due date has passed."""

BASE_STATUSES_OF_OPEN: Final = frozenset({RECEIVED, *MAY_BE_OVERDUE})
BASE_STATUSES_OF_PAID: Final = frozenset({OVERPAID, State.PAID.value})


def status_unarchived(invoice: Invoice, at: datetime) -> str:
    """Return the status at an instant, regardless of the archive.

    An open invoice is received (the payments on their way cover what is due), overdue,
    partially_paid or upcoming; a paid one may be overpaid. Any other status is the state.
    """
    base = base_status(invoice)
    # Only these look at the due date, and so read the document.
    if base not in MAY_BE_OVERDUE:
        return base
    return status_at(base, overdue_from_of(invoice.lazy_document.index_fields), at)


def status_at(base: str, overdue_from: datetime, at: datetime) -> str:
    """Return the status that a base status becomes at an instant."""
    return OVERDUE if base in MAY_BE_OVERDUE and at >= overdue_from else base


def base_status(invoice: Invoice) -> str:
    """Return the status on any day up to the due date, regardless of the archive."""
    if invoice.state is State.PAID and invoice.amount_overpaid:
        return OVERPAID
    if invoice.state is not State.OPEN:
        return invoice.state.value
    if 0 < invoice.amount_due <= total(invoice.payments, ON_ITS_WAY):
        return RECEIVED
    return PARTIALLY_PAID if net_received(vars(invoice)) > 0 else UPCOMING
