"""Numbers of invoices and credit notes: their series and their format.

Documents without real money (`live_mode` false) have series of their own, so that they take no
number of the live ones.

The next number of a series is known only while its row in Postgres is locked, so a decision
requests one and writes a placeholder in its place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from invoicing.domain.sellers import NumberFormat, Seller, Sellers

DocumentKind = Literal["invoice", "credit_note"]
NumberKind = Literal["invoice", "credit_note", "test_invoice", "test_credit_note"]

TEST_PREFIX: Final = "TEST-"
_TEST_KINDS: Final[Mapping[DocumentKind, NumberKind]] = {
    "invoice": "test_invoice",
    "credit_note": "test_credit_note",
}


@dataclass(frozen=True, slots=True)
class NumberSeries:
    """A sequence 1, 2, 3, ... of its own. `period` is the year, empty if it never restarts."""

    seller_id: str
    kind: NumberKind
    period: str


@dataclass(frozen=True, slots=True)
class NumberRequest:
    """A request to replace a placeholder by the next number of a series."""

    series: NumberSeries
    placeholder: str


def series_for(seller: Seller, kind: DocumentKind, day: date, *, live_mode: bool) -> NumberSeries:
    """Return the series of a document of this day."""
    return _series(seller, kind if live_mode else _TEST_KINDS[kind], day)


def series_of_number(
    seller: Seller, kind: DocumentKind, day: date, number: str, *, live_mode: bool
) -> NumberSeries:
    """Return the series that gave the number to a document of this day."""
    return _series(seller, kind_of_number(kind, number, live_mode=live_mode), day)


def kind_of_number(kind: DocumentKind, number: str, *, live_mode: bool) -> NumberKind:
    """Return the kind of the series that gave the number.

    The first releases took the numbers of test documents from the live series. These numbers
    stay, and do not begin as those of test series do.
    """
    is_of_test_series = not live_mode and number.startswith(TEST_PREFIX)
    return _TEST_KINDS[kind] if is_of_test_series else kind


def _series(seller: Seller, kind: NumberKind, day: date) -> NumberSeries:
    period = f"{day.year:04}" if _format(seller, kind).yearly else ""
    return NumberSeries(seller.id, kind, period)


def format_number(series: NumberSeries, sequence: int, sellers: Sellers) -> str:
    """Format a number: 1 to 64 of `A-Z a-z 0-9 _ - / .`, so that JSON needs no escapes.

    LookupError if the seller is not configured.
    """
    number_format = _format_of(series, sellers)
    return f"{_prefix(series, number_format)}{sequence:0{number_format.padding}}"


def sequence_of(series: NumberSeries, number: str, sellers: Sellers) -> int | None:
    """Parse a number; None if it does not have the seller's present format.

    LookupError if the seller is not configured.
    """
    digits = number.removeprefix(_prefix(series, _format_of(series, sellers)))
    if not (digits.isascii() and digits.isdigit()):
        return None
    return int(digits) if format_number(series, int(digits), sellers) == number else None


def _format_of(series: NumberSeries, sellers: Sellers) -> NumberFormat:
    seller = sellers.find(series.seller_id)
    if seller is None:
        raise LookupError(f"Seller {series.seller_id!r} is no longer configured.")
    return _format(seller, series.kind)


def _prefix(series: NumberSeries, number_format: NumberFormat) -> str:
    year = f"{series.period}-" if series.period else ""
    test = TEST_PREFIX if series.kind in _TEST_KINDS.values() else ""
    return f"{test}{number_format.prefix}{year}"


def _format(seller: Seller, kind: NumberKind) -> NumberFormat:
    if kind in ("invoice", "test_invoice"):
        return seller.invoice_numbers
    return seller.credit_note_numbers
