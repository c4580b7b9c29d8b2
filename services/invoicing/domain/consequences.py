"""The events that follow from a fact: the invoice is open again or paid, or overpaid by more."""

from typing import Any, Final

from invoicing.contracts import events
from invoicing.contracts.invoice import State
from invoicing.domain.apply import ApplyTable, Changes, summary_only
from invoicing.domain.decision import Decision
from invoicing.domain.invoice import Invoice


def emit_consequences(
    decision: Decision, before: Invoice, *, reopened_by: events.ReopenReason | None = None
) -> None:
    """Emit what follows from the facts emitted since `before`: reopened or paid, then overpaid.

    `reopened_by` is the reason to name if the invoice owes again.
    """
    invoice = decision.invoice
    assert decision.balance is not None, "consequences of nothing"
    state = decision.balance.state
    if state is State.PAID and before.state is not State.PAID:
        decision.emit(events.InvoicePaid, state=State.PAID, times_paid=invoice.times_paid + 1)
    elif state is State.OPEN and before.state in (State.PAID, State.UNCOLLECTIBLE):
        assert reopened_by is not None, "a command that cannot reopen an invoice has reopened it"
        decision.emit(events.InvoiceReopened, state=State.OPEN, reason=reopened_by)
    if decision.invoice.amount_overpaid > before.amount_overpaid:
        decision.emit(events.InvoiceOverpaid)


def emit_money(
    decision: Decision,
    event: type[events.EventData],
    *,
    reopened_by: events.ReopenReason | None = None,
    **facts: Any,
) -> None:
    """Emit an event by which more or less was received, and what follows from it."""
    before = decision.invoice
    decision.emit(event, **facts)
    emit_consequences(decision, before, reopened_by=reopened_by)


def _paid(invoice: Invoice, event: events.InvoicePaid, _recorded_at: object) -> Changes:
    # The first releases did not count: of several payments they show one.
    return {"times_paid": max(invoice.times_paid, event.times_paid, 1)}


def _reopened(_invoice: Invoice, _event: events.InvoiceReopened, _recorded_at: object) -> Changes:
    return {"overdue_as_of": None}


APPLY: Final[ApplyTable] = {
    events.InvoicePaid: _paid,
    events.InvoiceReopened: _reopened,
    events.InvoiceOverpaid: summary_only,
}
