"""Tax: rounded once for each category and rate, or for each line where the seller has it so."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from invoicing.contracts.invoice import Tax, TaxGroup, TaxRounding
from invoicing.domain.pricing.rounding import Rules

_ONE = Decimal(1)


@dataclass(slots=True)
class Part:
    """Something that tax is on: what is left of a line, a fee, shipping."""

    base: Decimal
    tax: Tax | None
    tax_amount: Decimal


def put_tax(parts: Iterable[Part], rules: Rules) -> tuple[TaxGroup, ...]:
    """Set each part's tax; give the sums by category and rate, in the order they first come up.

    An amount that a tax engine gave is taken as it is, in the group of its category and rate.
    """
    grouped: dict[tuple[str, Decimal | None], list[tuple[Part, Tax]]] = {}
    for part in parts:
        if part.tax is not None:
            rate = None if part.tax.rate is None else Decimal(part.tax.rate)
            grouped.setdefault((part.tax.category, rate), []).append((part, part.tax))
    return tuple(_put_group(group, rate, rules) for (_, rate), group in grouped.items())


def _put_group(group: Sequence[tuple[Part, Tax]], rate: Decimal | None, rules: Rules) -> TaxGroup:
    by_rate = []
    for part, tax in group:
        if tax.amount is not None:
            part.tax_amount = tax.amount
        elif rate is not None:
            by_rate.append(part)
    if rate is not None and by_rate:
        _put_rate(by_rate, rate, rules)
    base = rules.sum([part.base for part, _ in group])
    tax_amount = rules.sum([part.tax_amount for part, _ in group])
    first = group[0][1]
    return TaxGroup.construct_unchecked(
        category=first.category,
        rate=first.rate,
        net=base - tax_amount if rules.tax_inclusive else base,
        tax=tax_amount,
    )


def _put_rate(parts: Sequence[Part], rate: Decimal, rules: Rules) -> None:
    if rules.tax_rounding is TaxRounding.LINE:
        for part in parts:
            part.tax_amount = _tax(part.base, rate, rules)
        return
    tax = _tax(rules.sum([part.base for part in parts]), rate, rules)
    whole = 1 + rate if rules.tax_inclusive else _ONE
    shares = rules.share(tax, [part.base * rate for part in parts], whole)
    for part, share in zip(parts, shares, strict=True):
        part.tax_amount = share


def _tax(base: Decimal, rate: Decimal, rules: Rules) -> Decimal:
    if rules.tax_inclusive:
        # The net is rounded and the tax is what is left, so that both add up to the price again.
        return base - rules.rounded(base / (1 + rate))
    return rules.rounded(base * rate)
