"""The invoice's life as data: which command is taken in which state, where it leads, unless what.

Decisions, the commands that an invoice offers and the diagram in the docs are read from `RULES`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from invoicing.contracts import commands
from invoicing.contracts.commands import CommandData
from invoicing.contracts.invoice import State
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.domain.balance import payable
from invoicing.domain.invoice import Invoice

Guard = Callable[[Invoice], Rejection | None]
Moves = Mapping[State, tuple[State, ...]]

DRAFT, OPEN, PAID, UNCOLLECTIBLE = State.DRAFT, State.OPEN, State.PAID, State.UNCOLLECTIBLE
VOID, CANCELLED, REVERSED, DELETED = State.VOID, State.CANCELLED, State.REVERSED, State.DELETED
ALIVE: Final = tuple(state for state in State if state is not DELETED)


@dataclass(frozen=True, slots=True)
class Rule:
    """One command's row: from each state, the states that it may lead to.

    `unless` refuses, whatever the command says. `only_if` is what some command of this kind needs
    to be accepted; the command itself is then asked more closely.
    """

    command: type[CommandData]
    moves: Moves
    unless: tuple[Guard, ...] = ()
    only_if: Callable[[Invoice], bool] = lambda _invoice: True


def _to(*targets: State, of: Iterable[State]) -> dict[State, tuple[State, ...]]:
    return dict.fromkeys(of, targets)


def _same(*states: State) -> dict[State, tuple[State, ...]]:
    return {state: (state,) for state in states}


def _had_a_number(invoice: Invoice) -> Rejection | None:
    if invoice.invoice_number is None:
        return None
    return Rejection(
        RejectionCode.ILLEGAL_TRANSITION, "An invoice that ever had a number cannot be deleted."
    )


def _has_no_items(invoice: Invoice) -> Rejection | None:
    if invoice.document.items:
        return None
    return Rejection(RejectionCode.NO_ITEMS, "An invoice without items cannot be opened.")


def _is_below_zero(invoice: Invoice) -> Rejection | None:
    if invoice.total >= 0:
        return None
    return Rejection(
        RejectionCode.NEGATIVE_TOTAL, "An invoice with a total below 0 cannot be opened."
    )


def _was_applied_to(invoice: Invoice) -> Rejection | None:
    if not (invoice.amount_paid or invoice.amount_refunded or invoice.amount_credited):
        return None
    return Rejection(
        RejectionCode.HAS_PAYMENTS,
        "Something was paid, refunded or credited on the invoice already.",
    )


def _is_paid_in_part(invoice: Invoice) -> Rejection | None:
    if invoice.amount_paid <= invoice.amount_refunded:
        return None
    return Rejection(RejectionCode.HAS_PAYMENTS, "Payments must be refunded before.")


def _awaits_payment(invoice: Invoice) -> Rejection | None:
    if not invoice.has_payment_in_flight:
        return None
    return Rejection(
        RejectionCode.PAYMENT_IN_PROGRESS, "A payment is in flight; it must settle or fail before."
    )


def _has_nothing_to_pay(invoice: Invoice) -> Rejection | None:
    if payable(invoice):
        return None
    return Rejection(RejectionCode.NOTHING_TO_PAY, "Nothing is due on the invoice.")


def _has_no_source(invoice: Invoice) -> Rejection | None:
    if invoice.sources:
        return None
    return Rejection(RejectionCode.UNKNOWN_SOURCE, "No source is attached to the invoice.")


_PAYMENT_MOVES: Moves = {
    OPEN: (OPEN, PAID),
    UNCOLLECTIBLE: (UNCOLLECTIBLE, PAID),
    PAID: (PAID,),
}

RULES: Final[Mapping[type[CommandData], Rule]] = MappingProxyType(
    {
        rule.command: rule
        for rule in (
            Rule(commands.UpdateInvoice, _same(DRAFT, OPEN)),
            Rule(commands.DeleteInvoice, {DRAFT: (DELETED,)}, unless=(_had_a_number,)),
            Rule(
                commands.OpenInvoice,
                {DRAFT: (OPEN, PAID)},
                unless=(_has_no_items, _is_below_zero),
            ),
            Rule(
                commands.UnpostInvoice,
                {OPEN: (DRAFT,)},
                unless=(_was_applied_to, _awaits_payment),
            ),
            Rule(
                commands.VoidInvoice,
                _to(VOID, of=(OPEN, UNCOLLECTIBLE)),
                unless=(_is_paid_in_part, _awaits_payment),
            ),
            Rule(commands.CancelInvoice, {DRAFT: (CANCELLED,)}),
            Rule(commands.ReverseInvoice, {OPEN: (REVERSED,)}, unless=(_was_applied_to,)),
            Rule(commands.WriteOffInvoice, {OPEN: (UNCOLLECTIBLE,)}, unless=(_awaits_payment,)),
            Rule(
                commands.PayInvoice,
                _same(OPEN, UNCOLLECTIBLE),
                unless=(_has_nothing_to_pay, _has_no_source, _awaits_payment),
            ),
            Rule(commands.RecordPayment, _PAYMENT_MOVES),
            Rule(
                commands.SettlePayment,
                {**_same(*ALIVE), **_PAYMENT_MOVES},
                only_if=lambda invoice: invoice.has_payment_in_flight,
            ),
            Rule(
                commands.RecordPaymentFailure,
                _same(*ALIVE),
                only_if=lambda invoice: invoice.has_payment_in_flight,
            ),
            Rule(
                commands.RefundPayment,
                {
                    OPEN: (OPEN,),
                    PAID: (PAID, OPEN),
                    UNCOLLECTIBLE: (UNCOLLECTIBLE, OPEN),
                },
                only_if=lambda invoice: invoice.amount_paid > invoice.amount_refunded,
            ),
            Rule(
                commands.IssueCreditNote,
                {OPEN: (OPEN, PAID), PAID: (PAID,)},
                only_if=lambda invoice: invoice.total > invoice.amount_credited,
            ),
            Rule(commands.AttachSource, _same(DRAFT, OPEN), unless=(_awaits_payment,)),
            Rule(
                commands.DetachSource,
                _same(DRAFT, OPEN),
                unless=(_awaits_payment,),
                only_if=lambda invoice: bool(invoice.sources or invoice.detached_source_ids),
            ),
            Rule(commands.ArchiveInvoice, _same(*ALIVE)),
            Rule(commands.RestoreInvoice, _same(*ALIVE)),
            Rule(commands.SendInvoice, _same(OPEN, PAID, UNCOLLECTIBLE)),
            Rule(commands.RecordInvoiceSent, _same(*ALIVE)),
            Rule(commands.RecordInvoiceSendFailure, _same(*ALIVE)),
            Rule(commands.MarkInvoiceOverdue, _same(OPEN)),
        )
    }
)


def refusal_of(invoice: Invoice, command: type[CommandData]) -> Rejection | None:
    """Why the invoice, as it is, takes no command of this kind; None where it may take one."""
    rule = RULES[command]
    if invoice.state not in rule.moves:
        return Rejection(
            RejectionCode.ILLEGAL_TRANSITION,
            f"{command.__name__} is not possible for an invoice that is {invoice.state.value}.",
        )
    return next((rejection for guard in rule.unless if (rejection := guard(invoice))), None)


def available_commands(invoice: Invoice | None) -> tuple[str, ...]:
    """The commands that would be accepted now, given the right data."""
    if invoice is None:
        return (commands.CreateInvoice.__name__,)
    return tuple(
        command.__name__
        for command, rule in RULES.items()
        if refusal_of(invoice, command) is None and rule.only_if(invoice)
    )


def state_diagram() -> str:
    """The table as a Mermaid state diagram. What leaves the state as it is, is not drawn."""
    lines = [
        "stateDiagram-v2",
        "    [*] --> draft: CreateInvoice",
        "    [*] --> open: CreateInvoice",
    ]
    for command, rule in RULES.items():
        for state, targets in rule.moves.items():
            lines += [
                f"    {state.value} --> {target.value}: {command.__name__}"
                for target in targets
                if target is not state
            ]
    return "\n".join(lines) + "\n"
