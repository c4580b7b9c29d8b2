"""What a recovery of Kafka publishes again, and where each lane continues."""

from collections.abc import Iterator

import pytest
from aiokafka import TopicPartition

from invoicing.maintenance.recover.kafka import Missing, left_to_lanes, next_offsets
from invoicing.maintenance.topics import EVERYTHING, HighWatermarks, RetainedRange
from invoicing.maintenance.verify.kafka_side import RetainedRanges
from invoicing.maintenance.verify.spill import Spill, spilling

LANE = TopicPartition("commands", 0)
STORED_AT = 1_795_000_000.0


@pytest.fixture
def spill() -> Iterator[Spill]:
    with spilling() as spill:
        yield spill


def store(spill: Spill, id_: str, offset: int, version: int) -> None:
    """A command at this offset of its lane that led to one event of inv_1."""
    spill.add("stored_events", [("inv_1", version, b"event", "/", id_, STORED_AT)])
    reply = ("/", id_, "inv_1", b"body", b"reply", version, version, 0, offset, STORED_AT)
    spill.add("stored_replies", [reply])


def send(spill: Spill, id_: str | None, offset: int, *, is_routed: bool = True) -> None:
    """A record of a command; without an id, an unreadable one."""
    source, invoice_id = ("/", "inv_1") if id_ else (None, None)
    digest = (id_ or "broken").encode()
    spill.add("records", [(source, id_, invoice_id, b"body", digest, is_routed, 0, offset)])


def watermarks(end: int, committed: int | None) -> HighWatermarks:
    return HighWatermarks({} if committed is None else {0: committed}, {LANE: end})


def missing(spill: Spill, marks: HighWatermarks, retained: RetainedRange) -> Missing:
    ranges = RetainedRanges(retained, retained, retained, retained)
    return Missing(spill, ranges, left_to_lanes(spill, marks), None)


def test_what_is_stored_and_not_published_is_missing(spill: Spill) -> None:
    store(spill, "a", 0, version=1)
    store(spill, "b", 1, version=2)
    spill.add("published_events", [("inv_1", 1, b"event", True, 0, 0)])
    spill.add("published_replies", [("/", "a", "inv_1", None, b"reply", 0, 0)])
    spill.index()

    found = missing(spill, watermarks(2, committed=2), RetainedRange())

    assert list(found.events()) == [("inv_1", 2)]
    assert list(found.replies()) == [("/", "b")]


def test_what_a_lane_will_publish_itself_is_not_missing(spill: Spill) -> None:
    store(spill, "a", 3, version=1)
    send(spill, "a", 3)
    spill.index()

    found = missing(spill, watermarks(4, committed=3), RetainedRange())

    assert (list(found.events()), list(found.replies())) == ([], [])


def test_what_a_lane_would_publish_is_missing_if_its_record_is_gone(spill: Spill) -> None:
    store(spill, "a", 3, version=1)
    spill.index()

    found = missing(spill, watermarks(4, committed=3), RetainedRange())

    assert (list(found.events()), list(found.replies())) == ([("inv_1", 1)], [("/", "a")])


def test_what_retention_has_removed_is_not_missing(spill: Spill) -> None:
    store(spill, "a", 0, version=1)
    spill.index()

    found = missing(spill, watermarks(1, committed=1), RetainedRange(lost_until={0: EVERYTHING}))

    assert (list(found.events()), list(found.replies())) == ([], [])


@pytest.mark.parametrize(("committed", "expected"), [(None, 4), (4, 4), (2, 2)])
def test_a_lane_without_unhandled_records_continues_at_its_offset_or_end(
    spill: Spill, committed: int | None, expected: int
) -> None:
    store(spill, "a", 3, version=1)
    send(spill, "a", 3)
    spill.index()

    assert next_offsets("commands", spill, watermarks(4, committed)) == {0: expected}


def test_a_lane_continues_at_its_first_record_without_a_reply_or_dead_letter(spill: Spill) -> None:
    send(spill, None, 1)
    spill.add("dead_letters", [(0, 1, b"broken", 0, 0)])
    send(spill, "b", 2)
    send(spill, "c", 3)
    spill.index()

    assert next_offsets("commands", spill, watermarks(4, committed=4)) == {0: 2}


def test_a_forwarded_record_is_handled(spill: Spill) -> None:
    send(spill, "b", 1, is_routed=False)
    spill.add("records", [("/", "b", "inv_1", b"body", b"b", True, 1, 7)])
    spill.index()
    both = HighWatermarks({0: 4, 1: 9}, {LANE: 4, TopicPartition("commands", 1): 9})

    assert next_offsets("commands", spill, both) == {0: 4, 1: 7}
