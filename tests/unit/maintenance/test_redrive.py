"""What is remembered of the dead letters that were sent back."""

from hypothesis import given
from hypothesis import strategies as st

from invoicing.maintenance.redrive import Choice, DeadLetterRecord, Gone, gone_of, redriven_headers

LETTERS = st.lists(st.integers(0, 300), unique=True, max_size=60).map(sorted)


def letter(*headers: tuple[str, bytes | None], offset: int = 7) -> DeadLetterRecord:
    return DeadLetterRecord(3, offset, b"inv_1", b"value", headers)


@given(LETTERS, st.data())
def test_what_went_back_is_known_again_letter_by_letter(
    letters: list[int], data: st.DataObject
) -> None:
    gone = data.draw(st.sets(st.sampled_from(letters)) if letters else st.just(set()))

    made = gone_of(letters, gone)

    committed = Gone.parse(made.offset, made.metadata)
    assert {offset for offset in letters if committed.holds(offset)} == gone


@given(LETTERS, st.integers(301, 999))
def test_a_letter_that_comes_later_has_not_gone(letters: list[int], later: int) -> None:
    assert not gone_of(letters, letters).holds(later)


@given(LETTERS)
def test_all_of_a_partition_is_one_offset(letters: list[int]) -> None:
    assert gone_of(letters, letters).metadata == ""


def test_a_letter_goes_back_with_its_own_headers_and_where_it_failed() -> None:
    failed = letter(("traceparent", b"00"), ("dl_reason", b"not_json"), ("dl_offset", b"5"))

    assert redriven_headers(failed) == [
        ("traceparent", b"00"),
        ("dl_first_reason", b"not_json"),
        ("dl_first_offset", b"5"),
        ("dl_redriven_from", b"3@7"),
    ]


def test_a_letter_that_failed_again_still_tells_where_it_failed_first() -> None:
    first = redriven_headers(letter(("dl_reason", b"processing_failed"), ("dl_offset", b"5")))

    again = letter(*first, ("dl_reason", b"not_json"), ("dl_offset", b"9"), offset=8)

    assert redriven_headers(again) == [
        ("dl_first_reason", b"processing_failed"),
        ("dl_first_offset", b"5"),
        ("dl_redriven_from", b"3@8"),
    ]
    assert again.reason == "not_json"


def test_a_letter_without_a_readable_time_fits_no_time() -> None:
    since = letter(("dl_failed_at", b"2026-11-20T10:00:00Z")).failed_at

    assert not Choice(since=since).fits(letter(("dl_failed_at", b"yesterday")))
    assert Choice().fits(letter())


def test_an_instant_belongs_to_what_begins_with_it() -> None:
    failed = letter(("dl_failed_at", b"2026-11-20T10:00:00Z"))

    assert Choice(since=failed.failed_at).fits(failed)
    assert not Choice(until=failed.failed_at).fits(failed)
