"""Tax of published invoices and of our own; tests/property/test_arithmetic.py has any other."""

from typing import Any

import pytest

from invoicing.contracts.commands import UpdateInvoice, read_data
from invoicing.contracts.lazy_document import LazyDocument
from invoicing.contracts.replies import Rejection
from invoicing.domain.documents import changed_document
from invoicing.domain.sellers import Seller
from tests.support.domain.desk import MORNING, Desk
from tests.support.domain.drafts import data, draft
from tests.support.domain.priced import PER_LINE, groups, lines, priced

FOUR_LINES = lines("0.2", "68.33", "68.33", "57.50", "85.00")


def test_tax_is_rounded_once_for_four_lines_at_20_percent() -> None:
    document = priced(items=FOUR_LINES)
    assert (document["total_tax"], document["total"]) == ("55.83", "334.99")


def test_tax_is_rounded_for_each_line_where_the_seller_has_it_so() -> None:
    document = priced(items=FOUR_LINES, sellers=PER_LINE)
    assert document["total"] == "335.00"


def test_four_lines_of_17_50_at_7_percent_are_taxed_as_one() -> None:
    document = priced(items=lines("0.07", *["17.50"] * 4))
    assert document["total_tax"] == "4.90"


def test_four_lines_of_17_50_at_7_percent_are_taxed_one_by_one() -> None:
    document = priced(items=lines("0.07", *["17.50"] * 4), sellers=PER_LINE)
    assert document["total_tax"] == "4.92"


def test_a_price_of_24_99_holds_4_16_of_20_percent_tax() -> None:
    document = priced(items=lines("0.2", "24.99"), tax_inclusive=True)
    assert groups(document) == [("0.2", "20.83", "4.16")]
    assert (document["total"], document["total_excluding_tax"]) == ("24.99", "20.83")


def test_half_a_yen_is_rounded_up() -> None:
    assert priced("JPY", items=lines("0.1", "15"))["total_tax"] == "2"


# wiki.dolibarr.org, "VAT setup, calculation and rounding rules": both methods on the same lines


def test_dolibarr_sums_lines_before_it_rounds_the_tax() -> None:
    assert priced(items=lines("0.1", "1.24", "1.24"))["total_tax"] == "0.25"


def test_dolibarr_rounds_the_tax_of_each_line() -> None:
    document = priced(items=lines("0.1", "1.24", "1.24"), sellers=PER_LINE)
    assert document["total_tax"] == "0.24"


def test_wafeq_rounds_half_a_cent_up_on_each_line() -> None:
    """developer.wafeq.com, "Calculations and Rounding"."""
    items = [*lines("0.05", "45.30"), *lines("0.10", "33.45")]
    document = priced("AED", items=items, sellers=PER_LINE)
    assert [item["tax_amount"] for item in document["items"]] == ["2.27", "3.35"]
    assert (document["total_tax"], document["total"]) == ("5.62", "84.37")


def test_stripe_rounds_the_tax_of_each_line() -> None:
    """support.stripe.com, "Rounding rules for Stripe fees"."""
    document = priced("USD", items=lines("0.15", "0.43", "4.84"), sellers=PER_LINE)
    assert [item["tax_amount"] for item in document["items"]] == ["0.06", "0.73"]
    assert (document["total_tax"], document["total"]) == ("0.79", "6.06")


def test_stripe_tax_inside_the_price_leaves_the_total() -> None:
    """support.stripe.com, "Inclusive and exclusive tax options"."""
    assert priced(items=lines("0.1", "600"), tax_inclusive=True)["total"] == "600.00"


def test_stripe_tax_on_top_of_the_price_raises_the_total() -> None:
    """support.stripe.com, "Inclusive and exclusive tax options"."""
    assert priced(items=lines("0.1", "600"))["total"] == "660.00"


def test_australian_gst_of_an_item_is_rounded_to_the_nearest_cent_half_up() -> None:
    """A New Tax System (Goods and Services Tax) Act 1999, section 9-90 (2) (b); the two items are
    of support.myhomefone.com.au, "Why GST on your invoice may be more than 10%"."""
    document = priced("AUD", items=lines("0.1", "1.04", "1.05"), sellers=PER_LINE)
    assert [item["tax_amount"] for item in document["items"]] == ["0.10", "0.11"]


def test_japanese_consumption_tax_is_rounded_once_for_each_rate() -> None:
    """National Tax Agency, Q&A on the qualified invoice system: one rounding a rate and invoice."""
    items = [*lines("0.08", "83", "83", "83"), *lines("0.10", "57", "57", "57")]
    document = priced("JPY", items=items)
    assert groups(document) == [("0.08", "249", "20"), ("0.10", "171", "17")]


def test_of_equal_remainders_of_tax_that_prices_hold_the_first_line_gets_the_cent() -> None:
    """At 20% the lines hold 0.16666... and 1.66666..., and 1.83 together."""
    document = priced(items=lines("0.2", "1.00", "10.00"), tax_inclusive=True)
    assert [item["tax_amount"] for item in document["items"]] == ["0.17", "1.66"]


def mismatches(**fields: Any) -> list[str]:
    """The paths of the given taxes that a draft with these fields is refused for."""
    rejection = Desk().refuse("CreateInvoice", **data(**fields))
    assert rejection.code == "tax_mismatch"
    return [error.field for error in rejection.errors]


def taxed(amount: str, rate: str | None, tax: str) -> dict[str, Any]:
    given = {"amount": tax} if rate is None else {"rate": rate, "amount": tax}
    return {"amount": amount, "tax": given}


@pytest.mark.parametrize(
    ("amount", "tax"),
    [
        # 1 % of 100.00 is 1.00; of 1.00 it is less than five cents.
        ("100.00", "19.00"), ("100.00", "21.00"), ("1.00", "0.15"), ("1.00", "0.25"),
        ("-100.00", "-21.00"), ("0.20", "0.00"), ("-0.20", "0.00"),
    ],
)  # fmt: skip
def test_a_given_tax_near_net_times_rate_is_used_as_it_is(amount: str, tax: str) -> None:
    assert priced(items=[taxed(amount, "0.2", tax)])["total_tax"] == tax


@pytest.mark.parametrize(
    ("amount", "tax"),
    [
        ("100.00", "18.99"), ("100.00", "21.01"), ("1.00", "0.14"), ("1.00", "0.26"),
        ("-100.00", "-21.01"), ("-100.00", "20.00"), ("0.01", "-0.01"), ("-0.01", "0.01"),
    ],
)  # fmt: skip
def test_a_given_tax_of_another_sign_or_too_far_from_net_times_rate_is_refused(
    amount: str, tax: str
) -> None:
    assert mismatches(items=[taxed(amount, "0.2", tax)]) == ["items.0.tax.amount"]


def test_the_net_that_a_given_tax_is_compared_with_is_after_discounts() -> None:
    halved = taxed("100.00", "0.2", "10.00") | {"discount": {"percent_off": "50"}}
    assert priced(items=[halved])["total"] == "60.00"
    assert mismatches(items=[halved], discount={"amount_off": "25.00"}) == ["items.0.tax.amount"]


def test_the_net_that_a_given_tax_is_compared_with_is_without_the_tax_in_the_price() -> None:
    assert priced(items=[taxed("120.00", "0.2", "20.00")], tax_inclusive=True)["total"] == "120.00"
    # 22.50 is as far as one may go from a net of 97.50, and 24.00 is 20 % of the price itself.
    assert mismatches(items=[taxed("120.00", "0.2", "24.00")], tax_inclusive=True)
    assert mismatches(items=[taxed("20.00", "0.2", "20.00")], tax_inclusive=True)


def test_every_given_tax_that_does_not_fit_is_named() -> None:
    wrong = {"rate": "0.2", "amount": "9.00"}
    fees = [
        {"type": "a", "amount": "45.00", "tax": wrong},
        {"type": "b", "amount": "1.00", "tax": wrong},
    ]
    assert mismatches(
        items=[{"amount": "1.00"}, {"amount": "1.00", "tax": wrong, "fees": fees}],
        shipping={"amount": "5.00", "tax": wrong},
    ) == ["items.1.tax.amount", "items.1.fees.1.tax.amount", "shipping.tax.amount"]


def test_without_a_rate_a_given_tax_of_the_nets_sign_is_used_as_it_is() -> None:
    assert priced(items=[taxed("100.00", None, "55.00")])["total"] == "155.00"
    assert priced(items=[taxed("100.00", None, "0.00")])["total"] == "100.00"
    assert priced(items=[taxed("-100.00", None, "-155.00")])["total"] == "-255.00"


@pytest.mark.parametrize(("amount", "tax"), [("100.00", "-50.00"), ("-100.00", "50.00")])
@pytest.mark.parametrize("tax_inclusive", [False, True])
def test_without_a_rate_a_given_tax_of_another_sign_than_its_net_is_refused(
    amount: str, tax: str, tax_inclusive: bool
) -> None:
    items = [taxed(amount, None, tax)]
    assert mismatches(items=items, tax_inclusive=tax_inclusive) == ["items.0.tax.amount"]


@pytest.mark.parametrize(("amount", "tax"), [("100.00", "900.00"), ("-100.00", "-100.01")])
def test_without_a_rate_a_price_holds_at_most_itself_in_tax(amount: str, tax: str) -> None:
    items = [taxed(amount, None, tax)]
    assert mismatches(items=items, tax_inclusive=True) == ["items.0.tax.amount"]


@pytest.mark.parametrize("tax", ["55.00", "100.00"])
def test_without_a_rate_a_tax_of_up_to_the_price_is_used_as_it_is(tax: str) -> None:
    document = priced(items=[taxed("100.00", None, tax)], tax_inclusive=True)
    assert (document["total"], document["total_tax"]) == ("100.00", tax)


@pytest.mark.parametrize("rate", ["0.2", None])
@pytest.mark.parametrize("tax_inclusive", [False, True])
def test_on_a_net_of_0_a_given_tax_counts_as_0(rate: str | None, tax_inclusive: bool) -> None:
    free = taxed("100.00", rate, "20.00") | {"discount": {"percent_off": "100"}}
    document = priced(items=[free], tax_inclusive=tax_inclusive)
    assert (document["total_tax"], document["total"]) == ("0.00", "0.00")


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"memo": "Thank you"}, []),
        ({"due_date": "2026-12-24"}, []),
        ({"bill_to": {"name": "Ada"}}, []),
        ({"shipping": None}, []),
        ({"discount": {"percent_off": "1"}}, ["items.0.tax.amount"]),
        ({"tax_inclusive": True}, ["items.0.tax.amount", "shipping.tax.amount"]),
    ],
)
def test_a_stored_tax_is_looked_at_only_where_a_command_sets_its_net(
    fields: dict[str, Any], paths: list[str]
) -> None:
    invoice = draft(
        items=[taxed("45.00", "0.2", "9.00")], shipping=taxed("45.00", "0.2", "9.00")
    ).current
    wrong = LazyDocument(invoice.lazy_document.json_text.replace('"0.2"', '"0.5"'))
    of_an_earlier_release = invoice.copy_with(lazy_document=wrong)
    command = read_data("UpdateInvoice", fields)
    assert isinstance(command, UpdateInvoice)
    changed = changed_document(
        of_an_earlier_release, command, Seller(id="default"), MORNING.date(), MORNING
    )
    errors = changed.errors if isinstance(changed, Rejection) else ()
    assert [error.field for error in errors] == paths
