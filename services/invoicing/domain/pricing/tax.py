"""Tax: rounded once for each category and rate, or for each line if the seller has it so."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from invoicing.contracts.invoice import Tax, TaxGroup, TaxRounding
from invoicing.domain.pricing.rounding import RoundingPolicy

_ONE = Decimal(1)
_TOLERATED_SHARE: Final = Decimal("0.01")
_TOLERATED_UNITS: Final = 5


@dataclass(slots=True)
class TaxableAmount:
    """The base of a tax: a line after discounts, a fee or shipping. `apply_tax` sets its tax."""

    base: Decimal
    tax: Tax | None
    tax_amount: Decimal


def apply_tax(amounts: Iterable[TaxableAmount], policy: RoundingPolicy) -> tuple[TaxGroup, ...]:
    """Set the tax of each amount; return the sums by category and rate, in order of appearance.

    A tax amount that the command gave is used as it is, and belongs to its category and rate. On a
    base of 0 it counts as 0.
    """
    groups: dict[tuple[str, Decimal | None], list[tuple[TaxableAmount, Tax]]] = {}
    # By the rate as it is written: to hash a Decimal takes longer than all else here.
    known: dict[tuple[str, str | None], list[tuple[TaxableAmount, Tax]]] = {}
    for amount in amounts:
        tax = amount.tax
        if tax is None:
            continue
        group = known.get((tax.category, tax.rate))
        if group is None:
            rate = None if tax.rate is None else Decimal(tax.rate)
            group = groups.setdefault((tax.category, rate), [])
            known[tax.category, tax.rate] = group
        group.append((amount, tax))
    return tuple(_apply_to_group(group, rate, policy) for (_, rate), group in groups.items())


def is_implausible(amount: TaxableAmount, policy: RoundingPolicy) -> bool:
    """Whether a given tax has another sign than its net, or is too far from net times rate.

    A tax engine may round otherwise than we do, by line or by unit, so 1 % of the net or 5 of the
    smallest units are tolerated, whichever is more. Without a rate only the sign counts: more tax
    than the price that holds it would leave a net of the other sign.
    """
    tax = amount.tax
    if tax is None or tax.amount is None or not amount.base:
        return False
    net = amount.base - tax.amount if policy.tax_inclusive else amount.base
    if tax.rate is None or tax.amount * net < 0:
        return tax.amount * net < 0
    tolerance = max(abs(net) * _TOLERATED_SHARE, policy.unit * _TOLERATED_UNITS)
    return abs(tax.amount - net * Decimal(tax.rate)) > tolerance


def _apply_to_group(
    group: Sequence[tuple[TaxableAmount, Tax]], rate: Decimal | None, policy: RoundingPolicy
) -> TaxGroup:
    by_rate = []
    for amount, tax in group:
        if tax.amount is not None:
            amount.tax_amount = tax.amount if amount.base else policy.zero
        elif rate is not None:
            by_rate.append(amount)
    if rate is not None and by_rate:
        _apply_rate(by_rate, rate, policy)
    base = policy.sum([amount.base for amount, _ in group])
    tax_amount = policy.sum([amount.tax_amount for amount, _ in group])
    first = group[0][1]
    return TaxGroup.construct_unchecked(
        category=first.category,
        rate=first.rate,
        net=base - tax_amount if policy.tax_inclusive else base,
        tax=tax_amount,
    )


def _apply_rate(amounts: Sequence[TaxableAmount], rate: Decimal, policy: RoundingPolicy) -> None:
    if policy.tax_rounding is TaxRounding.LINE:
        for amount in amounts:
            amount.tax_amount = _tax_of(amount.base, rate, policy)
        return
    tax = _tax_of(policy.sum([amount.base for amount in amounts]), rate, policy)
    whole = 1 + rate if policy.tax_inclusive else _ONE
    shares = policy.share(tax, [amount.base * rate for amount in amounts], whole)
    for amount, share in zip(amounts, shares, strict=True):
        amount.tax_amount = share


def _tax_of(base: Decimal, rate: Decimal, policy: RoundingPolicy) -> Decimal:
    if policy.tax_inclusive:
        # Round the net and subtract it, so that net and tax add up to the price again.
        return base - policy.rounded(base / (1 + rate))
    return policy.rounded(base * rate)
