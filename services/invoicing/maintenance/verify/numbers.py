"""Check the numbers of one seller and kind: each given once, none skipped.

The format is the seller's setting and may have changed, so all that is assumed is that a number
ends in its digits. Numbers with the same prefix and length must be consecutive, and there must be
as many numbers as the series has given.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from invoicing.maintenance.verify.findings import Finding, FindingKind

_NUMBER: Final = re.compile(r"(.*?)([0-9]*)", re.ASCII | re.DOTALL)
# At most so many numbers of a gap are named: a wrong leading digit makes a gap of millions.
_NAMED_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class GivenNumber:
    """A document's number."""

    text: str
    invoice_id: str

    @property
    def parts(self) -> tuple[str, int, int]:
        """Prefix, count of digits and their value: numbers are checked in this order."""
        match = _NUMBER.fullmatch(self.text)
        assert match is not None
        return match[1], len(match[2]), int(match[2] or 0)


class SeriesCheck:
    """Checks the numbers of one seller and kind, taken in the order of their `parts`."""

    def __init__(self, seller_id: str, kind: str, counted: int) -> None:
        """`counted`: how many numbers its series have given, by number_series."""
        self._name = f"{kind} numbers of seller {seller_id}"
        self._counted = counted
        self._given = 0
        self._last: GivenNumber | None = None

    def take(self, number: GivenNumber) -> Iterator[Finding]:
        """Check the next number against the one before it."""
        last, self._last = self._last, number
        if last is not None and last.text == number.text:
            yield Finding(
                FindingKind.NUMBER_REPEATED,
                number.invoice_id,
                f"{self._name}: {number.text} once",
                f"also on {last.invoice_id}",
            )
            return
        self._given += 1
        if last is None or number.parts[:2] != last.parts[:2]:
            return
        prefix, digits, before = last.parts
        assert number.parts[2] >= before, "the numbers of a series must be taken in order"
        if missing := range(before + 1, number.parts[2]):
            named: Sequence[int] = missing[:_NAMED_MAX]
            yield Finding(
                FindingKind.NUMBER_SKIPPED,
                None,
                f"{self._name}: " + ", ".join(f"{prefix}{n:0{digits}}" for n in named),
                f"{len(missing)} missing between {last.text} on {last.invoice_id}"
                f" and {number.text} on {number.invoice_id}",
            )

    def end(self) -> Iterator[Finding]:
        """After the last number: compare how many there were with the series' own count."""
        if self._given != self._counted:
            is_short = self._given < self._counted
            yield Finding(
                FindingKind.NUMBER_SKIPPED if is_short else FindingKind.NUMBER_REPEATED,
                None,
                f"{self._name}: {self._counted}, as number_series counts",
                f"{self._given} on documents",
            )
