"""Whether a command is accepted, and what it leads to. Pure: the same again gives the same."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from invoicing.contracts import commands
from invoicing.contracts.commands import CommandData, CreateInvoice
from invoicing.contracts.invoice import State
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.contracts.validation.error_messages import invalid
from invoicing.contracts.validation.scale import at_scale, excess_decimals
from invoicing.domain import accompanying
from invoicing.domain import credit_notes as crediting
from invoicing.domain import invoices as issuing
from invoicing.domain import payments as paying
from invoicing.domain.decision import Accepted, Command, Context, Decision
from invoicing.domain.invoice import Invoice
from invoicing.domain.lifecycle import refusal_of
from invoicing.domain.pricing.rounding import exact_arithmetic

# Each is called with data of its own class only, which a mapping's type cannot say.
Decide = Callable[[Decision, Any], Rejection | None]

_DECIDE: Final[Mapping[type[CommandData], Decide]] = {
    commands.UpdateInvoice: issuing.update,
    commands.DeleteInvoice: issuing.delete,
    commands.OpenInvoice: issuing.open_,
    commands.UnpostInvoice: issuing.unpost,
    commands.VoidInvoice: issuing.void,
    commands.CancelInvoice: issuing.cancel,
    commands.ReverseInvoice: crediting.reverse,
    commands.WriteOffInvoice: paying.write_off,
    commands.PayInvoice: paying.request,
    commands.RecordPayment: paying.record,
    commands.SettlePayment: paying.settle,
    commands.RecordPaymentFailure: paying.fail,
    commands.RefundPayment: paying.refund,
    commands.IssueCreditNote: crediting.issue,
    commands.AttachSource: accompanying.attach,
    commands.DetachSource: accompanying.detach,
    commands.ArchiveInvoice: accompanying.archive,
    commands.RestoreInvoice: accompanying.restore,
    commands.SendInvoice: accompanying.request_sending,
    commands.RecordInvoiceSent: accompanying.record_sent,
    commands.RecordInvoiceSendFailure: accompanying.record_send_failure,
    commands.MarkInvoiceOverdue: accompanying.mark_overdue,
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
    decision = issuing.create(command, at_scale(data, data.currency), context)
    return decision if isinstance(decision, Rejection) else _accepted(decision)


def _change(invoice: Invoice, command: Command, context: Context) -> Accepted | Rejection:
    rejection = _refusal_before(invoice, command)
    if rejection is not None:
        return rejection
    decision = Decision(invoice, command, context)
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
