"""Days and instants in every time zone, against the zone's own clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from invoicing.domain.calendar import day_in, start_of_day

ZONES = st.sampled_from(sorted(available_timezones()))
DAYS = st.dates(date(1900, 1, 1), date(3000, 1, 1))
INSTANTS = st.integers(-2_200_000_000, 32_000_000_000).map(
    lambda seconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@settings(max_examples=2_000)
@given(ZONES, DAYS)
def test_a_day_begins_where_the_clock_of_the_zone_first_shows_it_or_a_later_one(
    zone: str, day: date
) -> None:
    begins = start_of_day(zone, day)
    clock = ZoneInfo(zone)
    assert begins.astimezone(clock).date() >= day
    assert (begins - timedelta(microseconds=1)).astimezone(clock).date() < day


@settings(max_examples=2_000)
@given(ZONES, INSTANTS)
def test_the_day_in_a_zone_is_what_its_clock_shows(zone: str, instant: datetime) -> None:
    day = day_in(zone, instant)
    assert day == (instant + (instant.astimezone(ZoneInfo(zone)).utcoffset() or timedelta())).date()
    assert start_of_day(zone, day) <= instant
