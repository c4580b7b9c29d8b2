"""Series and formats of numbers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.domain.numbering import NumberSeries, format_number, kind_of_number, sequence_of
from invoicing.domain.sellers import NumberFormat, Seller, Sellers, read_sellers
from tests.support.domain.drafts import SELLERS, draft

FORMATS: Sellers = read_sellers(
    """
    [sellers.plain]
    [sellers.yearly]
    invoice_numbers = { prefix = "A1", padding = 4, yearly = true }
    [sellers.digits]
    invoice_numbers = { prefix = "A1", padding = 4 }
    """
)


@pytest.mark.parametrize("sequence", [1, 42, 9_999, 1_234_567])
@pytest.mark.parametrize(
    "series",
    [
        NumberSeries("plain", "invoice", ""),
        NumberSeries("plain", "credit_note", ""),
        NumberSeries("yearly", "invoice", "2026"),
        NumberSeries("digits", "invoice", ""),
        NumberSeries("plain", "test_invoice", ""),
        NumberSeries("yearly", "test_invoice", "2026"),
        NumberSeries("plain", "test_credit_note", ""),
    ],
    ids=str,
)
def test_a_number_tells_its_place(series: NumberSeries, sequence: int) -> None:
    assert sequence_of(series, format_number(series, sequence, FORMATS), FORMATS) == sequence


@pytest.mark.parametrize(
    "number", ["", "0001", "A12026-1", "A12025-0001", "A12026-٠٠٠١", "INV-000001"]
)
def test_a_number_of_another_format_has_no_place(number: str) -> None:
    assert sequence_of(NumberSeries("yearly", "invoice", "2026"), number, FORMATS) is None


def test_a_yearly_number_shows_the_year_of_the_document() -> None:
    desk = draft(SELLERS, seller_id="acme", document_date="2025-12-31")
    desk.accept("OpenInvoice")
    (request,) = desk.numbers
    assert request.series == NumberSeries("acme", "invoice", "2025")
    assert format_number(request.series, 7, SELLERS) == "AC-2025-0007"


def test_a_number_without_a_year_counts_on_for_ever() -> None:
    series = NumberSeries("acme", "credit_note", "")
    assert format_number(series, 1_234_567, SELLERS) == "AC-CN-1234567"


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("invoice", "INV-000001"),
        ("credit_note", "CN-000001"),
        ("test_invoice", "TEST-INV-000001"),
        ("test_credit_note", "TEST-CN-000001"),
    ],
)
def test_a_number_where_no_format_is_set(kind: Any, number: str) -> None:
    assert format_number(NumberSeries("plain", kind, ""), 1, SELLERS) == number


def test_a_test_invoice_takes_no_number_of_the_live_ones() -> None:
    desk = draft(SELLERS, seller_id="acme", document_date="2025-12-31", live_mode=False)
    desk.accept("OpenInvoice")
    desk.accept("IssueCreditNote", credit_note_id="cn_1", amount="1.00")
    invoice, note = [request.series for request in desk.numbers]
    assert invoice == NumberSeries("acme", "test_invoice", "2025")
    assert format_number(invoice, 7, SELLERS) == "TEST-AC-2025-0007"
    assert note == NumberSeries("acme", "test_credit_note", "")


@pytest.mark.parametrize(
    ("number", "live_mode", "kind"),
    [
        ("INV-000001", True, "invoice"),
        ("TEST-INV-000001", False, "test_invoice"),
        ("INV-000001", False, "invoice"),  # of a release that had no test series
        ("TEST-000001", True, "invoice"),  # of a seller with this prefix
    ],
)
def test_a_number_shows_its_series(number: str, live_mode: bool, kind: str) -> None:
    assert kind_of_number("invoice", number, live_mode=live_mode) == kind


@given(st.text("TES-A0", max_size=12), st.integers(1, 12), st.booleans(), st.integers(1, 10_000))
def test_no_test_number_is_a_live_number_of_the_same_seller(
    prefix: str, padding: int, yearly: bool, sequence: int
) -> None:
    numbers = NumberFormat(prefix=prefix, padding=padding, yearly=yearly)
    sellers = Sellers({"s": Seller(id="s", invoice_numbers=numbers)})
    period = "2026" if yearly else ""
    test = format_number(NumberSeries("s", "test_invoice", period), sequence, sellers)
    assert sequence_of(NumberSeries("s", "invoice", period), test, sellers) is None
