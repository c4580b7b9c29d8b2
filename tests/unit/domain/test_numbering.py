"""Series and formats of numbers."""

from typing import Any

import pytest

from invoicing.domain.numbering import NumberSeries, format_number, sequence_of
from invoicing.domain.sellers import Sellers, read_sellers
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
    ("kind", "number"), [("invoice", "INV-000001"), ("credit_note", "CN-000001")]
)
def test_a_number_where_no_format_is_set(kind: Any, number: str) -> None:
    assert format_number(NumberSeries("plain", kind, ""), 1, SELLERS) == number
