"""The database's checkpoints against Kafka's offsets."""

import pytest
from aiokafka import TopicPartition

from invoicing.maintenance.topics import HighWatermarks
from invoicing.maintenance.verify.findings import FindingKind
from invoicing.maintenance.verify.verify import check_checkpoints


@pytest.mark.parametrize(
    ("before", "committed", "after", "kinds"),
    [
        (7, 7, 7, []),
        # A lane that has never handled anything.
        (0, None, 0, []),
        # Workers went on between the reads.
        (5, 7, 9, []),
        # Stored, and not published yet.
        (9, 7, 9, []),
        (7, None, 7, [FindingKind.OFFSET_GONE]),
        (3, 7, 3, [FindingKind.LANE_FORGOTTEN]),
        (11, 7, 11, [FindingKind.LOG_TOO_SHORT]),
        (11, 11, 11, [FindingKind.LOG_TOO_SHORT]),
    ],
)
def test_neither_side_is_behind_the_other(
    before: int, committed: int | None, after: int, kinds: list[FindingKind]
) -> None:
    watermarks = HighWatermarks(
        committed={} if committed is None else {0: committed},
        ends={TopicPartition("commands", 0): 10, TopicPartition("events", 0): 3},
    )

    findings = check_checkpoints("commands", {0: before}, {0: after}, watermarks)

    assert [finding.kind for finding in findings] == kinds
