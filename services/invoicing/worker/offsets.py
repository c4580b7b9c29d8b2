"""Where a lane goes on, by what Kafka and Postgres know of it; or which of them has lost something.

Postgres notes how far a lane has come before Kafka is told. So it is never behind Kafka's offset,
and never ahead of the log's end, unless one of them was restored, made anew, or has lost its last.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from invoicing.store.errors import DatabaseBehindError

log = structlog.get_logger()


class KafkaBehindError(Exception):
    """Kafka knows less than Postgres. To go on would repeat events, or pass commands by."""


@dataclass(frozen=True, slots=True)
class LaneMarks:
    """What is known of a lane: its log from `begin` to `end`, and how far it was handled.

    `committed` is Kafka's word, None where the group has none; `stored` is Postgres's.
    """

    begin: int
    end: int
    committed: int | None
    stored: int


def resume_at(lane: str, marks: LaneMarks) -> int:
    """The offset to go on at. Raises `KafkaBehindError` or `DatabaseBehindError`."""
    handled = max(marks.stored, marks.committed or 0)
    if handled > marks.end:
        raise KafkaBehindError(
            f"{lane} was handled up to {handled}, but its log ends at {marks.end}: the topic was"
            " made anew or has lost records. `invoicing recover kafka` brings Kafka forward."
        )
    if marks.committed is None and marks.stored:
        raise KafkaBehindError(
            f"{lane} was handled up to {marks.stored}, but the group's offset is gone, or the group"
            " has another name than before. `invoicing recover kafka` sets it."
        )
    check_database(lane, marks.committed or 0, marks.stored)
    if marks.committed is not None and marks.committed < marks.begin:
        # Transactions' own marks stand in a log as well, so it may have been none.
        log.warning("records_expired", lane=lane, committed=marks.committed, begin=marks.begin)
    return max(marks.committed or 0, marks.begin)


def check_database(lane: str, committed: int, stored: int) -> None:
    """Raises `DatabaseBehindError` where Kafka was told of more than Postgres knows."""
    if committed > stored:
        raise DatabaseBehindError(
            f"{lane} was handled up to {committed}, but the database knows only of what stands"
            f" below {stored}: it was restored to an earlier point, or is another one."
            " `invoicing recover postgres` brings it forward."
        )


def check_databases_lanes(
    topic: str, committed: Mapping[int, int], stored: Mapping[int, int]
) -> None:
    """Raises `DatabaseBehindError` where that is so for any lane, whoever runs it.

    One lane alone could go on; but it would take numbers that were given to another's invoices.
    """
    for partition, offset in committed.items():
        check_database(f"{topic}-{partition}", offset, stored.get(partition, 0))
