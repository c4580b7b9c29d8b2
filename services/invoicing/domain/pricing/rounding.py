"""Rounding and sharing money. Half-up; what is shared out is shared out to the last cent.

Everything is worked out under a precision that holds any product the limits allow: 15 digits before
the point and 12 behind it, times the same, times a rate.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import (
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    localcontext,
)
from typing import Final

from invoicing.contracts.invoice import TaxRounding
from invoicing.contracts.types.money import UNITS

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
class RoundingPolicy:
    """How a document's amounts are rounded. `unit` is the currency's smallest amount."""

    unit: Decimal
    zero: Decimal
    tax_rounding: TaxRounding
    tax_inclusive: bool

    @classmethod
    def of(
        cls, currency: str, tax_rounding: TaxRounding, *, tax_inclusive: bool
    ) -> "RoundingPolicy":
        unit = UNITS[currency]
        return cls(unit, unit * 0, tax_rounding, tax_inclusive)

    def rounded(self, amount: Decimal) -> Decimal:
        """To the currency's smallest unit."""
        return rounded(amount, self.unit)

    def sum(self, amounts: Iterable[Decimal]) -> Decimal:
        """The sum, at the currency's scale even where there is nothing to sum."""
        return sum(amounts, self.zero)

    def share(self, total: Decimal, parts: Sequence[Decimal], whole: Decimal) -> list[Decimal]:
        """Split a total by quotas, each a part divided by the whole, that sum up to it but for
        rounding.

        By largest remainder (Hamilton's method): each gets his quota rounded down, and the units
        that are left go to the largest remainders; of equal ones, to the first.
        """
        if len(parts) == 1:
            return [total]
        # Quotas may have no end. Were they divided out, equal remainders of quotas of different
        # size would differ in their last digits; what is left of the parts is exact.
        units, remainders = _floor_divided(parts, whole * self.unit)
        shares = [count * self.unit + ZERO for count in units]
        left = int((total - self.sum(shares)) / self.unit)
        if left:
            largest_first = sorted(range(len(parts)), key=remainders.__getitem__, reverse=True)
            for i in largest_first[:left]:
                shares[i] += self.unit
        return shares


def _floor_divided(
    dividends: Iterable[Decimal], divisor: Decimal
) -> tuple[list[Decimal], list[Decimal]]:
    """How often the divisor goes into each, rounded down; and the remainders, from 0 up."""
    quotients, remainders = [], []
    for dividend in dividends:
        quotient, remainder = divmod(dividend, divisor)
        if remainder < 0:  # For Decimals, divmod rounds toward 0.
            quotient, remainder = quotient - 1, remainder + divisor
        quotients.append(quotient)
        remainders.append(remainder)
    return quotients, remainders
