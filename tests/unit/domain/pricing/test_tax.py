"""Tax of published invoices and of our own; tests/property/test_arithmetic.py has any other."""

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
