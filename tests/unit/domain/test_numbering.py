"""A number's place in its series, read back from how it is written."""

import pytest

from invoicing.domain.numbering import NumberSeries, format_number, sequence_of
from invoicing.domain.sellers import Sellers, read_sellers

SELLERS: Sellers = read_sellers(
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
    assert sequence_of(series, format_number(series, sequence, SELLERS), SELLERS) == sequence


@pytest.mark.parametrize(
    "number", ["", "0001", "A12026-1", "A12025-0001", "A12026-٠٠٠١", "INV-000001"]
)
def test_a_number_of_another_format_has_no_place(number: str) -> None:
    assert sequence_of(NumberSeries("yearly", "invoice", "2026"), number, SELLERS) is None
