"""Amounts and state as a function of an invoice's facts: one formula, used by every event.

The facts are the invoice's life, its total, what was credited, what was received and kept, and
whether it stands written off. Equal facts give equal amounts, whatever led to them.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from invoicing.contracts.invoice import State, Summary

ISSUED: Final = frozenset({State.OPEN, State.PAID, State.UNCOLLECTIBLE})
"""The states of an issued invoice. They follow from amounts; in any other one nothing is owed."""


class Balance(NamedTuple):
    """What the facts add up to. At most one of the three amounts is above zero."""

    state: State
    amount_due: Decimal
    amount_written_off: Decimal
    amount_overpaid: Decimal


def net_received(facts: Mapping[str, Any]) -> Decimal:
    """What was paid and has not gone back. It is below zero where more went back than came."""
    received: Decimal = (
        facts["amount_paid"]
        - facts["amount_refunded"]
        - facts["amount_returned"]
        - facts["amount_transferred"]
    )
    return received


def balance(facts: Mapping[str, Any]) -> Balance:
    """Return the balance of these facts, which are fields of the summary.

    Of the state only the life counts, and that it is `uncollectible`: what is owed then stands
    written off. An invoice that is not issued owes nothing, so all that was received for it is
    overpaid.
    """
    state: State = facts["state"]
    received = net_received(facts)
    zero = received - received
    if state not in ISSUED:
        return Balance(state, zero, max(-received, zero), max(received, zero))
    remaining = facts["total"] - facts["amount_credited"] - received
    if remaining <= zero:
        return Balance(State.PAID, zero, zero, -remaining)
    if state is State.UNCOLLECTIBLE:
        return Balance(State.UNCOLLECTIBLE, zero, remaining, zero)
    return Balance(State.OPEN, remaining, zero, zero)


def payable(invoice: Summary) -> Decimal:
    """What a charge may request: what is due or was written off."""
    return invoice.amount_due + invoice.amount_written_off
