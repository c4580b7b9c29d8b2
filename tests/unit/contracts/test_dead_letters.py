"""The headers of dead letters: written, read back, renamed by a redrive."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from invoicing.contracts.dead_letters import (
    DeadLetterHeaders,
    DeadLetterReason,
    dead_letter_headers,
    parse_dead_letter_headers,
    redrive_headers,
)

FAILED_AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
HEADERS = dead_letter_headers(
    reason=DeadLetterReason.NOT_JSON,
    message="The record is not JSON.",
    topic="invoices.commands",
    partition=3,
    offset=812,
    failed_at=FAILED_AT,
)


def test_what_is_written_is_read_back() -> None:
    read = parse_dead_letter_headers(HEADERS)

    assert read == DeadLetterHeaders(
        reason="not_json",
        message="The record is not JSON.",
        topic="invoices.commands",
        partition=3,
        offset=812,
        failed_at=FAILED_AT,
    )
    assert read.origin == "invoices.commands-3@812"


def test_a_producers_own_header_of_that_name_does_not_count() -> None:
    read = parse_dead_letter_headers([("dl_reason", b"made up"), *HEADERS])

    assert read.reason == "not_json"


@given(
    st.lists(
        st.tuples(
            st.sampled_from([name for name, _ in HEADERS]) | st.text(max_size=5),
            st.none() | st.binary(max_size=30) | st.just(b"9" * 5_000),
        )
    )
)
def test_reading_headers_never_raises(headers: list[tuple[str, bytes | None]]) -> None:
    assert isinstance(parse_dead_letter_headers(headers), DeadLetterHeaders)


def test_an_unreadable_position_is_none() -> None:
    read = parse_dead_letter_headers([("dl_partition", b"-1"), ("dl_offset", b"x")])

    assert (read.partition, read.offset, read.origin) == (None, None, "")


def test_a_redrive_keeps_the_records_headers_and_its_first_failure() -> None:
    failed = [("traceparent", b"00"), ("dl_reason", b"not_json"), ("dl_offset", b"5")]

    assert redrive_headers(failed, "3@7") == [
        ("traceparent", b"00"),
        ("dl_first_reason", b"not_json"),
        ("dl_first_offset", b"5"),
        ("dl_redriven_from", b"3@7"),
    ]


def test_a_record_that_fails_again_keeps_its_first_failure() -> None:
    first = redrive_headers([("dl_reason", b"processing_failed"), ("dl_offset", b"5")], "3@7")

    again = [*first, ("dl_reason", b"not_json"), ("dl_offset", b"9")]

    assert redrive_headers(again, "3@8") == [
        ("dl_first_reason", b"processing_failed"),
        ("dl_first_offset", b"5"),
        ("dl_redriven_from", b"3@8"),
    ]
    assert parse_dead_letter_headers(again).reason == "not_json"
