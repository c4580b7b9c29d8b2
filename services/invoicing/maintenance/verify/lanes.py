"""The lanes: what Kafka and Postgres say of how far each has come."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from invoicing.maintenance.topics import HighWatermarks
from invoicing.maintenance.verify.findings import Finding, FindingKind


@dataclass(frozen=True, slots=True)
class LanesSeen:
    """The database's marks by partition: `before` Kafka was asked, and `after`.

    Beside workers both go on: what was stored before must lie in a log that is looked at later,
    and what Kafka was told before must be in marks that are looked at later.
    """

    before: Mapping[int, int]
    after: Mapping[int, int]


def check_lanes(topic: str, seen: LanesSeen, watermarks: HighWatermarks) -> Iterator[Finding]:
    """All lanes of the commands topic."""
    for lane in sorted(place for place in watermarks.ends if place.topic == topic):
        name, end = f"{topic}-{lane.partition}", watermarks.ends[lane]
        committed = watermarks.committed.get(lane.partition)
        before, after = (marks.get(lane.partition, 0) for marks in (seen.before, seen.after))
        handled = max(before, committed or 0)
        if handled > end:
            said = f"{name} holds what was handled, up to {handled}"
            yield Finding(FindingKind.LOG_TOO_SHORT, None, said, f"it ends at {end}")
        if before and committed is None:
            said = f"the group's offset of {name}, handled up to {before}"
            yield Finding(FindingKind.OFFSET_GONE, None, said, "none")
        if (committed or 0) > after:
            said = f"{name} is stored up to {committed}, as Kafka was told"
            yield Finding(FindingKind.LANE_FORGOTTEN, None, said, f"stored up to {after}")
