"""Invoice and credit-note numbers: which series one is taken from, and how it is written.

The next number of a series is known only while its row in Postgres is locked. So a decision asks
for one and puts a placeholder where it will stand.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from invoicing.domain.sellers import NumberFormat, Seller, Sellers

NumberKind = Literal["invoice", "credit_note"]


@dataclass(frozen=True, slots=True)
class NumberSeries:
    """What counts 1, 2, 3, ... by itself. `period` is the year, empty where it never restarts."""

    seller_id: str
    kind: NumberKind
    period: str


@dataclass(frozen=True, slots=True)
class NumberRequest:
    """The next number of a series is wanted, where the placeholder stands."""

    series: NumberSeries
    placeholder: str


def series_for(seller: Seller, kind: NumberKind, day: date) -> NumberSeries:
    """The series that a document of this day takes its number from."""
    period = f"{day.year:04}" if _format(seller, kind).yearly else ""
    return NumberSeries(seller.id, kind, period)


def format_number(series: NumberSeries, sequence: int, sellers: Sellers) -> str:
    """A number as it is printed: 1 to 64 of `A-Z a-z 0-9 _ - / .`, so it is safe inside JSON."""
    written = _format_of(series, sellers)
    return f"{_heading(series, written)}{sequence:0{written.padding}}"


def sequence_of(series: NumberSeries, number: str, sellers: Sellers) -> int | None:
    """A number's place in its series; None where it is not written as its seller's are now."""
    digits = number.removeprefix(_heading(series, _format_of(series, sellers)))
    if not (digits.isascii() and digits.isdigit()):
        return None
    return int(digits) if format_number(series, int(digits), sellers) == number else None


def _format_of(series: NumberSeries, sellers: Sellers) -> NumberFormat:
    seller = sellers.find(series.seller_id)
    if seller is None:
        raise LookupError(f"Seller {series.seller_id!r} was taken off the list of sellers.")
    return _format(seller, series.kind)


def _heading(series: NumberSeries, written: NumberFormat) -> str:
    """What stands before the digits."""
    year = f"{series.period}-" if series.period else ""
    return f"{written.prefix}{year}"


def _format(seller: Seller, kind: NumberKind) -> NumberFormat:
    return seller.invoice_numbers if kind == "invoice" else seller.credit_note_numbers
