"""Tax: rounded once for each category and rate, or for each line where the seller has it so."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from invoicing.contracts.invoice import Tax, TaxGroup, TaxRounding
from invoicing.domain.pricing.rounding import RoundingPolicy

_ONE = Decimal(1)


@dataclass(slots=True)
class TaxableAmount:
    """Something that tax is on: what is left of a line, a fee, shipping."""

    base: Decimal
    tax: Tax | None
    tax_amount: Decimal


def apply_tax(parts: Iterable[TaxableAmount], policy: RoundingPolicy) -> tuple[TaxGroup, ...]:
    """Set each part's tax; give the sums by category and rate, in the order they first come up.

    An amount that a tax engine gave is taken as it is, in the group of its category and rate.
    """
    grouped: dict[tuple[str, Decimal | None], list[tuple[TaxableAmount, Tax]]] = {}
    for part in parts:
        if part.tax is not None:
            rate = None if part.tax.rate is None else Decimal(part.tax.rate)
            grouped.setdefault((part.tax.category, rate), []).append((part, part.tax))
    return tuple(_put_group(group, rate, policy) for (_, rate), group in grouped.items())


def _put_group(
    group: Sequence[tuple[TaxableAmount, Tax]], rate: Decimal | None, policy: RoundingPolicy
) -> TaxGroup:
    by_rate = []
    for part, tax in group:
        if tax.amount is not None:
            part.tax_amount = tax.amount
        elif rate is not None:
            by_rate.append(part)
    if rate is not None and by_rate:
        _put_rate(by_rate, rate, policy)
    base = policy.sum([part.base for part, _ in group])
    tax_amount = policy.sum([part.tax_amount for part, _ in group])
    first = group[0][1]
    return TaxGroup.construct_unchecked(
        category=first.category,
        rate=first.rate,
        net=base - tax_amount if policy.tax_inclusive else base,
        tax=tax_amount,
    )


def _put_rate(parts: Sequence[TaxableAmount], rate: Decimal, policy: RoundingPolicy) -> None:
    if policy.tax_rounding is TaxRounding.LINE:
        for part in parts:
            part.tax_amount = _tax(part.base, rate, policy)
        return
    tax = _tax(policy.sum([part.base for part in parts]), rate, policy)
    whole = 1 + rate if policy.tax_inclusive else _ONE
    shares = policy.share(tax, [part.base * rate for part in parts], whole)
    for part, share in zip(parts, shares, strict=True):
        part.tax_amount = share


def _tax(base: Decimal, rate: Decimal, policy: RoundingPolicy) -> Decimal:
    if policy.tax_inclusive:
        # The net is rounded and the tax is what is left, so that both add up to the price again.
        return base - policy.rounded(base / (1 + rate))
    return policy.rounded(base * rate)
