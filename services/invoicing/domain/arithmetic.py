"""Rounding and sharing money. Half-up; what is shared out is shared out to the last cent.

Everything is worked out under a precision that holds any product the limits allow: 15 digits before
the point and 12 behind it, times the same, times a rate.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import (
    ROUND_FLOOR,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    localcontext,
)
from typing import Final

from contracts.invoice import TaxRounding
from contracts.money import UNITS

_EXACT = Context(
    prec=100, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow]
)
ZERO: Final = Decimal(0)


def exact_arithmetic() -> AbstractContextManager[Context]:
    """Within it, products and sums of money are exact, and rounding is half-up (away from 0)."""
    return localcontext(_EXACT)


def rounded(amount: Decimal, unit: Decimal) -> Decimal:
    """To a currency's smallest unit; never a negative zero."""
    return amount.quantize(unit) + ZERO


@dataclass(frozen=True, slots=True)
class Rules:
    """By which rules a document is worked out. `unit` is the currency's smallest amount."""

    unit: Decimal
    zero: Decimal
    tax_rounding: TaxRounding
    tax_inclusive: bool

    @classmethod
    def of(cls, currency: str, tax_rounding: TaxRounding, *, tax_inclusive: bool) -> "Rules":
        unit = UNITS[currency]
        return cls(unit, unit * 0, tax_rounding, tax_inclusive)

    def rounded(self, amount: Decimal) -> Decimal:
        """To the currency's smallest unit."""
        return rounded(amount, self.unit)

    def sum(self, amounts: Iterable[Decimal]) -> Decimal:
        """The sum, at the currency's scale even where there is nothing to sum."""
        return sum(amounts, self.zero)

    def share(self, total: Decimal, quotas: Sequence[Decimal]) -> list[Decimal]:
        """Split a total by quotas that sum up to it but for rounding.

        By largest remainder (Hamilton's method): each gets his quota rounded down, and the units
        that are left go to the largest remainders; of equal ones, to the first.
        """
        if len(quotas) == 1:
            return [total]
        shares = [quota.quantize(self.unit, ROUND_FLOOR) + ZERO for quota in quotas]
        left = int((total - self.sum(shares)) / self.unit)
        if not left:
            return shares
        largest_first = sorted(range(len(quotas)), key=lambda i: shares[i] - quotas[i])
        for i in largest_first[:left]:
            shares[i] += self.unit
        return shares
