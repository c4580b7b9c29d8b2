"""A record's own time, and what is left of it when another lane gets the record."""

import pytest

from invoicing.store.rows import Position
from invoicing.worker.outgoing import Forward
from invoicing.worker.publisher import _forwarded
from invoicing.worker.records import Record


def record(timestamp_ms: int) -> Record:
    return Record(Position("commands", 3, 7), None, b"{}", (), timestamp_ms)


def test_a_record_is_of_the_time_that_its_producer_gave_it() -> None:
    assert str(record(1_782_864_000_001).timestamp) == "2026-07-01 00:00:00.001000+00:00"


@pytest.mark.parametrize("nothing", [-1, 0, 10**18])
def test_a_record_without_a_time_or_of_no_calendar_has_none(nothing: int) -> None:
    assert record(nothing).timestamp is None


@pytest.mark.parametrize(("given", "told"), [(1_782_864_000_001,) * 2, (-1, None), (0, None)])
def test_a_record_is_forwarded_with_its_time_if_it_has_one(given: int, told: int | None) -> None:
    message = _forwarded(Forward(record(given), "inv_1"), "commands", {"commands": 8})
    assert message.timestamp_ms == told
