"""Where a lane goes on, and when it must not."""

import pytest

from invoicing.store.errors import DatabaseBehindError
from invoicing.worker.offsets import KafkaBehindError, Offsets, check_all_lanes, resume_at

LANE = "commands-3"


@pytest.mark.parametrize(
    ("offsets", "offset"),
    [
        (Offsets(begin=0, end=0, committed=None, stored=0), 0),
        (Offsets(begin=5, end=9, committed=None, stored=0), 5),
        (
            Offsets(begin=0, end=9, committed=0, stored=4),
            0,
        ),  # a crash before the first publication
        (Offsets(begin=0, end=9, committed=4, stored=7), 4),  # a crash between the two commits
        (Offsets(begin=0, end=9, committed=9, stored=9), 9),
        (Offsets(begin=5, end=9, committed=2, stored=2), 5),  # gone by age
    ],
)
def test_a_lane_goes_on_at_what_was_committed(offsets: Offsets, offset: int) -> None:
    assert resume_at(LANE, offsets) == offset


@pytest.mark.parametrize(
    ("offsets", "told"),
    [
        (Offsets(begin=0, end=9, committed=20, stored=20), "handled up to 20.*ends at 9"),
        (Offsets(begin=0, end=9, committed=None, stored=20), "handled up to 20.*ends at 9"),
        (Offsets(begin=0, end=9, committed=7, stored=20), "handled up to 20.*ends at 9"),
        (Offsets(begin=0, end=9, committed=None, stored=4), "the group's offset is gone"),
    ],
)
def test_a_kafka_that_lost_something_stops_the_lane(offsets: Offsets, told: str) -> None:
    with pytest.raises(KafkaBehindError, match=told):
        resume_at(LANE, offsets)


def test_a_database_that_lost_something_stops_the_lane() -> None:
    with pytest.raises(DatabaseBehindError, match="knows only of what stands below 4"):
        resume_at(LANE, Offsets(begin=0, end=9, committed=7, stored=4))


def test_a_database_that_lost_something_of_one_lane_stops_all() -> None:
    check_all_lanes("commands", {}, {0: 7, 1: 3}, {0: 7, 1: 4, 2: 9})

    with pytest.raises(DatabaseBehindError, match="commands-1"):
        check_all_lanes("commands", {0: 7}, {0: 7, 1: 3}, {0: 7})


def test_a_group_without_an_offset_in_one_lane_stops_all() -> None:
    # The second lane was opened first by another worker, after the committed offsets were read.
    check_all_lanes("commands", {0: 7, 1: 0}, {0: 7}, {0: 7, 1: 4})

    with pytest.raises(KafkaBehindError, match=r"commands-1.*INVOICING_CONSUMER_GROUP first"):
        check_all_lanes("commands", {0: 7, 1: 4}, {0: 7}, {0: 7, 1: 4})
