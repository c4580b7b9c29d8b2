"""What is still to be paid. One formula, used by every command."""

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
    """What is due, or what came too much: one of the two is 0."""

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
    nothing = remaining - remaining
    return Balance(max(remaining, nothing), max(-remaining, nothing))


def balance_of(invoice: Summary, **changes: Decimal) -> Balance:
    """The balance of an invoice, were these amounts of its summary changed."""
    return balance(**{name: getattr(invoice, name) for name in _AMOUNTS} | changes)


def payable(invoice: Summary) -> Decimal:
    """What a charge may ask for: what is due, and once given up, also what was written off."""
    if invoice.state is State.UNCOLLECTIBLE:
        return invoice.amount_due + invoice.amount_written_off
    return invoice.amount_due
