"""The numbers of one seller and kind: each given once, none skipped."""

import pytest

from invoicing.maintenance.verify.findings import Finding, FindingKind
from invoicing.maintenance.verify.numbers import GivenNumber, SeriesCheck


def check(counted: int, *numbers: str) -> list[Finding]:
    given = [GivenNumber(text, f"inv_{index}") for index, text in enumerate(numbers)]
    series = SeriesCheck("acme", "invoice", counted)
    taken = [
        finding
        for number in sorted(given, key=lambda number: number.parts)
        for finding in series.take(number)
    ]
    return [*taken, *series.end()]


def test_consecutive_numbers_that_are_all_counted_have_no_findings() -> None:
    assert check(3, "INV-002", "INV-003", "INV-001") == []


def test_a_format_that_changed_starts_its_own_sequence() -> None:
    assert check(4, "INV-9", "INV-10", "2027/001", "2027/002") == []


def test_a_gap_is_found_and_its_numbers_are_named() -> None:
    (finding,) = check(2, "INV-001", "INV-004")

    assert finding.kind is FindingKind.NUMBER_SKIPPED
    assert finding.expected.endswith("INV-002, INV-003")


def test_a_gap_of_millions_names_only_some_numbers() -> None:
    (finding,) = check(2, "INV-0000001", "INV-9000001")

    assert finding.expected.count("INV-") == 20
    assert finding.found.startswith("8999999 missing")


def test_a_number_on_two_documents_is_found() -> None:
    findings = check(2, "INV-001", "INV-001", "INV-002")

    assert [finding.kind for finding in findings] == [FindingKind.NUMBER_REPEATED]
    assert {findings[0].invoice_id, findings[0].found} == {"inv_1", "also on inv_0"}


@pytest.mark.parametrize(
    ("counted", "kind"), [(3, FindingKind.NUMBER_SKIPPED), (1, FindingKind.NUMBER_REPEATED)]
)
def test_a_series_that_counts_other_than_its_documents_is_found(
    counted: int, kind: FindingKind
) -> None:
    (finding,) = check(counted, "INV-001", "INV-002")

    assert (finding.kind, finding.found) == (kind, "2 on documents")


def test_numbers_out_of_order_are_a_defect_of_the_caller() -> None:
    series = SeriesCheck("acme", "invoice", 2)
    list(series.take(GivenNumber("INV-002", "inv_1")))

    with pytest.raises(AssertionError, match="in order"):
        list(series.take(GivenNumber("INV-001", "inv_2")))
