"""What is still to be paid: one formula, used by every command."""

from decimal import Decimal
from typing import Final, NamedTuple

from invoicing.contracts.invoice import State, Summary

_AMOUNTS: Final = (
    "total",
    "amount_credited",
    "amount_paid",
    "amount_refunded",
    "amount_written_off",
)


class Balance(NamedTuple):
    """The amount due and the amount overpaid; at least one is zero."""

    amount_due: Decimal
    amount_overpaid: Decimal


def balance(
    *,
    total: Decimal,
    amount_credited: Decimal,
    amount_paid: Decimal,
    amount_refunded: Decimal,
    amount_written_off: Decimal,
) -> Balance:
    """total - credited - (paid - refunded) - written off: due above 0, overpaid below."""
    remaining = total - amount_credited - (amount_paid - amount_refunded) - amount_written_off
    zero = remaining - remaining
    return Balance(zero, -remaining) if remaining < zero else Balance(remaining, zero)


def balance_of(invoice: Summary, **changes: Decimal) -> Balance:
    """The invoice's balance if these amounts of its summary were changed."""
    return balance(**{name: getattr(invoice, name) for name in _AMOUNTS} | changes)


def signed_balance(invoice: Summary) -> Decimal:
    """What is due above zero, what is overpaid below."""
    return invoice.amount_due - invoice.amount_overpaid


def payable(invoice: Summary) -> Decimal:
    """What a charge may request: what is due; of an uncollectible invoice also the write-off."""
    if invoice.state is State.UNCOLLECTIBLE:
        return invoice.amount_due + invoice.amount_written_off
    return invoice.amount_due
