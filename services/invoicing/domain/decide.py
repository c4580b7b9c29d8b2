"""Whether a command is accepted, and what it leads to. Pure: the same again gives the same."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from invoicing.contracts import commands
from invoicing.contracts.commands import CommandData, CreateInvoice
from invoicing.contracts.invoice import State
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.contracts.validation.error_messages import invalid
from invoicing.contracts.validation.scale import at_scale, excess_decimals
from invoicing.domain import archive, credit_notes, invoices, payments, sending, sources
from invoicing.domain.decision import Accepted, Command, Context, Decision
from invoicing.domain.evolve import evolve
from invoicing.domain.invoice import Invoice
from invoicing.domain.lifecycle import refusal_of
from invoicing.domain.pricing.rounding import exact_arithmetic

# Each is called with data of its own class only, which a mapping's type cannot say.
Decide = Callable[[Decision, Any], Rejection | None]

_DECIDE: Final[Mapping[type[CommandData], Decide]] = {
    commands.UpdateInvoice: invoices.update,
    commands.DeleteInvoice: invoices.delete,
    commands.OpenInvoice: invoices.open_,
    commands.UnpostInvoice: invoices.unpost,
    commands.VoidInvoice: invoices.void,
    commands.CancelInvoice: invoices.cancel,
    commands.ReverseInvoice: credit_notes.reverse,
    commands.WriteOffInvoice: payments.write_off,
    commands.PayInvoice: payments.request,
    commands.RecordPayment: payments.record,
    commands.SettlePayment: payments.settle,
    commands.RecordPaymentFailure: payments.fail,
    commands.RefundPayment: payments.refund,
    commands.IssueCreditNote: credit_notes.issue,
    commands.AttachSource: sources.attach,
    commands.DetachSource: sources.detach,
    commands.ArchiveInvoice: archive.archive,
    commands.RestoreInvoice: archive.restore,
    commands.SendInvoice: sending.request,
    commands.RecordInvoiceSent: sending.record_sent,
    commands.RecordInvoiceSendFailure: sending.record_failure,
    commands.MarkInvoiceOverdue: invoices.mark_overdue,
}


def decide(invoice: Invoice | None, command: Command, context: Context) -> Accepted | Rejection:
    """Decide a command on an invoice as it is; None is one that does not exist.

    Where several refusals apply, the first of these is given: no such invoice or one already, an
    amount that its currency cannot take, version, state, then what the command asks of the invoice.
    """
    with exact_arithmetic():
        if isinstance(command.data, CreateInvoice):
            return _create(invoice, command, command.data, context)
        if invoice is None or invoice.state is State.DELETED:
            return Rejection(RejectionCode.INVOICE_NOT_FOUND, "There is no such invoice.")
        return _change(invoice, command, context)


def _create(
    invoice: Invoice | None, command: Command, data: CreateInvoice, context: Context
) -> Accepted | Rejection:
    if invoice is not None:
        return Rejection(
            RejectionCode.INVOICE_ALREADY_EXISTS, "There is an invoice of this id already."
        )
    if command.expected_version not in (None, 0):
        return _version_conflict(0)
    created = invoices.create(command, at_scale(data, data.currency), context)
    if isinstance(created, Rejection):
        return created
    invoice = evolve(None, created, context.recorded_at)
    decision = Decision(invoice, command, context, evolve, [created])
    rejection = None if data.state == "draft" else _open_at_once(decision)
    return rejection or _accepted(decision)


def _open_at_once(decision: Decision) -> Rejection | None:
    rejection = refusal_of(decision.invoice, commands.OpenInvoice)
    return rejection or invoices.open_(decision, commands.OpenInvoice())


def _change(invoice: Invoice, command: Command, context: Context) -> Accepted | Rejection:
    rejection = _refusal_before(invoice, command)
    if rejection is not None:
        return rejection
    decision = Decision(invoice, command, context, evolve)
    data = at_scale(command.data, _currency(command, invoice))
    rejection = _DECIDE[type(data)](decision, data)
    return rejection or _accepted(decision)


def _refusal_before(invoice: Invoice, command: Command) -> Rejection | None:
    errors = tuple(excess_decimals(command.data, _currency(command, invoice)))
    if errors:
        return invalid(errors)
    if command.expected_version not in (None, invoice.version):
        return _version_conflict(invoice.version)
    return refusal_of(invoice, type(command.data))


def _currency(command: Command, invoice: Invoice) -> str:
    """That of the command's amounts: its own where it names one, else the invoice's."""
    data = command.data
    return data.currency if isinstance(data, commands.RecordPayment) else invoice.currency


def _version_conflict(version: int) -> Rejection:
    return Rejection(RejectionCode.VERSION_CONFLICT, f"The invoice is at version {version}.")


def _accepted(decision: Decision) -> Accepted:
    return Accepted(tuple(decision.events), decision.invoice, tuple(decision.numbers))
