"""The recorded progress of redrives."""

from hypothesis import given
from hypothesis import strategies as st

from invoicing.maintenance.redrive import (
    DeadLetterFilter,
    DeadLetterRecord,
    RedriveProgress,
    redriven_offsets,
)

LETTERS = st.lists(st.integers(0, 300), unique=True, max_size=60).map(sorted)


def letter(*headers: tuple[str, bytes | None], offset: int = 7) -> DeadLetterRecord:
    return DeadLetterRecord(3, offset, b"inv_1", b"value", headers)


@given(LETTERS, st.data())
def test_progress_survives_encoding_letter_by_letter(
    letters: list[int], data: st.DataObject
) -> None:
    redriven = data.draw(st.sets(st.sampled_from(letters)) if letters else st.just(set()))

    made = redriven_offsets(letters, redriven)

    committed = RedriveProgress.parse(made.offset, made.encode_metadata())
    assert {offset for offset in letters if committed.includes(offset)} == redriven


@given(LETTERS, st.integers(301, 999))
def test_a_letter_that_comes_later_was_not_sent_back(letters: list[int], later: int) -> None:
    assert not redriven_offsets(letters, letters).includes(later)


@given(LETTERS)
def test_a_partition_sent_back_whole_is_one_offset(letters: list[int]) -> None:
    assert redriven_offsets(letters, letters).encode_metadata() == ""


def test_a_letter_without_a_readable_time_matches_no_time() -> None:
    since = letter(("dl_failed_at", b"2026-11-20T10:00:00Z")).failure.failed_at

    assert not DeadLetterFilter(since=since).matches(letter(("dl_failed_at", b"yesterday")))
    assert DeadLetterFilter().matches(letter())


def test_since_includes_its_instant_and_until_excludes_it() -> None:
    failed = letter(("dl_failed_at", b"2026-11-20T10:00:00Z"))

    assert DeadLetterFilter(since=failed.failure.failed_at).matches(failed)
    assert not DeadLetterFilter(until=failed.failure.failed_at).matches(failed)
