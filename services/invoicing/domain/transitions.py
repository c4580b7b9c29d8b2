"""The invoice's life as data: a row for each command but CreateInvoice.

A row says in which states the command is accepted, where it leads, which handler decides it and
under which path HTTP offers it. Decisions, the commands that an invoice offers, HTTP's routes and
the diagram in the documentation are read from `TRANSITIONS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from invoicing.contracts import commands
from invoicing.contracts.commands import CommandData
from invoicing.contracts.invoice import State
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.domain import (
    archive,
    credit_notes,
    disputes,
    invoices,
    payments,
    refunds,
    restatement,
    returns,
    sending,
    sources,
    write_offs,
)
from invoicing.domain.balance import ISSUED, net_received, payable
from invoicing.domain.decision import Decision
from invoicing.domain.entries import Fact, total
from invoicing.domain.invoice import (
    DISPUTABLE,
    DISPUTED,
    HAS_REFUNDS,
    NOT_ALL_REFUNDED,
    REFUNDABLE,
    REQUESTED_OR_GIVEN_UP,
    RETURNABLE,
    UNSETTLED,
    WAS_SENT,
    Invoice,
)

Guard = Callable[[Invoice], Rejection | None]
Handler = Callable[[Decision, Any], Rejection | None]
"""Emits the command's events, or says why it does not. Its data is of the row's class."""
Moves = Mapping[State, tuple[State, ...]]

DRAFT, OPEN, PAID, UNCOLLECTIBLE = State.DRAFT, State.OPEN, State.PAID, State.UNCOLLECTIBLE
VOID, CANCELLED, REVERSED, DELETED = State.VOID, State.CANCELLED, State.REVERSED, State.DELETED
ALIVE: Final = tuple(state for state in State if state is not DELETED)


@dataclass(frozen=True, slots=True)
class Transition:
    """One command: its handler, and from each state the states that it may lead to.

    A guard in `unless` rejects the command whatever its data. `only_if` is what at least one
    command of this class needs to be accepted; the handler then looks at the data. `path` is the
    last segment of the command's HTTP address, None where it has no such address.
    """

    command: type[CommandData]
    handler: Handler
    moves: Moves
    unless: tuple[Guard, ...] = ()
    only_if: Callable[[Invoice], bool] = lambda _invoice: True
    path: str | None = None


def _same(*states: State) -> dict[State, tuple[State, ...]]:
    return {state: (state,) for state in states}


def _has_had_a_number(invoice: Invoice) -> Rejection | None:
    if invoice.invoice_number is None:
        return None
    return Rejection(
        RejectionCode.ILLEGAL_TRANSITION, "An invoice that has had a number cannot be deleted."
    )


def _has_no_items(invoice: Invoice) -> Rejection | None:
    if invoice.document.items:
        return None
    return Rejection(RejectionCode.NO_ITEMS, "An invoice without items cannot be opened.")


def _has_negative_total(invoice: Invoice) -> Rejection | None:
    if invoice.total >= 0:
        return None
    return Rejection(
        RejectionCode.NEGATIVE_TOTAL, "An invoice with a negative total cannot be opened."
    )


def _has_payments_or_credits(invoice: Invoice) -> Rejection | None:
    if not (invoice.amount_paid or invoice.amount_refunded or invoice.amount_credited):
        return None
    return Rejection(
        RejectionCode.HAS_PAYMENTS,
        "The invoice already has payments, refunds or credit notes.",
    )


def _has_had_payments_or_credits(invoice: Invoice) -> Rejection | None:
    if not (invoice.payments or invoice.credit_notes):
        return None
    return Rejection(
        RejectionCode.HAS_PAYMENTS,
        "The invoice has had payments or credit notes. Credit it instead.",
    )


def _has_been_sent(invoice: Invoice) -> Rejection | None:
    if not total(invoice.sendings, WAS_SENT):
        return None
    return Rejection(
        RejectionCode.ALREADY_SENT,
        "The invoice was sent to the customer, or is about to be. Credit it instead.",
    )


def _has_unrefunded_payments(invoice: Invoice) -> Rejection | None:
    if net_received(vars(invoice)) <= 0:
        return None
    return Rejection(RejectionCode.HAS_PAYMENTS, "Refund the payments first.")


def _has_credit_notes(invoice: Invoice) -> Rejection | None:
    if not invoice.amount_credited:
        return None
    return Rejection(
        RejectionCode.HAS_CREDIT_NOTES, "Void the credit notes first, or credit the rest."
    )


def _has_payment_in_flight(invoice: Invoice) -> Rejection | None:
    if not invoice.has_payment_in_flight:
        return None
    return Rejection(
        RejectionCode.PAYMENT_IN_PROGRESS, "A payment is in flight; wait until it settles or fails."
    )


def _has_nothing_to_pay(invoice: Invoice) -> Rejection | None:
    if payable(invoice):
        return None
    return Rejection(RejectionCode.NOTHING_TO_PAY, "Nothing is due on the invoice.")


def _has_no_source(invoice: Invoice) -> Rejection | None:
    if invoice.sources:
        return None
    return Rejection(RejectionCode.UNKNOWN_SOURCE, "No source is attached to the invoice.")


_MONEY_COMES: Moves = {
    **_same(*ALIVE),
    OPEN: (OPEN, PAID),
    UNCOLLECTIBLE: (UNCOLLECTIBLE, PAID),
}
_MONEY_GOES: Moves = {**_same(*ALIVE), PAID: (PAID, OPEN)}


def _any_payment(fact: Fact) -> Callable[[Invoice], bool]:
    return lambda invoice: total(invoice.payments, fact) > 0


TRANSITIONS: Final[Mapping[type[CommandData], Transition]] = MappingProxyType(
    {
        transition.command: transition
        for transition in (
            Transition(
                commands.UpdateInvoice,
                invoices.update,
                _same(DRAFT, OPEN, PAID, UNCOLLECTIBLE, VOID, REVERSED),
            ),
            Transition(
                commands.DeleteInvoice,
                invoices.delete,
                {DRAFT: (DELETED,)},
                unless=(_has_had_a_number,),
            ),
            Transition(
                commands.OpenInvoice,
                invoices.open_,
                {DRAFT: (OPEN, PAID)},
                unless=(_has_no_items, _has_negative_total),
                path="open",
            ),
            Transition(
                commands.UnpostInvoice,
                invoices.unpost,
                {OPEN: (DRAFT,)},
                unless=(_has_payment_in_flight, _has_had_payments_or_credits, _has_been_sent),
                path="unpost",
            ),
            Transition(
                commands.VoidInvoice,
                invoices.void,
                {OPEN: (VOID,), UNCOLLECTIBLE: (VOID,)},
                unless=(_has_unrefunded_payments, _has_credit_notes, _has_payment_in_flight),
                path="void",
            ),
            Transition(
                commands.CancelInvoice, invoices.cancel, {DRAFT: (CANCELLED,)}, path="cancel"
            ),
            Transition(
                commands.ReverseInvoice,
                credit_notes.reverse,
                {OPEN: (REVERSED,)},
                unless=(_has_payments_or_credits, _has_payment_in_flight),
                path="reverse",
            ),
            Transition(
                commands.WriteOffInvoice,
                write_offs.write_off,
                {OPEN: (UNCOLLECTIBLE,)},
                unless=(_has_payment_in_flight,),
                path="write-off",
            ),
            Transition(
                commands.ReinstateInvoice,
                write_offs.reinstate,
                {UNCOLLECTIBLE: (OPEN,)},
                path="reinstate",
            ),
            Transition(
                commands.RestateInvoice,
                restatement.restate,
                {**_same(*ALIVE), OPEN: (OPEN, UNCOLLECTIBLE), PAID: (PAID, UNCOLLECTIBLE)},
                only_if=lambda invoice: restatement.restated_balance(invoice) is not None,
                path="restate",
            ),
            Transition(
                commands.PayInvoice,
                payments.request,
                _same(OPEN, UNCOLLECTIBLE),
                unless=(_has_nothing_to_pay, _has_no_source, _has_payment_in_flight),
                only_if=lambda invoice: any(
                    sources.why_unusable(invoice, source_id) is None
                    for source_id in invoice.sources
                ),
                path="pay",
            ),
            Transition(
                commands.CancelPaymentRequest,
                payments.cancel_request,
                _same(*ALIVE),
                only_if=_any_payment(REQUESTED_OR_GIVEN_UP),
                path="cancel-payment-request",
            ),
            Transition(
                commands.RecordPaymentAction,
                payments.record_action,
                _same(*ALIVE),
                only_if=_any_payment(REQUESTED_OR_GIVEN_UP),
                path="payment-actions",
            ),
            Transition(
                commands.RecordPayment,
                payments.record,
                _MONEY_COMES,
                only_if=lambda invoice: (
                    invoice.state in ISSUED or total(invoice.payments, UNSETTLED) > 0
                ),
                path="payments",
            ),
            Transition(
                commands.SettlePayment,
                payments.settle,
                _MONEY_COMES,
                only_if=_any_payment(UNSETTLED),
                path="settle-payment",
            ),
            Transition(
                commands.RecordPaymentFailure,
                payments.fail,
                _same(*ALIVE),
                only_if=_any_payment(UNSETTLED),
                path="payment-failures",
            ),
            Transition(
                commands.ReturnPayment,
                returns.record,
                _MONEY_GOES,
                only_if=_any_payment(RETURNABLE),
                path="returns",
            ),
            Transition(
                commands.OpenDispute,
                disputes.open_,
                _same(*ALIVE),
                only_if=_any_payment(DISPUTABLE),
                path="disputes",
            ),
            Transition(
                commands.CloseDispute,
                disputes.close,
                {**_MONEY_COMES, PAID: (PAID, OPEN)},
                only_if=_any_payment(DISPUTED),
                path="close-dispute",
            ),
            Transition(
                commands.RefundPayment,
                refunds.refund,
                _MONEY_GOES,
                only_if=_any_payment(REFUNDABLE),
                path="refunds",
            ),
            Transition(
                commands.SettleRefund,
                refunds.settle,
                _MONEY_GOES,
                only_if=_any_payment(NOT_ALL_REFUNDED),
                path="settle-refund",
            ),
            Transition(
                commands.RecordRefundFailure,
                refunds.fail,
                _MONEY_COMES,
                only_if=_any_payment(HAS_REFUNDS),
                path="refund-failures",
            ),
            Transition(
                commands.IssueCreditNote,
                credit_notes.issue,
                {
                    OPEN: (OPEN, PAID),
                    PAID: (PAID, OPEN),
                    UNCOLLECTIBLE: (UNCOLLECTIBLE, PAID, OPEN),
                },
                only_if=lambda invoice: invoice.total > invoice.amount_credited,
                path="credit-notes",
            ),
            Transition(
                commands.VoidCreditNote,
                credit_notes.void,
                {OPEN: (OPEN,), PAID: (PAID, OPEN), UNCOLLECTIBLE: (UNCOLLECTIBLE,)},
                only_if=lambda invoice: bool(invoice.credit_notes),
                path="void-credit-note",
            ),
            Transition(
                commands.AttachSource,
                sources.attach,
                _same(DRAFT, OPEN, UNCOLLECTIBLE),
            ),
            Transition(
                commands.DetachSource,
                sources.detach,
                _same(DRAFT, OPEN, UNCOLLECTIBLE),
                only_if=lambda invoice: (
                    bool(invoice.detached_source_ids)
                    or any(not sources.is_being_charged(invoice, id_) for id_ in invoice.sources)
                ),
            ),
            Transition(commands.ArchiveInvoice, archive.archive, _same(*ALIVE), path="archive"),
            Transition(commands.RestoreInvoice, archive.restore, _same(*ALIVE), path="restore"),
            Transition(
                commands.SendInvoice,
                sending.request,
                _same(OPEN, PAID, UNCOLLECTIBLE),
                path="send",
            ),
            Transition(commands.RecordInvoiceSent, sending.record_sent, _same(*ALIVE)),
            Transition(commands.RecordInvoiceSendFailure, sending.record_failure, _same(*ALIVE)),
            Transition(commands.MarkInvoiceOverdue, invoices.mark_overdue, _same(OPEN)),
        )
    }
)
_DECIDED = {commands.CreateInvoice, *TRANSITIONS}
assert set(commands.COMMANDS.values()) == _DECIDED, "every command needs a transition"


def why_not_allowed(invoice: Invoice, command: type[CommandData]) -> Rejection | None:
    """Return why the invoice accepts no command of this class now; None where it may accept one."""
    transition = TRANSITIONS[command]
    if invoice.state not in transition.moves:
        return Rejection(
            RejectionCode.ILLEGAL_TRANSITION,
            f"{command.__name__} is not allowed while the invoice is {invoice.state.value}.",
        )
    for guard in transition.unless:
        rejection = guard(invoice)
        if rejection is not None:
            return rejection
    return None


def available_commands(invoice: Invoice | None) -> tuple[str, ...]:
    """Return the names of the commands that would be accepted now, given the right data."""
    if invoice is None:
        return (commands.CreateInvoice.__name__,)
    decided = restatement.as_restated(invoice)
    return tuple(
        command.__name__
        for command, transition in TRANSITIONS.items()
        if why_not_allowed(decided, command) is None and transition.only_if(invoice)
    )


def state_diagram() -> str:
    """Return the table as a Mermaid state diagram, without the commands that keep the state."""
    lines = [
        "stateDiagram-v2",
        "    [*] --> draft: CreateInvoice",
        "    [*] --> open: CreateInvoice",
    ]
    for command, transition in TRANSITIONS.items():
        for state, targets in transition.moves.items():
            lines += [
                f"    {state.value} --> {target.value}: {command.__name__}"
                for target in targets
                if target is not state
            ]
    return "\n".join(lines) + "\n"
