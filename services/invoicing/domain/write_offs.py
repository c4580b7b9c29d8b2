"""Write-offs of what is due."""

from typing import Final

from invoicing.contracts import commands, events
from invoicing.contracts.invoice import State
from invoicing.domain.apply import ApplyTable, summary_only
from invoicing.domain.decision import Decision


def write_off(decision: Decision, data: commands.WriteOffInvoice) -> None:
    """Write off what is due."""
    invoice = decision.invoice
    decision.emit(
        events.InvoiceWrittenOff,
        state=State.UNCOLLECTIBLE,
        amount_written_off=invoice.amount_written_off + invoice.amount_due,
        amount=invoice.amount_due,
        reason=data.reason,
    )
    assert not decision.invoice.amount_due, "something is due after it was written off"


APPLY: Final[ApplyTable] = {
    events.InvoiceWrittenOff: summary_only,
}
