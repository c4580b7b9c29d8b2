"""The numbers of one seller and kind: each given once, none skipped.

How a number is written is the seller's setting and may have changed, so nothing is assumed of it
but that it ends in its digits: among numbers of one prefix and length these must follow on one
another, and all together must be as many as the series has given.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from invoicing.maintenance.verify.findings import Finding, FindingKind

_NUMBER: Final = re.compile(r"(.*?)([0-9]*)", re.ASCII | re.DOTALL)
# One gap's numbers are named up to here: a wrong digit in front would make millions of them.
_NAMED_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class GivenNumber:
    """A number that a document was given."""

    text: str
    invoice_id: str

    @property
    def parts(self) -> tuple[str, int, int]:
        """Prefix, count of digits, and the digits' value: the order to check numbers in."""
        match = _NUMBER.fullmatch(self.text)
        assert match is not None
        return match[1], len(match[2]), int(match[2] or 0)


class SeriesCheck:
    """Takes the numbers of one seller and kind, in the order of their `parts`."""

    def __init__(self, seller_id: str, kind: str, counted: int) -> None:
        """`counted`: how many numbers its series have given, by their own count."""
        self._name = f"{kind} numbers of seller {seller_id}"
        self._counted = counted
        self._given = 0
        self._last: GivenNumber | None = None

    def take(self, number: GivenNumber) -> Iterator[Finding]:
        """The next number."""
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
        if last is not None and number.parts[:2] == last.parts[:2]:
            yield from self._check_gap(last, number)

    def _check_gap(self, last: GivenNumber, number: GivenNumber) -> Iterator[Finding]:
        (prefix, digits, before), (_, _, value) = last.parts, number.parts
        if missing := range(before + 1, value):
            named: Sequence[int] = missing[:_NAMED_MAX]
            yield Finding(
                FindingKind.NUMBER_SKIPPED,
                None,
                f"{self._name}: " + ", ".join(f"{prefix}{n:0{digits}}" for n in named),
                f"{len(missing)} missing between {last.text} on {last.invoice_id}"
                f" and {number.text} on {number.invoice_id}",
            )

    def end(self) -> Iterator[Finding]:
        """After the last number: were there as many as counted?"""
        if self._given != self._counted:
            kind = FindingKind.NUMBER_SKIPPED
            if self._given > self._counted:
                kind = FindingKind.NUMBER_REPEATED
            yield Finding(
                kind,
                None,
                f"{self._name}: {self._counted}, as number_series counts",
                f"{self._given} on documents",
            )
