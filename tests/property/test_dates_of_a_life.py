"""Drafts, openings and unpostings at any instant, in any zone: their dates and numbers."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from invoicing.domain.decision import Accepted
from invoicing.domain.invoice import Invoice
from invoicing.domain.sellers import NumberFormat, Seller, Sellers
from invoicing.domain.status import status_unarchived
from tests.support.domain.desk import Desk
from tests.support.domain.drafts import data

MINUTE = timedelta(minutes=1)
AROUND_YEARS_AND_LEAP_DAYS = st.sampled_from(
    [datetime(2026, 12, 31, 12, tzinfo=UTC), datetime(2028, 2, 28, 12, tzinfo=UTC),
     datetime(2027, 3, 28, 0, tzinfo=UTC), datetime(2027, 10, 3, 0, tzinfo=UTC)]
)  # fmt: skip
hours = st.integers(-60, 60).map(lambda n: timedelta(hours=n))
instants = st.builds(lambda at, by: at + by, AROUND_YEARS_AND_LEAP_DAYS, hours)
zones = st.sampled_from(sorted(available_timezones()))
days = st.dates(date(2026, 12, 1), date(2028, 3, 31))


def seller_in(zone: str) -> Sellers:
    numbers = NumberFormat(prefix="", yearly=True)
    return Sellers({"default": Seller(id="default", time_zone=zone, invoice_numbers=numbers)})


def local_day(instant: datetime, zone: str) -> date:
    return instant.astimezone(ZoneInfo(zone)).date()


def check_frozen(invoice: Invoice, zone: str) -> None:
    """Overdue from the first minute of the zone's clock after the due date, and not before."""
    document = invoice.document
    assert document.time_zone == zone
    assert document.due_date >= document.document_date
    begins = document.overdue_from
    assert begins is not None
    assert local_day(begins, zone) > document.due_date >= local_day(begins - MINUTE, zone)
    assert status_unarchived(invoice, begins) == "overdue"
    assert status_unarchived(invoice, begins - MINUTE) == "upcoming"


@settings(max_examples=500, deadline=None)
@given(
    zones, zones, instants, instants, hours,
    st.fixed_dictionaries({}, optional={"document_date": days, "due_date": days}),
)  # fmt: skip
def test_an_opening_freezes_what_the_clock_of_the_zone_shows(
    made_in: str,
    opened_in: str,
    made: datetime,
    opened: datetime,
    sent_before: timedelta,
    given_days: dict[str, date],
) -> None:
    fields = {name: str(day) for name, day in given_days.items()}
    desk = Desk(seller_in(made_in), now=made)
    if not isinstance(desk.send("CreateInvoice", **data(state="draft", **fields)), Accepted):
        assert given_days["due_date"] < given_days["document_date"]
        return
    desk.sellers, desk.now = seller_in(opened_in), max(made, opened)
    desk.time = desk.now - sent_before  # the producer's clock may also be ahead

    invoice = desk.accept("OpenInvoice")

    by_default = local_day(min(desk.time, desk.now), opened_in)
    day = given_days.get("document_date", by_default)
    assert invoice.document.document_date == day
    assert invoice.document.due_date == max(given_days.get("due_date", day), day)
    assert desk.numbers[0].series.period == str(day.year)
    check_frozen(invoice, opened_in)

    desk.sellers = seller_in(made_in)
    desk.accept("UnpostInvoice")
    desk.now += timedelta(days=400)
    again = desk.accept("OpenInvoice")
    assert again.document == invoice.document
    assert again.invoice_number == invoice.invoice_number
    assert len(desk.numbers) == 1
