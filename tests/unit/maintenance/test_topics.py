"""What a topic still retains."""

from datetime import UTC, datetime, timedelta

import pytest

from invoicing.maintenance.topics import CLOCK_SKEW_MAX, EVERYTHING, RetainedRange

LOST_UNTIL = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
RETAINED = RetainedRange(lost_until={1: LOST_UNTIL, 2: EVERYTHING})


@pytest.mark.parametrize(
    ("partition", "later_by", "covered"),
    [
        # Nothing was lost there, or the partition is unknown.
        (0, timedelta(days=-9), True),
        (None, timedelta(days=-9), True),
        (1, timedelta(0), False),
        (1, CLOCK_SKEW_MAX, False),
        (1, CLOCK_SKEW_MAX + timedelta(seconds=1), True),
        (2, timedelta(days=9), False),
    ],
)
def test_a_topic_covers_what_is_younger_than_its_losses_by_more_than_the_clocks_differ(
    partition: int | None, later_by: timedelta, covered: bool
) -> None:
    recorded_at = (LOST_UNTIL + later_by).timestamp()

    assert RETAINED.covers(partition, recorded_at) is covered
