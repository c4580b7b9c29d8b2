"""Decide whether a command is accepted, and emit its events. Pure: equal input, equal output."""

from typing import Any

from invoicing.contracts.commands import CreateInvoice, OpenInvoice
from invoicing.contracts.invoice import State
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.contracts.types.money import MONEY_LIMIT
from invoicing.contracts.validation.error_messages import invalid
from invoicing.contracts.validation.scale import scaled_or_errors
from invoicing.domain import invoices, payments, restatement
from invoicing.domain.balance import balance, net_received, payable
from invoicing.domain.decision import Accepted, Command, Context, Decision
from invoicing.domain.evolve import evolve
from invoicing.domain.invoice import Invoice
from invoicing.domain.pricing.rounding import exact_arithmetic
from invoicing.domain.transitions import TRANSITIONS, why_not_allowed


def decide(invoice: Invoice | None, command: Command, context: Context) -> Accepted | Rejection:
    """Decide a command on the current invoice; None if there is none yet.

    Where several rejections apply, the first in this order is returned: the invoice does not exist
    or exists already; an amount has more decimals than its currency; the expected version differs;
    the state does not allow the command; the command's own rules.
    """
    with exact_arithmetic():
        if isinstance(command.data, CreateInvoice):
            return _create(invoice, command, command.data, context)
        if invoice is None or invoice.state is State.DELETED:
            return Rejection(RejectionCode.INVOICE_NOT_FOUND, "There is no invoice with this id.")
        return _change(invoice, command, context)


def _create(
    invoice: Invoice | None, command: Command, data: CreateInvoice, context: Context
) -> Accepted | Rejection:
    if invoice is not None:
        return Rejection(
            RejectionCode.INVOICE_ALREADY_EXISTS, "An invoice with this id already exists."
        )
    if command.expected_version not in (None, 0):
        return _version_conflict(0)
    created = invoices.create(command, data, context)
    if isinstance(created, Rejection):
        return created
    draft = evolve(None, created, context.recorded_at)
    decision = Decision(draft, command, context, evolve, [created], document_changed=True)
    if data.state != "draft":
        rejection = why_not_allowed(draft, OpenInvoice)
        rejection = rejection or invoices.open_(decision, OpenInvoice())
        if rejection is not None:
            return rejection
    return _accepted(decision, version_before=0)


def _change(invoice: Invoice, command: Command, context: Context) -> Accepted | Rejection:
    # Amounts in a currency that the command names are at its scale since they were read.
    data: Any = command.data
    if data.own_currency is None:
        data = scaled_or_errors(data, invoice.currency)
        if isinstance(data, tuple):
            return invalid(data)
    if command.expected_version not in (None, invoice.version):
        return _version_conflict(invoice.version)
    decision = Decision(invoice, command, context, evolve)
    restatement.begin(decision)
    rejection = why_not_allowed(decision.invoice, data.declared)
    if rejection is not None:
        return rejection
    if data.own_currency not in (None, invoice.currency):
        return Rejection(
            RejectionCode.CURRENCY_MISMATCH, f"The invoice's currency is {invoice.currency}."
        )
    rejection = TRANSITIONS[data.declared].handler(decision, data)
    if rejection is not None:
        return rejection
    payments.cancel_superseded(decision, invoice)
    return _over_limit(decision.invoice) or _accepted(decision, version_before=invoice.version)


def _version_conflict(version: int) -> Rejection:
    return Rejection(RejectionCode.VERSION_CONFLICT, f"The invoice is at version {version}.")


def _over_limit(invoice: Invoice) -> Rejection | None:
    """Money that went back twice is owed beyond the total, so amounts may outgrow their limit."""
    if max(invoice.amount_paid, invoice.amount_returned, payable(invoice)) < MONEY_LIMIT:
        return None
    return Rejection(
        RejectionCode.LIMIT_EXCEEDED, "Amounts of the invoice would reach 10^15 or more."
    )


def _accepted(decision: Decision, *, version_before: int) -> Accepted:
    """Close the decision. No sequence of commands may lead to an invoice that fails here."""
    invoice = decision.invoice
    assert invoice.version == version_before + len(decision.events), "one version for each event"
    credited = invoice.amount_credited
    assert not credited or credited <= invoice.total, "more credited than invoiced"
    facts = vars(invoice)
    computed = decision.balance or balance(facts)
    assert invoice.state is computed.state, "the state does not follow from the facts"
    due, written_off = invoice.amount_due, invoice.amount_written_off
    overpaid = invoice.amount_overpaid
    assert min(due, written_off, overpaid) >= 0, "a negative amount"
    assert bool(due) + bool(written_off) + bool(overpaid) <= 1, (
        "due, written off or overpaid at once"
    )
    assert not overpaid or overpaid <= net_received(facts), "more overpaid than received"
    return Accepted(
        tuple(decision.events), invoice, tuple(decision.numbers), decision.document_changed
    )
