"""Write-offs of what is due, and their reversal."""

from typing import Final

from invoicing.contracts import commands, events
from invoicing.contracts.invoice import State
from invoicing.domain.apply import ApplyTable, summary_only
from invoicing.domain.decision import Decision


def write_off(decision: Decision, data: commands.WriteOffInvoice) -> None:
    """Write off what is due."""
    decision.emit(
        events.InvoiceWrittenOff,
        state=State.UNCOLLECTIBLE,
        amount=decision.invoice.amount_due,
        reason=data.reason,
    )


def reinstate(decision: Decision, data: commands.ReinstateInvoice) -> None:
    """Make what was written off due again."""
    decision.emit(
        events.InvoiceReinstated,
        state=State.OPEN,
        amount=decision.invoice.amount_written_off,
        reason=data.reason,
    )
    decision.emit(events.InvoiceReopened, reason="reinstated")


APPLY: Final[ApplyTable] = {
    events.InvoiceWrittenOff: summary_only,
    events.InvoiceReinstated: summary_only,
}
