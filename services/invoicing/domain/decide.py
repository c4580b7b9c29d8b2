"""Whether a command is accepted, and what it leads to. Pure: the same again gives the same."""

from invoicing.contracts import commands
from invoicing.contracts.commands import CreateInvoice
from invoicing.contracts.invoice import State
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.contracts.validation.error_messages import invalid
from invoicing.contracts.validation.scale import at_scale, excess_decimals
from invoicing.domain import invoices
from invoicing.domain.decision import Accepted, Command, Context, Decision
from invoicing.domain.evolve import evolve
from invoicing.domain.invoice import Invoice
from invoicing.domain.pricing.rounding import exact_arithmetic
from invoicing.domain.transitions import TRANSITIONS, why_not_allowed


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
    rejection = why_not_allowed(decision.invoice, commands.OpenInvoice)
    return rejection or invoices.open_(decision, commands.OpenInvoice())


def _change(invoice: Invoice, command: Command, context: Context) -> Accepted | Rejection:
    rejection = _refusal_before(invoice, command)
    if rejection is not None:
        return rejection
    decision = Decision(invoice, command, context, evolve)
    data = at_scale(command.data, _currency(command, invoice))
    rejection = TRANSITIONS[type(data)].handler(decision, data)
    return rejection or _accepted(decision)


def _refusal_before(invoice: Invoice, command: Command) -> Rejection | None:
    errors = tuple(excess_decimals(command.data, _currency(command, invoice)))
    if errors:
        return invalid(errors)
    if command.expected_version not in (None, invoice.version):
        return _version_conflict(invoice.version)
    return why_not_allowed(invoice, type(command.data))


def _currency(command: Command, invoice: Invoice) -> str:
    """That of the command's amounts: its own where it names one, else the invoice's."""
    data = command.data
    return data.currency if isinstance(data, commands.RecordPayment) else invoice.currency


def _version_conflict(version: int) -> Rejection:
    return Rejection(RejectionCode.VERSION_CONFLICT, f"The invoice is at version {version}.")


def _accepted(decision: Decision) -> Accepted:
    return Accepted(tuple(decision.events), decision.invoice, tuple(decision.numbers))
