"""The invoice's life as data: a row for each command but CreateInvoice.

A row says in which states the command is accepted, where it leads, which handler decides it and
under which path HTTP offers it. Decisions, the commands that an invoice offers, HTTP's routes and
the diagram in the documentation are read from `TRANSITIONS`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

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
from invoicing.domain.entries import Fact, facts_of_any, total
from invoicing.domain.invoice import (
    DISPUTABLE,
    DISPUTED,
    HAS_REFUNDS,
    NOT_ALL_REFUNDED,
    PAYMENTS,
    REFUNDABLE,
    REQUESTED_OR_GIVEN_UP,
    RETURNABLE,
    UNSETTLED,
    WAS_SENT,
    Invoice,
)

Handler = Callable[[Decision, Any], Rejection | None]
"""Emits the command's events, or says why it does not. Its data is of the row's class."""
Moves = Mapping[State, tuple[State, ...]]

DRAFT, OPEN, PAID, UNCOLLECTIBLE = State.DRAFT, State.OPEN, State.PAID, State.UNCOLLECTIBLE
VOID, CANCELLED, REVERSED, DELETED = State.VOID, State.CANCELLED, State.REVERSED, State.DELETED
ALIVE: Final = tuple(state for state in State if state is not DELETED)


class Guard(NamedTuple):
    """What rejects a command whatever its data, and the rejection."""

    applies: Callable[[Invoice], bool]
    code: RejectionCode
    message: str


@dataclass(frozen=True, slots=True)
class Transition:
    """One command: its handler, and from each state the states that it may lead to.

    A guard in `unless` rejects the command whatever its data. `only_if` is what at least one
    command of this class needs to be accepted, and `payment_fact` what it needs of some payment;
    the handler then looks at the data. `path` is the last segment of the command's HTTP address,
    None where it has no such address.
    """

    command: type[CommandData]
    handler: Handler
    moves: Moves
    unless: tuple[Guard, ...] = ()
    only_if: Callable[[Invoice], bool] | None = None
    payment_fact: Fact | None = None
    path: str | None = None


def _same(*states: State) -> dict[State, tuple[State, ...]]:
    return {state: (state,) for state in states}


_HAS_HAD_A_NUMBER: Final = Guard(
    lambda invoice: invoice.invoice_number is not None,
    RejectionCode.ILLEGAL_TRANSITION,
    "An invoice that has had a number cannot be deleted.",
)
_HAS_NO_ITEMS: Final = Guard(
    lambda invoice: not invoice.document.items,
    RejectionCode.NO_ITEMS,
    "An invoice without items cannot be opened.",
)
_HAS_NEGATIVE_TOTAL: Final = Guard(
    lambda invoice: invoice.total < 0,
    RejectionCode.NEGATIVE_TOTAL,
    "An invoice with a negative total cannot be opened.",
)
_HAS_PAYMENTS_OR_CREDITS: Final = Guard(
    lambda invoice: bool(invoice.amount_paid or invoice.amount_refunded or invoice.amount_credited),
    RejectionCode.HAS_PAYMENTS,
    "The invoice already has payments, refunds or credit notes.",
)
_HAS_HAD_PAYMENTS_OR_CREDITS: Final = Guard(
    lambda invoice: bool(invoice.payments or invoice.credit_notes),
    RejectionCode.HAS_PAYMENTS,
    "The invoice has had payments or credit notes. Credit it instead.",
)
_HAS_BEEN_SENT: Final = Guard(
    lambda invoice: total(invoice.sendings, WAS_SENT) > 0,
    RejectionCode.ALREADY_SENT,
    "The invoice was sent to the customer, or is about to be. Credit it instead.",
)
_HAS_UNREFUNDED_PAYMENTS: Final = Guard(
    lambda invoice: net_received(vars(invoice)) > 0,
    RejectionCode.HAS_PAYMENTS,
    "Refund the payments first.",
)
_HAS_CREDIT_NOTES: Final = Guard(
    lambda invoice: bool(invoice.amount_credited),
    RejectionCode.HAS_CREDIT_NOTES,
    "Void the credit notes first, or credit the rest.",
)
_HAS_PAYMENT_IN_FLIGHT: Final = Guard(
    lambda invoice: invoice.has_payment_in_flight,
    RejectionCode.PAYMENT_IN_PROGRESS,
    "A payment is in flight; wait until it settles or fails.",
)
_HAS_NOTHING_TO_PAY: Final = Guard(
    lambda invoice: not payable(invoice),
    RejectionCode.NOTHING_TO_PAY,
    "Nothing is due on the invoice.",
)
_HAS_NO_SOURCE: Final = Guard(
    lambda invoice: not invoice.sources,
    RejectionCode.UNKNOWN_SOURCE,
    "No source is attached to the invoice.",
)


_MONEY_COMES: Moves = {
    **_same(*ALIVE),
    OPEN: (OPEN, PAID),
    UNCOLLECTIBLE: (UNCOLLECTIBLE, PAID),
}
_MONEY_GOES: Moves = {**_same(*ALIVE), PAID: (PAID, OPEN)}


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
                unless=(_HAS_HAD_A_NUMBER,),
            ),
            Transition(
                commands.OpenInvoice,
                invoices.open_,
                {DRAFT: (OPEN, PAID)},
                unless=(_HAS_NO_ITEMS, _HAS_NEGATIVE_TOTAL),
                path="open",
            ),
            Transition(
                commands.UnpostInvoice,
                invoices.unpost,
                {OPEN: (DRAFT,)},
                unless=(_HAS_PAYMENT_IN_FLIGHT, _HAS_HAD_PAYMENTS_OR_CREDITS, _HAS_BEEN_SENT),
                path="unpost",
            ),
            Transition(
                commands.VoidInvoice,
                invoices.void,
                {OPEN: (VOID,), UNCOLLECTIBLE: (VOID,)},
                unless=(_HAS_UNREFUNDED_PAYMENTS, _HAS_CREDIT_NOTES, _HAS_PAYMENT_IN_FLIGHT),
                path="void",
            ),
            Transition(
                commands.CancelInvoice, invoices.cancel, {DRAFT: (CANCELLED,)}, path="cancel"
            ),
            Transition(
                commands.ReverseInvoice,
                credit_notes.reverse,
                {OPEN: (REVERSED,)},
                unless=(_HAS_PAYMENTS_OR_CREDITS, _HAS_PAYMENT_IN_FLIGHT),
                path="reverse",
            ),
            Transition(
                commands.WriteOffInvoice,
                write_offs.write_off,
                {OPEN: (UNCOLLECTIBLE,)},
                unless=(_HAS_PAYMENT_IN_FLIGHT,),
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
                unless=(_HAS_NOTHING_TO_PAY, _HAS_NO_SOURCE, _HAS_PAYMENT_IN_FLIGHT),
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
                payment_fact=REQUESTED_OR_GIVEN_UP,
                path="cancel-payment-request",
            ),
            Transition(
                commands.RecordPaymentAction,
                payments.record_action,
                _same(*ALIVE),
                payment_fact=REQUESTED_OR_GIVEN_UP,
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
                payment_fact=UNSETTLED,
                path="settle-payment",
            ),
            Transition(
                commands.RecordPaymentFailure,
                payments.fail,
                _same(*ALIVE),
                payment_fact=UNSETTLED,
                path="payment-failures",
            ),
            Transition(
                commands.ReturnPayment,
                returns.record,
                _MONEY_GOES,
                payment_fact=RETURNABLE,
                path="returns",
            ),
            Transition(
                commands.OpenDispute,
                disputes.open_,
                _same(*ALIVE),
                payment_fact=DISPUTABLE,
                path="disputes",
            ),
            Transition(
                commands.CloseDispute,
                disputes.close,
                {**_MONEY_COMES, PAID: (PAID, OPEN)},
                payment_fact=DISPUTED,
                path="close-dispute",
            ),
            Transition(
                commands.RefundPayment,
                refunds.refund,
                _MONEY_GOES,
                payment_fact=REFUNDABLE,
                path="refunds",
            ),
            Transition(
                commands.SettleRefund,
                refunds.settle,
                _MONEY_GOES,
                payment_fact=NOT_ALL_REFUNDED,
                path="settle-refund",
            ),
            Transition(
                commands.RecordRefundFailure,
                refunds.fail,
                _MONEY_COMES,
                payment_fact=HAS_REFUNDS,
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
_ROWS_FROM: Final[Mapping[State, Sequence[Transition]]] = {
    state: [row for row in TRANSITIONS.values() if state in row.moves] for state in State
}
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
    guard = _rejecting_guard(transition, invoice)
    return None if guard is None else Rejection(guard.code, guard.message)


def _rejecting_guard(transition: Transition, invoice: Invoice) -> Guard | None:
    for guard in transition.unless:
        if guard.applies(invoice):
            return guard
    return None


def available_commands(invoice: Invoice | None) -> tuple[str, ...]:
    """Return the names of the commands that would be accepted now, given the right data."""
    if invoice is None:
        return (commands.CreateInvoice.__name__,)
    decided = restatement.as_restated(invoice)
    payment_facts = facts_of_any(PAYMENTS, invoice.payments)
    return tuple(
        [
            row.command.__name__
            for row in _ROWS_FROM[decided.state]
            if (row.payment_fact is None or row.payment_fact.name in payment_facts)
            and (row.only_if is None or row.only_if(invoice))
            and _rejecting_guard(row, decided) is None
        ]
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
