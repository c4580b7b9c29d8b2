"""The amounts of an invoice: lines, discounts, tax and totals."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from invoicing.contracts.invoice import (
    Discount,
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
from invoicing.domain.pricing.tax import TaxableAmount, apply_tax, is_implausible

_HUNDRED = Decimal(100)
_MONEY_DIGITS: Final = MONEY_LIMIT.adjusted()


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
    implausible_taxes: tuple[str, ...]
    """The paths of given taxes that do not follow from their net and rate."""


class TooLarge(NamedTuple):
    """An amount is `MONEY_LIMIT` or more; `field` is its path."""

    field: str


@dataclass(slots=True)
class _Line:
    """A line in progress: discounts and tax are applied to `goods` and `fees`, which it changes."""

    item: Item
    amount: Decimal
    discount: Decimal
    goods: TaxableAmount
    fees: list[TaxableAmount]
    duties: Decimal
    importer_tax: Decimal


def price(given: InvoiceInput, currency: str, tax_rounding: TaxRounding) -> Priced | TooLarge:
    """Compute all amounts. The given ones must have the currency's scale already."""
    policy = RoundingPolicy.of(currency, tax_rounding, tax_inclusive=given.tax_inclusive)
    with exact_arithmetic():
        # Only a stated false leaves importer tax out of the totals.
        bills_importer_tax = given.importer_of_record_tax is not False
        lines = [_line(item, policy, bills_importer_tax) for item in given.items]
        if given.discount is not None and lines:
            _take_off_discount(lines, given.discount, policy)
        shipping = None
        if given.shipping is not None:
            shipping = TaxableAmount(given.shipping.amount, given.shipping.tax, policy.zero)
        taxable = [amount for line in lines for amount in (line.goods, *line.fees)]
        groups = apply_tax(taxable if shipping is None else [*taxable, shipping], policy)
        items = tuple(_priced_item(line, index, policy) for index, line in enumerate(lines))
        totals = _totals(lines, items, shipping, groups, policy)
        too_large = _too_large(items, shipping, groups, totals)
        if too_large is not None:
            return too_large
        _check_sums(items, shipping, totals, policy)
        implausible = tuple(_implausible_taxes(lines, shipping, policy))
    priced_shipping = None
    if given.shipping is not None and shipping is not None:
        priced_shipping = PricedShipping.computed_from(
            given.shipping, tax_amount=shipping.tax_amount
        )
    return Priced(items, priced_shipping, groups, totals, implausible)


def _line(item: Item, policy: RoundingPolicy, bills_importer_tax: bool) -> _Line:
    """Price a line: quantity times unit price, less its percentage, less its amount off.

    A free trial is discounted in full, and nothing else of it is billed.
    """
    zero = policy.zero
    quantity = Decimal(item.quantity)
    amount = _amount(quantity, item.unit_price, item.amount, policy)
    is_free = item.subscription is not None and bool(item.subscription.free_trial)
    discount = amount if is_free else _line_discount(amount, item.discount, policy)
    fees = [
        TaxableAmount(
            zero if is_free else _amount(quantity, fee.per_unit_amount, fee.amount, policy),
            fee.tax,
            zero,
        )
        for fee in item.fees
    ]
    duties = None if is_free else item.duties
    importer_tax = item.importer_tax if bills_importer_tax and not is_free else None
    return _Line(
        item,
        amount,
        discount,
        TaxableAmount(amount - discount, item.tax, zero),
        fees,
        zero if duties is None else duties.amount,
        zero if importer_tax is None else importer_tax.amount,
    )


def _line_discount(amount: Decimal, discount: Discount | None, policy: RoundingPolicy) -> Decimal:
    """The percentage, then the amount off, which takes at most what is left above 0."""
    taken = policy.zero
    if discount is None:
        return taken
    if discount.percent_off is not None:
        taken += policy.rounded(amount * Decimal(discount.percent_off) / _HUNDRED)
    if discount.amount_off is not None:
        taken += max(min(discount.amount_off, amount - taken), policy.zero)
    return taken


def _amount(
    quantity: Decimal, per_unit: str | None, amount: Decimal | None, policy: RoundingPolicy
) -> Decimal:
    if per_unit is not None:
        return policy.rounded(quantity * Decimal(per_unit))
    return policy.zero if amount is None else amount


def _take_off_discount(lines: Sequence[_Line], discount: Discount, policy: RoundingPolicy) -> None:
    """Share the document's discount over its lines: first the percentage, then the amount.

    Where the lines' nets sum to 0 or less, nothing is taken: a percentage of that would raise the
    total. The amount takes at most that sum, from the lines above 0.
    """
    if discount.percent_off is not None:
        percentage = Decimal(discount.percent_off)
        parts = [line.goods.base * percentage for line in lines]
        total = policy.rounded(sum(parts, ZERO) / _HUNDRED)
        if sum(parts, ZERO) > 0:
            _take_off(lines, policy.share(total, parts, _HUNDRED))
    if discount.amount_off is not None:
        total = min(discount.amount_off, policy.sum([line.goods.base for line in lines]))
        if total > 0:
            weights = [max(line.goods.base, ZERO) for line in lines]
            parts = [total * weight for weight in weights]
            _take_off(lines, policy.share(total, parts, sum(weights, ZERO)))


def _take_off(lines: Sequence[_Line], shares: Sequence[Decimal]) -> None:
    for line, share in zip(lines, shares, strict=True):
        line.discount += share
        line.goods.base -= share


def _priced_item(line: _Line, index: int, policy: RoundingPolicy) -> PricedItem:
    item, goods, fees = line.item, line.goods, line.fees
    fees_amount, tax_amount = policy.zero, goods.tax_amount
    priced_fees: tuple[PricedFee, ...] = ()
    if fees:
        fees_amount = policy.sum([fee.base for fee in fees])
        tax_amount = policy.sum([tax_amount, *[fee.tax_amount for fee in fees]])
        priced_fees = tuple(
            PricedFee.computed_from(fee, amount=priced.base, tax_amount=priced.tax_amount)
            for fee, priced in zip(item.fees, fees, strict=True)
        )
    untaxed = goods.base + fees_amount + line.duties + line.importer_tax
    return PricedItem.computed_from(
        item,
        id=item_id(item, index),
        quantity=item.quantity,
        amount=line.amount,
        fees=priced_fees,
        discount_amount=line.discount,
        net=goods.base,
        tax_amount=tax_amount,
        fees_amount=fees_amount,
        duties_amount=line.duties,
        importer_tax_amount=line.importer_tax,
        total=untaxed if policy.tax_inclusive else untaxed + tax_amount,
    )


def _totals(
    lines: Sequence[_Line],
    items: Sequence[PricedItem],
    shipping: TaxableAmount | None,
    groups: Sequence[TaxGroup],
    policy: RoundingPolicy,
) -> Totals:
    subtotal = policy.sum([item.amount for item in items])
    discount = policy.sum([item.discount_amount for item in items])
    tax = policy.sum([group.tax for group in groups])
    fees = policy.sum([item.fees_amount for item in items])
    duties = policy.sum([item.duties_amount for item in items])
    importer_tax = policy.sum([item.importer_tax_amount for item in items])
    shipping_amount = policy.zero if shipping is None else shipping.base
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
    """The tax that tax-inclusive prices contain before any discount."""
    if not policy.tax_inclusive:
        return policy.zero
    undiscounted = [TaxableAmount(line.amount, line.item.tax, policy.zero) for line in lines]
    return policy.sum(group.tax for group in apply_tax(undiscounted, policy))


def _implausible_taxes(
    lines: Sequence[_Line], shipping: TaxableAmount | None, policy: RoundingPolicy
) -> Iterator[str]:
    for index, line in enumerate(lines):
        if is_implausible(line.goods, policy):
            yield f"items.{index}.tax.amount"
        for fee_index, fee in enumerate(line.fees):
            if is_implausible(fee, policy):
                yield f"items.{index}.fees.{fee_index}.tax.amount"
    if shipping is not None and is_implausible(shipping, policy):
        yield "shipping.tax.amount"


def _too_large(
    items: Sequence[PricedItem],
    shipping: TaxableAmount | None,
    groups: Sequence[TaxGroup],
    totals: Totals,
) -> TooLarge | None:
    """Check each amount by itself: two that are too large may add up to a small one."""
    for index, item in enumerate(items):
        amounts = (item.amount, item.discount_amount, item.net, item.fees_amount, item.tax_amount)
        of_fees = [amount for fee in item.fees for amount in (fee.amount, fee.tax_amount)]
        if _has_too_large((*amounts, *of_fees, item.total)):
            return TooLarge(f"items.{index}")
    if _has_too_large(totals):
        return TooLarge(next(n for n, a in totals._asdict().items() if abs(a) >= MONEY_LIMIT))
    if shipping is not None and abs(shipping.tax_amount) >= MONEY_LIMIT:
        return TooLarge("shipping")
    for index, group in enumerate(groups):
        if _has_too_large((group.net, group.tax)):
            return TooLarge(f"tax_groups.{index}")
    return None


def _has_too_large(amounts: Iterable[Decimal]) -> bool:
    # By the power of ten: an amount is below 10^15 if its first digit stands for less.
    return max([amount.adjusted() for amount in amounts]) >= _MONEY_DIGITS


def _check_sums(
    items: Sequence[PricedItem],
    shipping: TaxableAmount | None,
    totals: Totals,
    policy: RoundingPolicy,
) -> None:
    """Add up by line what `_totals` added up by kind and by tax group: both must agree."""
    shipping_tax = policy.zero if shipping is None else shipping.tax_amount
    shipped = (
        totals.total_shipping if policy.tax_inclusive else totals.total_shipping + shipping_tax
    )
    tax = policy.sum([item.tax_amount for item in items]) + shipping_tax
    total = policy.sum([item.total for item in items]) + shipped
    assert tax == totals.total_tax, f"taxes of lines and shipping do not add up: {totals}"
    assert total == totals.total, f"lines and shipping do not add up to the total: {totals}"
