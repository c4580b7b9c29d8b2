"""The archive: a flag beside the state. No amount changes.

A command that changes nothing is accepted and emits no event.
"""

from datetime import datetime
from typing import Final

from invoicing.contracts import commands, events
from invoicing.domain.apply import ApplyTable, Changes
from invoicing.domain.decision import Decision
from invoicing.domain.invoice import Invoice


def archive(decision: Decision, _data: commands.ArchiveInvoice) -> None:
    """Move the invoice into the archive."""
    if not decision.invoice.archived:
        decision.emit(events.InvoiceArchived)


def _archived(_invoice: Invoice, _event: events.EventData, _recorded_at: datetime) -> Changes:
    return {"archived": True}


def restore(decision: Decision, _data: commands.RestoreInvoice) -> None:
    """Take the invoice out of the archive."""
    if decision.invoice.archived:
        decision.emit(events.InvoiceRestored)


def _restored(_invoice: Invoice, _event: events.EventData, _recorded_at: datetime) -> Changes:
    return {"archived": False}


APPLY: Final[ApplyTable] = {
    events.InvoiceArchived: _archived,
    events.InvoiceRestored: _restored,
}
