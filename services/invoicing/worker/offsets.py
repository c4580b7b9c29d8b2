"""The offset that a lane resumes at, and the proof that neither Kafka nor Postgres has lost data.

A batch is stored in Postgres, with its offset, before the offset is committed to Kafka. So the
stored offset is never below the committed one and never beyond the log's end, unless one side was
restored, recreated, or lost its last writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from invoicing.store.errors import DatabaseBehindError

log = structlog.get_logger()


class KafkaBehindError(Exception):
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
    if offsets.committed is None and offsets.stored:
        raise KafkaBehindError(
            f"{lane} was handled up to {offsets.stored}, but the group's offset is gone, or the"
            " group has another name than before. `invoicing recover kafka` sets it."
        )
    check_database(lane, offsets.committed or 0, offsets.stored)
    if offsets.committed is not None and offsets.committed < offsets.begin:
        # Transaction markers take offsets, too, so there may have been no record among them.
        log.warning("records_expired", lane=lane, committed=offsets.committed, begin=offsets.begin)
    return max(offsets.committed or 0, offsets.begin)


def check_database(lane: str, committed: int, stored: int) -> None:
    """Raises `DatabaseBehindError` if the committed offset is beyond the stored one."""
    if committed > stored:
        raise DatabaseBehindError(
            f"{lane} was handled up to {committed}, but the database knows only of what stands"
            f" below {stored}: it was restored to an earlier point, or is another one."
            " `invoicing recover postgres` brings it forward."
        )


def check_databases_lanes(
    topic: str, committed: Mapping[int, int], stored: Mapping[int, int]
) -> None:
    """Raises `DatabaseBehindError` if the database is behind in any lane, whichever worker runs it.

    The other lanes must stop, too: they would take numbers that the lost invoices already have.
    """
    for partition, offset in committed.items():
        check_database(f"{topic}-{partition}", offset, stored.get(partition, 0))
