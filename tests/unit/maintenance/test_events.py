"""One invoice's stored events against its published ones."""

from collections.abc import Sequence

import pytest

from invoicing.maintenance.verify.events import PublishedDigest, StoredDigest, check_events
from invoicing.maintenance.verify.findings import FindingKind
from invoicing.store.rows import Position

PARTITION = 1


def stored(version: int, *, committed: bool = True, retained: bool = True) -> StoredDigest:
    return StoredDigest(version, b"%d" % version, committed, retained, True, PARTITION)


def published(version: int, offset: int, partition: int = PARTITION) -> PublishedDigest:
    position = Position("events", partition, offset)
    return PublishedDigest(version, b"%d" % version, position, True)


def check(
    events: Sequence[StoredDigest], copies: Sequence[PublishedDigest], *, once: bool = True
) -> list[FindingKind]:
    return [one.kind for one in check_events("inv_1", events, copies, PARTITION, once=once)]


def test_events_that_were_each_published_once_in_order_have_no_findings() -> None:
    assert check([stored(1), stored(2)], [published(1, 0), published(2, 1)]) == []


@pytest.mark.parametrize(
    ("committed", "retained", "kinds"),
    [
        (True, True, [FindingKind.EVENT_MISSING]),
        (False, True, []),
        (True, False, []),
    ],
)
def test_an_event_is_missing_unless_it_is_in_flight_or_lost_to_retention(
    committed: bool, retained: bool, kinds: list[FindingKind]
) -> None:
    assert check([stored(1, committed=committed, retained=retained)], []) == kinds


@pytest.mark.parametrize(
    ("committed", "retained", "copy"),
    [
        # Retention removes the start of a log, never what follows a retained event.
        (True, False, published(1, 0)),
        # A lane publishes in order: what precedes a published event is published.
        (False, True, published(3, 0)),
    ],
)
def test_an_event_between_published_ones_is_missing_whatever_its_age(
    committed: bool, retained: bool, copy: PublishedDigest
) -> None:
    events = [stored(copy.version), stored(2, committed=committed, retained=retained)]

    assert check(sorted(events, key=lambda e: e.version), [copy]) == [FindingKind.EVENT_MISSING]


def test_a_repeat_is_a_finding_only_where_events_are_published_once() -> None:
    copies = [published(1, 0), published(1, 1)]

    assert check([stored(1)], copies) == [FindingKind.EVENT_REPEATED]
    assert check([stored(1)], copies, once=False) == []


def test_order_is_checked_within_a_partition_only() -> None:
    events = [stored(1), stored(2)]

    assert check(events, [published(1, 5), published(2, 4)]) == [FindingKind.EVENTS_OUT_OF_ORDER]
    moved = [stored(1), StoredDigest(2, b"2", True, True, True, 0)]
    assert check(moved, [published(1, 5), published(2, 4, partition=0)]) == []


def test_an_event_in_a_partition_that_never_was_its_invoices_is_misplaced() -> None:
    assert check([stored(1)], [published(1, 0, partition=2)]) == [FindingKind.EVENT_MISPLACED]


def test_an_event_that_is_not_stored_is_unknown() -> None:
    assert check([stored(1)], [published(1, 0), published(2, 1)]) == [FindingKind.EVENT_UNKNOWN]
