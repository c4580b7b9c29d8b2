"""Laws of the arithmetic, over invoices in currencies of 0, 2, 3 and 4 decimals."""

from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st

from invoicing.contracts.invoice import Document, TaxRounding
from invoicing.contracts.replies import Rejection
from invoicing.contracts.types.money import EXPONENTS, UNITS
from invoicing.domain.decision import Accepted
from invoicing.domain.pricing.rounding import RoundingPolicy, exact_arithmetic
from invoicing.domain.sellers import Seller, Sellers
from tests.support.domain.desk import Desk
from tests.support.domain.strategies import CURRENCIES, RATES, documents, money, written

SELLERS = {
    rounding: Sellers({"default": Seller(id="default", tax_rounding=rounding)})
    for rounding in TaxRounding
}

roundings = st.sampled_from(TaxRounding)


def worked_out(data: dict[str, Any], rounding: TaxRounding = TaxRounding.GROUP) -> Document:
    return desk_with(data, rounding).current.document


def desk_with(data: dict[str, Any], rounding: TaxRounding = TaxRounding.GROUP) -> Desk:
    desk = Desk(SELLERS[rounding])
    decided = desk.send("CreateInvoice", **data)
    # A given amount of tax may be more than a small price can hold.
    if isinstance(decided, Rejection) and decided.code == "tax_mismatch":
        reject()
    assert isinstance(decided, Accepted)
    return desk


@given(documents(), roundings)
def test_the_total_is_the_sum_of_the_totals(data: dict[str, Any], rounding: TaxRounding) -> None:
    document = worked_out(data, rounding)
    on_top = 0 if document.tax_inclusive else document.total_tax
    assert document.total == (
        document.subtotal
        - document.total_discount
        + on_top
        + document.total_fees
        + document.total_duties
        + document.total_importer_tax
        + document.total_shipping
    )
    assert document.total_excluding_tax == document.total - document.total_tax


@given(documents(), roundings)
def test_the_total_is_the_sum_of_its_lines_and_shipping(
    data: dict[str, Any], rounding: TaxRounding
) -> None:
    document = worked_out(data, rounding)
    shipping = document.shipping
    shipped = document.total_shipping
    if shipping is not None and not document.tax_inclusive:
        shipped += shipping.tax_amount
    assert document.total == sum(item.total for item in document.items) + shipped


@given(documents(), roundings)
def test_every_sum_is_that_of_the_lines(data: dict[str, Any], rounding: TaxRounding) -> None:
    document = worked_out(data, rounding)
    lines = document.items
    assert document.subtotal == sum(line.amount for line in lines)
    assert document.total_discount == sum(line.discount_amount for line in lines)
    assert document.total_fees == sum(line.fees_amount for line in lines)
    assert document.total_duties == sum(line.duties_amount for line in lines)
    assert document.total_importer_tax == sum(line.importer_tax_amount for line in lines)
    shipping_tax = document.shipping.tax_amount if document.shipping else 0
    assert document.total_tax == sum(line.tax_amount for line in lines) + shipping_tax
    assert document.total_tax == sum(group.tax for group in document.tax_groups)


@given(documents(), roundings)
def test_every_line_adds_up(data: dict[str, Any], rounding: TaxRounding) -> None:
    document = worked_out(data, rounding)
    for line in document.items:
        on_top = 0 if document.tax_inclusive else line.tax_amount
        assert line.net == line.amount - line.discount_amount
        assert line.fees_amount == sum(fee.amount for fee in line.fees)
        assert line.total == (
            line.net + on_top + line.fees_amount + line.duties_amount + line.importer_tax_amount
        )


@given(documents(), roundings)
def test_every_amount_has_just_the_decimals_of_its_currency(
    data: dict[str, Any], rounding: TaxRounding
) -> None:
    document = worked_out(data, rounding)
    for amount in amounts_in(document.model_dump()):
        assert -amount.as_tuple().exponent == EXPONENTS[data["currency"]]
        assert str(amount) != "-" + "0" * len(str(amount)[1:])


def amounts_in(value: Any) -> list[Decimal]:
    if isinstance(value, Decimal):
        return [value]
    if isinstance(value, dict):
        return [amount for part in value.values() for amount in amounts_in(part)]
    if isinstance(value, list | tuple):
        return [amount for part in value for amount in amounts_in(part)]
    return []


@given(documents(), roundings)
def test_a_discount_never_takes_a_line_across_0(
    data: dict[str, Any], rounding: TaxRounding
) -> None:
    for line in worked_out(data, rounding).items:
        assert min(line.amount, 0) <= line.net <= max(line.amount, 0)


@given(st.data(), roundings)
def test_an_amount_off_is_taken_whole_or_leaves_nothing(
    data: st.DataObject, rounding: TaxRounding
) -> None:
    before = data.draw(documents(currency="KWD"))
    discount = before.pop("discount", {})
    off = data.draw(money("KWD", 3_000))
    by_percentage = {name: discount[name] for name in discount if name == "percent_off"}

    without = worked_out(before | {"discount": by_percentage}, rounding)
    discounted = worked_out(before | {"discount": by_percentage | {"amount_off": off}}, rounding)

    taken = [
        line.discount_amount - other.discount_amount
        for line, other in zip(discounted.items, without.items, strict=True)
    ]
    left = sum(line.net for line in discounted.items)
    nets = [line.net for line in without.items]
    assert sum(taken) == Decimal(off) or left == 0 or (sum(nets) < 0 and not any(taken))
    assert all(share == 0 for share, net in zip(taken, nets, strict=True) if net <= 0)
    of_each = sum(taken) / (sum(net for net in nets if net > 0) or 1)
    for share, net in zip(taken, nets, strict=True):
        assert abs(share - max(net, 0) * of_each) < UNITS["KWD"]


@given(documents(), roundings)
def test_a_free_trial_bills_what_no_line_bills(data: dict[str, Any], rounding: TaxRounding) -> None:
    trial = {"subscription": {"free_trial": True}}
    with_trials = [data["items"][0] | trial, *data["items"]]
    assert worked_out(data | {"items": with_trials}, rounding).total == (
        worked_out(data, rounding).total
    )


@given(documents(), roundings)
def test_only_a_stated_false_takes_importer_tax_out_of_the_total(
    data: dict[str, Any], rounding: TaxRounding
) -> None:
    total = {
        said: worked_out(data | {"importer_of_record_tax": said}, rounding).total
        for said in (None, True, False)
    }
    without = [
        {name: part for name, part in item.items() if name != "importer_tax"}
        for item in data["items"]
    ]
    assert total[None] == total[True]
    assert total[False] == worked_out(data | {"items": without}, rounding).total


@given(
    st.sampled_from(CURRENCIES),
    st.integers(-100_000, 100_000).filter(bool),
    st.sampled_from(RATES),
    st.integers(-1_100, 1_100),
    st.booleans(),
)
def test_a_given_tax_is_taken_if_it_is_near_net_times_rate(
    currency: str, net: int, rate: str, off_by: int, tax_inclusive: bool
) -> None:
    """In whole smallest units and fractions: the tax is some units away from net times rate."""
    tax = round(net * Fraction(rate)) + off_by
    price = net + tax if tax_inclusive else net
    assume(price)
    decided = Desk().send(
        "CreateInvoice",
        customer_id="cus_1",
        currency=currency,
        state="draft",
        tax_inclusive=tax_inclusive,
        items=[
            {
                "amount": written(price, EXPONENTS[currency]),
                "tax": {"rate": rate, "amount": written(tax, EXPONENTS[currency])},
            }
        ],
    )
    away = abs(tax - net * Fraction(rate))
    is_near = away <= 5 or 100 * away <= abs(net)
    is_of_its_sign = tax == 0 or (tax > 0) == (net > 0)
    assert isinstance(decided, Accepted) == (is_near and is_of_its_sign)


@given(documents())
def test_a_group_is_taxed_by_its_rate_to_half_a_unit(data: dict[str, Any]) -> None:
    assume(not any("amount" in tax for tax in taxes_in(data)))
    document = worked_out(data)
    for group in document.tax_groups:
        exact = group.net * Decimal(group.rate or 0)
        widest = 1 + Decimal(group.rate or 0) if document.tax_inclusive else 1
        assert abs(group.tax - exact) <= UNITS[data["currency"]] * widest / 2


def taxes_in(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        own = [value["tax"]] if "tax" in value else []
        return own + [tax for part in value.values() for tax in taxes_in(part)]
    if isinstance(value, list):
        return [tax for part in value for tax in taxes_in(part)]
    return []


@given(documents())
def test_both_roundings_differ_by_less_than_a_unit_for_each_part(data: dict[str, Any]) -> None:
    by_group = worked_out(data, TaxRounding.GROUP)
    by_line = worked_out(data, TaxRounding.LINE)
    parts = 1 + sum(1 + len(item.fees) for item in by_line.items)
    difference = abs(by_group.total_tax - by_line.total_tax)
    assert difference <= UNITS[data["currency"]] * parts


@given(st.data(), st.sampled_from(CURRENCIES), st.sampled_from(RATES))
def test_a_price_with_its_tax_inside_holds_the_net_that_it_was_made_from(
    data: st.DataObject, currency: str, rate: str
) -> None:
    amounts = data.draw(st.lists(money(currency), min_size=1, max_size=5))
    tax = {"rate": rate}
    lines = [{"amount": amount, "tax": tax} for amount in amounts]
    fixed = {"customer_id": "cus_1", "currency": currency, "state": "draft"}
    exclusive = worked_out({**fixed, "items": lines})

    gross = [{"amount": str(line.total), "tax": tax} for line in exclusive.items]
    inclusive = worked_out({**fixed, "items": gross, "tax_inclusive": True})

    assert inclusive.total == exclusive.total
    assert inclusive.total_tax == exclusive.total_tax
    assert inclusive.total_excluding_tax == exclusive.total_excluding_tax


@given(documents())
def test_working_out_again_changes_nothing(data: dict[str, Any]) -> None:
    desk = desk_with(data)
    before = desk.current
    after = desk.accept("UpdateInvoice", items=data["items"])
    assert after is before


# Few sizes, so that remainders often tie; and any, up to the largest amounts there are.
weights_to_share_by = st.lists(st.integers(-9, 60) | st.integers(0, 10**18), min_size=1, max_size=8)


@given(
    st.sampled_from(CURRENCIES),
    weights_to_share_by,
    st.integers(0, 99) | st.integers(0, 10**18),
    st.integers(1, 60) | st.integers(1, 10**18),
)
def test_shares_are_those_of_largest_remainders_and_of_equal_ones_the_first(
    currency: str, weights: list[int], factor: int, divisor: int
) -> None:
    rules = RoundingPolicy.of(currency, TaxRounding.GROUP, tax_inclusive=False)
    quotas = [Fraction(weight * factor, divisor) for weight in weights]
    units = round(sum(quotas))
    with exact_arithmetic():
        parts = [weight * factor * rules.unit for weight in weights]
        shares = rules.share(units * rules.unit, parts, Decimal(divisor))
        assert [share / rules.unit for share in shares] == largest_remainders(units, quotas)


def largest_remainders(units: int, quotas: list[Fraction]) -> list[int]:
    """Hamilton's method in exact fractions, unit by unit."""
    shares = [floor(quota) for quota in quotas]
    while sum(shares) < units:
        # The first of the largest, since `max` keeps what it has for an equal.
        place = max(range(len(quotas)), key=lambda place: quotas[place] - shares[place])
        shares[place] += 1
    return shares


@pytest.mark.parametrize("currency", sorted(EXPONENTS))
def test_every_currency_is_worked_out_at_its_scale(currency: str) -> None:
    document = worked_out(
        {"customer_id": "c", "currency": currency, "items": [{"unit_price": "1.000000000001"}]}
    )
    assert document.total == 1
    assert str(document.total) == str(Decimal(1).quantize(UNITS[currency]))
