"""Days in a time zone: which day an instant belongs to, and the instant at which a day begins.

Zones are names of the IANA database, as zoneinfo reads it. Documents keep what was computed, so a
later version of the database changes no issued invoice.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from invoicing.contracts.invoice import Document, DocumentIndexFields

DEFAULT_ZONE: Final = "UTC"

_DAYS_KEPT: Final = 1_024
"""Due dates are often the same: so many days after today, in few zones."""

# `datetime` cannot convert the first hours of year 1 to a zone west of Greenwich. No document may
# have a day this early, whatever the zone.
_EARLIEST_INSTANT: Final = datetime(2, 1, 1, tzinfo=UTC)


def is_time_zone(name: str) -> bool:
    """Whether the IANA database has a zone of this name, spelled like this."""
    return name in available_timezones()


def day_in(zone: str, instant: datetime) -> date:
    """The day that it is in the zone at an instant."""
    return max(instant, _EARLIEST_INSTANT).astimezone(_zone(zone)).date()


def start_of_day(zone: str, day: date) -> datetime:
    """The instant in UTC at which a day begins in the zone.

    That is not always midnight: where clocks are set forward at midnight, the day begins with
    the first time that they show. A midnight that comes twice counts the first time.
    """
    return datetime.combine(day, time.min, _zone(zone)).astimezone(UTC)


@lru_cache(_DAYS_KEPT)
def overdue_from(zone: str, due_date: date) -> datetime:
    """The instant from which an amount due on this day is overdue: the next day's beginning."""
    return start_of_day(zone, due_date + timedelta(days=1))


def overdue_from_of(document: Document | DocumentIndexFields) -> datetime:
    """The instant that a document keeps; one that keeps none is of the days in UTC."""
    return document.overdue_from or overdue_from(DEFAULT_ZONE, document.due_date)


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
