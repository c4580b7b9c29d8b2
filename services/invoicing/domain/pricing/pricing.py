"""What an invoice comes to: its lines, its discounts and its totals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from invoicing.contracts.invoice import (
    Discount,
    Fee,
    InvoiceInput,
    Item,
    PricedFee,
    PricedItem,
    PricedShipping,
    TaxGroup,
    TaxRounding,
    item_id,
)
from invoicing.contracts.types.money import MONEY_LIMIT
from invoicing.domain.pricing.rounding import ZERO, RoundingPolicy, exact_arithmetic
from invoicing.domain.pricing.tax import TaxableAmount, apply_tax

_HUNDRED = Decimal(100)


class Totals(NamedTuple):
    """The sums of a document, named as they are there."""

    subtotal: Decimal
    subtotal_excluding_tax: Decimal
    total_discount: Decimal
    total_tax: Decimal
    total_fees: Decimal
    total_duties: Decimal
    total_importer_tax: Decimal
    total_shipping: Decimal
    total: Decimal
    total_excluding_tax: Decimal


class Priced(NamedTuple):
    """All amounts of a document."""

    items: tuple[PricedItem, ...]
    shipping: PricedShipping | None
    tax_groups: tuple[TaxGroup, ...]
    totals: Totals


class TooLarge(NamedTuple):
    """An amount came to `MONEY_LIMIT` or more; `field` is where."""

    field: str


@dataclass(slots=True)
class _Line:
    """A line while it is worked out."""

    item: Item
    amount: Decimal
    discount: Decimal
    goods: TaxableAmount
    fees: list[TaxableAmount]
    duties: Decimal
    importer_tax: Decimal


def price(given: InvoiceInput, currency: str, tax_rounding: TaxRounding) -> Priced | TooLarge:
    """Work out all amounts. Those that were given are at the currency's scale already."""
    policy = RoundingPolicy.of(currency, tax_rounding, tax_inclusive=given.tax_inclusive)
    with exact_arithmetic():
        lines = [_line(item, policy) for item in given.items]
        if given.discount is not None and lines:
            _take_off_discount(lines, given.discount, policy)
        shipping = _shipping(given, policy)
        goods_and_fees = [part for line in lines for part in (line.goods, *line.fees)]
        groups = apply_tax([*goods_and_fees, *shipping], policy)
        items = tuple(_priced_item(line, place, policy) for place, line in enumerate(lines))
        totals = _totals(lines, items, shipping, groups, policy)
        too_large = _too_large(items, shipping, groups, totals)
        if too_large is None:
            _prove(items, shipping, totals, policy)
    return too_large or Priced(items, _priced_shipping(given, shipping), groups, totals)


def _line(item: Item, policy: RoundingPolicy) -> _Line:
    quantity = Decimal(item.quantity)
    amount = _amount(quantity, item.unit_price, item.amount, policy)
    discount = _own_discount(amount, item.discount, policy)
    return _Line(
        item=item,
        amount=amount,
        discount=discount,
        goods=TaxableAmount(amount - discount, item.tax, policy.zero),
        fees=[_fee(fee, quantity, policy) for fee in item.fees],
        duties=policy.zero if item.duties is None else item.duties.amount,
        importer_tax=policy.zero if item.importer_tax is None else item.importer_tax.amount,
    )


def _amount(
    quantity: Decimal, of_one: str | None, of_all: Decimal | None, policy: RoundingPolicy
) -> Decimal:
    if of_one is not None:
        return policy.rounded(quantity * Decimal(of_one))
    return policy.zero if of_all is None else of_all


def _own_discount(amount: Decimal, discount: Discount | None, policy: RoundingPolicy) -> Decimal:
    """First the percentage, then the amount."""
    off = policy.zero
    if discount is not None and discount.percent_off is not None:
        off += policy.rounded(amount * Decimal(discount.percent_off) / _HUNDRED)
    if discount is not None and discount.amount_off is not None:
        off += discount.amount_off
    return off


def _fee(fee: Fee, quantity: Decimal, policy: RoundingPolicy) -> TaxableAmount:
    return TaxableAmount(
        _amount(quantity, fee.per_unit_amount, fee.amount, policy), fee.tax, policy.zero
    )


def _shipping(given: InvoiceInput, policy: RoundingPolicy) -> tuple[TaxableAmount, ...]:
    if given.shipping is None:
        return ()
    return (TaxableAmount(given.shipping.amount, given.shipping.tax, policy.zero),)


def _take_off_discount(lines: Sequence[_Line], discount: Discount, policy: RoundingPolicy) -> None:
    """Take the document's discount off its lines: first the percentage, then the amount."""
    if discount.percent_off is not None:
        percentage = Decimal(discount.percent_off)
        parts = [line.goods.base * percentage for line in lines]
        total = policy.rounded(sum(parts, ZERO) / _HUNDRED)
        _take_off(lines, policy.share(total, parts, _HUNDRED))
    if discount.amount_off is not None:
        weights = _weights(lines)
        parts = [discount.amount_off * weight for weight in weights]
        _take_off(lines, policy.share(discount.amount_off, parts, sum(weights, ZERO)))


def _weights(lines: Sequence[_Line]) -> list[Decimal]:
    # If lines below 0 weighed too, a sum near 0 would blow the shares up beyond any sense.
    above_zero = [max(line.goods.base, ZERO) for line in lines]
    return above_zero if any(above_zero) else [Decimal(1)] * len(lines)


def _take_off(lines: Sequence[_Line], shares: Sequence[Decimal]) -> None:
    for line, off in zip(lines, shares, strict=True):
        line.discount += off
        line.goods.base -= off


def _priced_item(line: _Line, place: int, policy: RoundingPolicy) -> PricedItem:
    item = line.item
    fees_amount = policy.sum([fee.base for fee in line.fees])
    tax_amount = policy.sum([line.goods.tax_amount, *(fee.tax_amount for fee in line.fees)])
    untaxed = line.goods.base + fees_amount + line.duties + line.importer_tax
    return PricedItem.computed_from(
        item,
        id=item_id(item, place),
        quantity=item.quantity,
        amount=line.amount,
        fees=tuple(map(_priced_fee, item.fees, line.fees)),
        discount_amount=line.discount,
        net=line.goods.base,
        tax_amount=tax_amount,
        fees_amount=fees_amount,
        duties_amount=line.duties,
        importer_tax_amount=line.importer_tax,
        total=untaxed if policy.tax_inclusive else untaxed + tax_amount,
    )


def _priced_fee(fee: Fee, part: TaxableAmount) -> PricedFee:
    return PricedFee.computed_from(fee, amount=part.base, tax_amount=part.tax_amount)


def _priced_shipping(
    given: InvoiceInput, shipping: Sequence[TaxableAmount]
) -> PricedShipping | None:
    if given.shipping is None:
        return None
    (part,) = shipping
    return PricedShipping.computed_from(given.shipping, tax_amount=part.tax_amount)


def _totals(
    lines: Sequence[_Line],
    items: Sequence[PricedItem],
    shipping: Sequence[TaxableAmount],
    groups: Sequence[TaxGroup],
    policy: RoundingPolicy,
) -> Totals:
    subtotal = policy.sum([item.amount for item in items])
    discount = policy.sum([item.discount_amount for item in items])
    tax = policy.sum([group.tax for group in groups])
    fees = policy.sum([item.fees_amount for item in items])
    duties = policy.sum([item.duties_amount for item in items])
    importer_tax = policy.sum([item.importer_tax_amount for item in items])
    shipping_amount = policy.sum([part.base for part in shipping])
    untaxed = subtotal - discount + fees + duties + importer_tax + shipping_amount
    total = untaxed if policy.tax_inclusive else untaxed + tax
    return Totals(
        subtotal=subtotal,
        subtotal_excluding_tax=subtotal - _tax_inside_subtotal(lines, policy),
        total_discount=discount,
        total_tax=tax,
        total_fees=fees,
        total_duties=duties,
        total_importer_tax=importer_tax,
        total_shipping=shipping_amount,
        total=total,
        total_excluding_tax=total - tax,
    )


def _tax_inside_subtotal(lines: Sequence[_Line], policy: RoundingPolicy) -> Decimal:
    """The tax that tax-inclusive prices hold before any discount."""
    if not policy.tax_inclusive:
        return policy.zero
    undiscounted = [TaxableAmount(line.amount, line.item.tax, policy.zero) for line in lines]
    return policy.sum(group.tax for group in apply_tax(undiscounted, policy))


def _too_large(
    items: Sequence[PricedItem],
    shipping: Sequence[TaxableAmount],
    groups: Sequence[TaxGroup],
    totals: Totals,
) -> TooLarge | None:
    """Each amount by itself: what is far too large may sum up to little with its opposite."""
    for place, item in enumerate(items):
        amounts = (item.amount, item.discount_amount, item.net, item.fees_amount, item.tax_amount)
        of_fees = [amount for fee in item.fees for amount in (fee.amount, fee.tax_amount)]
        if _largest((*amounts, *of_fees, item.total)) >= MONEY_LIMIT:
            return TooLarge(f"items.{place}")
    if _largest(totals) >= MONEY_LIMIT:
        return TooLarge(next(n for n, a in totals._asdict().items() if abs(a) >= MONEY_LIMIT))
    for part in shipping:
        if abs(part.tax_amount) >= MONEY_LIMIT:
            return TooLarge("shipping")
    for place, group in enumerate(groups):
        if _largest((group.net, group.tax)) >= MONEY_LIMIT:
            return TooLarge(f"tax_groups.{place}")
    return None


def _largest(amounts: Iterable[Decimal]) -> Decimal:
    return max(map(abs, amounts))


def _prove(
    items: Sequence[PricedItem],
    shipping: Sequence[TaxableAmount],
    totals: Totals,
    policy: RoundingPolicy,
) -> None:
    """The total is the sum of its parts, whichever way they are added up."""
    shipped = policy.sum([part.base for part in shipping])
    if not policy.tax_inclusive:
        shipped += policy.sum([part.tax_amount for part in shipping])
    if policy.sum([item.total for item in items]) + shipped != totals.total:
        raise AssertionError(f"lines and shipping do not add up to the total: {totals}")
