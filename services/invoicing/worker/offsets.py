"""The offset that a lane resumes at, and the proof that neither Kafka nor Postgres has lost data.

A batch is stored in Postgres, with its offset, before the offset is committed to Kafka. So the
stored offset is never below the committed one and never beyond the log's end, unless one side was
restored, recreated, or lost its last writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from invoicing.runtime.errors import OperatorError
from invoicing.store.errors import DatabaseBehindError

log = structlog.get_logger()


class KafkaBehindError(OperatorError):
    """Kafka has lost data. To go on would publish events twice, or skip commands."""


@dataclass(frozen=True, slots=True)
class Offsets:
    """A lane's offsets: its log goes from `begin` to `end`.

    `committed` is the group's offset in Kafka, if it has one; `stored` is the one in Postgres.
    """

    begin: int
    end: int
    committed: int | None
    stored: int


def resume_at(lane: str, offsets: Offsets) -> int:
    """The offset to resume at. Raises `KafkaBehindError` or `DatabaseBehindError`."""
    handled = max(offsets.stored, offsets.committed or 0)
    if handled > offsets.end:
        raise KafkaBehindError(
            f"{lane} was handled up to {handled}, but its log ends at {offsets.end}: the topic was"
            " made anew or has lost records. `invoicing recover kafka` brings Kafka forward."
        )
    check_group(lane, offsets.committed, offsets.stored)
    check_database(lane, offsets.committed or 0, offsets.stored)
    if offsets.committed is not None and offsets.committed < offsets.begin:
        # Transaction markers take offsets, too, so there may have been no record among them.
        log.warning("records_expired", lane=lane, committed=offsets.committed, begin=offsets.begin)
    return max(offsets.committed or 0, offsets.begin)


def check_group(lane: str, committed: int | None, stored: int) -> None:
    """Raises `KafkaBehindError` if the group has no offset in a lane that was handled before."""
    if committed is None and stored:
        raise KafkaBehindError(
            f"{lane} was handled up to {stored}, but the group has no offset there. Check"
            " INVOICING_CONSUMER_GROUP first: the offset belongs to the name that the group had"
            " then. If the name is right, the group's offset is gone, and"
            " `invoicing recover kafka` sets it."
        )


def check_database(lane: str, committed: int, stored: int) -> None:
    """Raises `DatabaseBehindError` if the committed offset is beyond the stored one."""
    if committed > stored:
        raise DatabaseBehindError(
            f"{lane} was handled up to {committed}, but the database knows only of what stands"
            f" below {stored}: it was restored to an earlier point, or is another one."
            " `invoicing recover postgres` brings it forward."
        )


def check_all_lanes(
    topic: str,
    stored_before: Mapping[int, int],
    committed: Mapping[int, int],
    stored_after: Mapping[int, int],
) -> None:
    """Check every lane's offsets by partition, whichever worker runs it.

    The stored offsets are read before and after the committed ones, since other workers may be at
    work: a lane commits its first offset before it stores a batch, and stores each later offset
    before it commits it.

    Raises `KafkaBehindError` if the group lacks an offset, and `DatabaseBehindError` if the
    database is behind. The other lanes must not start then: they would take numbers that the lost
    invoices already have.
    """
    for partition, offset in stored_before.items():
        check_group(f"{topic}-{partition}", committed.get(partition), offset)
    for partition, offset in committed.items():
        check_database(f"{topic}-{partition}", offset, stored_after.get(partition, 0))
