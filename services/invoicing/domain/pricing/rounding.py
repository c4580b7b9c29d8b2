"""Round and allocate money: half-up, and every allocation adds up to the last cent.

The precision holds every product that the limits allow: two numbers of 15 integer digits and 12
decimals each, times a rate.
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
from functools import cache
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
    """Round to a currency's smallest unit; the result is never a negative zero."""
    return amount.quantize(unit) + ZERO


@dataclass(frozen=True, slots=True)
class RoundingPolicy:
    """How a document's amounts are rounded. `unit` is the currency's smallest amount."""

    unit: Decimal
    zero: Decimal
    tax_rounding: TaxRounding
    tax_inclusive: bool

    @classmethod
    @cache
    def of(
        cls, currency: str, tax_rounding: TaxRounding, *, tax_inclusive: bool
    ) -> "RoundingPolicy":
        """The policy of a document; there are as many as currencies, times four."""
        unit = UNITS[currency]
        return cls(unit, unit * 0, tax_rounding, tax_inclusive)

    def rounded(self, amount: Decimal) -> Decimal:
        """Round to the currency's smallest unit."""
        return rounded(amount, self.unit)

    def sum(self, amounts: Iterable[Decimal]) -> Decimal:
        """Add up; the sum of no amounts has the currency's scale too."""
        return sum(amounts, self.zero)

    def share(self, total: Decimal, parts: Sequence[Decimal], whole: Decimal) -> list[Decimal]:
        """Split a total in the proportion of `parts`; part / whole is each one's exact quota.

        The quotas add up to the total, or to less than half a unit from it. By the largest
        remainder method (Hamilton): each share is its quota rounded down, and the remaining units
        go to the largest remainders; among equal ones, to the first.
        """
        if len(parts) == 1:
            return [total]
        if whole == 1:  # as of a tax on prices without it; a third of the time
            shares = [part.quantize(self.unit, ROUND_FLOOR) + ZERO for part in parts]
            remainders = [part - share for part, share in zip(parts, shares, strict=True)]
        else:
            shares, remainders = self._floors(parts, whole)
        left = int((total - self.sum(shares)) / self.unit)
        assert 0 <= left <= len(parts), "quotas do not add up to the total"
        if left:
            largest_first = sorted(range(len(parts)), key=remainders.__getitem__, reverse=True)
            for i in largest_first[:left]:
                shares[i] += self.unit
        assert self.sum(shares) == total, "shares do not add up to the total"
        return shares

    def _floors(
        self, parts: Sequence[Decimal], whole: Decimal
    ) -> tuple[list[Decimal], list[Decimal]]:
        """Each quota rounded down, and what that leaves of `part`.

        Quotas may have endless digits, and equal remainders of quotas of different size would then
        differ in the last one. So the remainders are those of the exact parts.
        """
        divisor = whole * self.unit
        shares, remainders = [], []
        for part in parts:
            units, remainder = divmod(part, divisor)
            if remainder < 0:  # divmod of Decimals rounds toward 0.
                units, remainder = units - 1, remainder + divisor
            shares.append(units * self.unit + ZERO)
            remainders.append(remainder)
        return shares, remainders
