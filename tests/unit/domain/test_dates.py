"""Days in a seller's time zone: when an invoice is dated, due and overdue."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from invoicing.domain.calendar import day_in, overdue_from, start_of_day
from invoicing.domain.sellers import Sellers, read_sellers
from invoicing.domain.status import status_unarchived
from tests.support.domain.desk import Desk
from tests.support.domain.drafts import data

EAST, WEST = "Pacific/Kiritimati", "Etc/GMT+12"  # 14 hours before UTC, 12 hours after it


def seller_in(zone: str, settings: str = "") -> Sellers:
    return read_sellers(f'[sellers.default]\ntime_zone = "{zone}"\n{settings}')


def desk_at(now: str, zone: str = "UTC", settings: str = "") -> Desk:
    desk = Desk(seller_in(zone, settings))
    desk.now = at(now)
    return desk


def at(instant: str) -> datetime:
    """A minute before: a desk's commands come one minute apart."""
    return datetime.fromisoformat(instant) - timedelta(minutes=1)


@pytest.mark.parametrize(
    ("zone", "now", "day"),
    [
        ("UTC", "2026-12-31T23:59:59Z", "2026-12-31"),
        ("Asia/Tokyo", "2026-12-31T23:00:00Z", "2027-01-01"),
        ("Pacific/Honolulu", "2027-01-01T09:30:00Z", "2026-12-31"),
        (EAST, "2026-12-31T09:59:59Z", "2026-12-31"),
        (EAST, "2026-12-31T10:00:00Z", "2027-01-01"),
        (WEST, "2027-01-01T11:59:59Z", "2026-12-31"),
        (WEST, "2027-01-01T12:00:00Z", "2027-01-01"),
        ("Asia/Kathmandu", "2028-02-28T18:15:00Z", "2028-02-29"),
        ("America/New_York", "2026-07-01T03:59:59Z", "2026-06-30"),  # summer there
        ("America/New_York", "2026-12-01T04:59:59Z", "2026-11-30"),  # winter there
        ("Australia/Lord_Howe", "2026-01-01T13:00:00Z", "2026-01-02"),  # summer: +11
        ("Australia/Lord_Howe", "2026-07-01T13:29:59Z", "2026-07-01"),  # winter: +10:30
    ],
)
def test_an_invoice_is_dated_on_the_sellers_day(zone: str, now: str, day: str) -> None:
    document = desk_at(now, zone).accept("CreateInvoice", **data()).document
    assert (str(document.document_date), str(document.due_date)) == (day, day)
    assert document.time_zone == zone


@pytest.mark.parametrize(
    ("zone", "due", "instant"),
    [
        ("UTC", "2026-12-31", "2027-01-01T00:00:00Z"),
        (EAST, "2026-12-31", "2026-12-31T10:00:00Z"),
        (WEST, "2026-12-31", "2027-01-01T12:00:00Z"),
        ("Europe/Vienna", "2026-03-28", "2026-03-28T23:00:00Z"),
        ("Europe/Vienna", "2026-03-29", "2026-03-29T22:00:00Z"),  # a day of 23 hours
        ("Europe/Vienna", "2026-10-25", "2026-10-25T23:00:00Z"),  # and one of 25
        ("America/Santiago", "2026-09-05", "2026-09-06T04:00:00Z"),  # no midnight: 01:00 is first
        ("America/Havana", "2026-10-31", "2026-11-01T04:00:00Z"),  # the first of two midnights
        ("Pacific/Apia", "2011-12-29", "2011-12-30T10:00:00Z"),  # a day that Samoa left out
        ("Europe/Vienna", "2028-02-28", "2028-02-28T23:00:00Z"),
        ("Europe/Vienna", "2028-02-29", "2028-02-29T23:00:00Z"),
        ("Europe/Vienna", "2999-12-31", "2999-12-31T23:00:00Z"),
    ],
)
def test_it_is_overdue_from_the_next_days_beginning_there(
    zone: str, due: str, instant: str
) -> None:
    desk = desk_at("2011-01-01T12:00:00Z", zone)
    invoice = desk.accept("CreateInvoice", **data(due_date=due))
    begins = datetime.fromisoformat(instant)
    assert invoice.document.overdue_from == begins
    assert status_unarchived(invoice, begins - timedelta(microseconds=1)) == "upcoming"
    assert status_unarchived(invoice, begins) == "overdue"


@pytest.mark.parametrize("zone", ["UTC", EAST, WEST, "America/Santiago", "America/Havana"])
def test_it_is_marked_overdue_from_that_instant_on(zone: str) -> None:
    due = date(2026, 10, 31)
    desk = desk_at("2026-10-01T12:00:00Z", zone)
    begins = desk.accept("CreateInvoice", **data(due_date=str(due))).document.overdue_from
    assert begins is not None

    desk.now = begins - timedelta(minutes=1, microseconds=1)
    early = desk.refuse("MarkInvoiceOverdue", as_of=str(due + timedelta(days=1)))
    desk.now = begins - timedelta(minutes=1)
    not_yet = desk.refuse("MarkInvoiceOverdue", as_of=str(due))
    tomorrow = desk.refuse("MarkInvoiceOverdue", as_of=str(due + timedelta(days=2)))
    desk.now = begins - timedelta(minutes=1)
    marked = desk.accept("MarkInvoiceOverdue", as_of=str(due + timedelta(days=1)))

    assert {early.code, not_yet.code, tomorrow.code} == {"not_past_due"}
    assert str(marked.overdue_as_of) == str(due + timedelta(days=1))
    assert desk.event_types.count("invoice.overdue") == 1


def test_what_is_overdue_already_is_accepted_whatever_the_day() -> None:
    desk = desk_at("2026-11-20T12:00:00Z")
    desk.accept("CreateInvoice", **data(document_date="2026-11-01", due_date="2026-11-19"))
    desk.accept("MarkInvoiceOverdue", as_of="2026-11-20")
    version = desk.current.version
    desk.accept("MarkInvoiceOverdue", as_of="2999-01-01")
    desk.accept("MarkInvoiceOverdue", as_of="1999-01-01")
    assert desk.current.version == version


@pytest.mark.parametrize(
    ("time", "day"),
    [
        ("2026-11-20T12:00:00Z", "2026-11-20"),
        ("2026-11-18T23:30:00-11:00", "2026-11-19"),  # the day is the seller's, not the producer's
        ("2026-11-01T00:00:00Z", "2026-11-01"),
        ("2026-11-21T00:00:00Z", "2026-11-20"),  # from a clock that is ahead
        ("9999-12-31T23:59:59.999999Z", "2026-11-20"),
    ],
)
@pytest.mark.parametrize("through", ["CreateInvoice", "OpenInvoice"])
def test_the_day_is_of_the_command_that_opens_it_and_never_after_today(
    through: str, time: str, day: str
) -> None:
    desk = desk_at("2026-11-20T12:00:00Z")
    if through == "OpenInvoice":
        desk.time = datetime(2026, 10, 10, tzinfo=UTC)
        desk.accept("CreateInvoice", **data(state="draft"))
    desk.time = datetime.fromisoformat(time)
    desk.accept(through, **(data() if through == "CreateInvoice" else {}))
    assert str(desk.current.document.document_date) == day


@pytest.mark.parametrize("zone", [EAST, WEST])
@pytest.mark.parametrize("year", [1, 1899])
def test_a_time_before_every_date_is_refused(zone: str, year: int) -> None:
    desk = desk_at("2026-11-20T12:00:00Z", zone)
    desk.time = datetime(year, 1, 1, tzinfo=UTC)
    rejection = desk.refuse("CreateInvoice", **data())
    assert (rejection.code, rejection.errors[0].field) == ("limit_exceeded", "document_date")


def test_a_draft_shows_what_its_date_would_be_and_gets_it_at_its_opening() -> None:
    yearly = 'invoice_numbers = { prefix = "A-", yearly = true }'
    desk = desk_at("2026-12-31T12:00:00Z", "Asia/Tokyo", f"payment_terms_days = 14\n{yearly}")
    document = desk.accept("CreateInvoice", **data(state="draft")).document
    assert (str(document.document_date), document.dated_at_opening) == ("2026-12-31", True)
    assert (document.time_zone, document.overdue_from) == (None, None)

    desk.now = at("2026-12-31T15:00:00Z")  # midnight in Tokyo
    document = desk.accept("UpdateInvoice", order_id="o").document
    assert (str(document.document_date), str(document.due_date)) == ("2027-01-01", "2027-01-15")

    desk.now = at("2027-03-01T12:00:00Z")
    document = desk.accept("OpenInvoice").document
    assert (str(document.document_date), str(document.due_date)) == ("2027-03-01", "2027-03-15")
    assert (document.dated_at_opening, document.time_zone) == (None, "Asia/Tokyo")
    assert desk.numbers[0].series.period == "2027"


def test_a_given_date_stays() -> None:
    desk = desk_at("2026-11-20T12:00:00Z", "Asia/Tokyo")
    desk.accept("CreateInvoice", **data(state="draft", document_date="2026-01-31"))
    desk.now = at("2027-03-01T12:00:00Z")
    document = desk.accept("OpenInvoice").document
    assert str(document.document_date) == "2026-01-31"
    assert document.overdue_from == datetime(2026, 1, 31, 15, tzinfo=UTC)


def test_a_date_that_is_taken_back_is_that_of_the_opening_again() -> None:
    desk = desk_at("2026-11-20T12:00:00Z")
    desk.accept("CreateInvoice", **data(state="draft"))
    desk.accept("UpdateInvoice", document_date="2026-01-31")
    assert desk.current.document.dated_at_opening is None
    document = desk.accept("UpdateInvoice", document_date=None).document
    assert (str(document.document_date), document.dated_at_opening) == ("2026-11-20", True)


def test_a_date_at_opening_after_the_due_date_moves_the_due_date() -> None:
    desk = desk_at("2026-01-01T12:00:00Z")
    desk.accept("CreateInvoice", **data(state="draft", due_date="2026-01-10"))
    assert str(desk.current.document.due_date) == "2026-01-10"
    desk.now = at("2026-03-01T12:00:00Z")
    document = desk.accept("OpenInvoice").document
    assert (str(document.document_date), str(document.due_date)) == ("2026-03-01", "2026-03-01")
    assert status_unarchived(desk.current, desk.now) == "upcoming"


def test_a_due_date_before_the_date_that_an_invoice_has_by_default_is_that_date() -> None:
    document = (
        desk_at("2026-03-01T12:00:00Z")
        .accept("CreateInvoice", **data(due_date="2026-02-01"))
        .document
    )
    assert str(document.due_date) == "2026-03-01"


@pytest.mark.parametrize(
    ("made", "changes", "field"),
    [
        (None, {"document_date": "2026-06-30", "due_date": "2026-06-01"}, "due_date"),
        ({"document_date": "2026-06-30"}, {"due_date": "2026-06-29"}, "due_date"),
        ({"due_date": "2026-12-01"}, {"document_date": "2026-12-02"}, "document_date"),
    ],
)
def test_a_due_date_before_a_given_date_is_refused(
    made: dict[str, Any] | None, changes: dict[str, Any], field: str
) -> None:
    desk = desk_at("2026-11-20T12:00:00Z")
    if made is None:
        rejection = desk.refuse("CreateInvoice", **data(**changes))
    else:
        desk.accept("CreateInvoice", **data(state="draft", **made))
        rejection = desk.refuse("UpdateInvoice", **changes)
    assert (rejection.code, [error.field for error in rejection.errors]) == (
        "invalid_command", [field],
    )  # fmt: skip


def test_the_zone_is_frozen_at_the_opening() -> None:
    desk = desk_at("2026-11-20T12:00:00Z", WEST)
    desk.accept("CreateInvoice", **data(state="draft"))
    desk.sellers = seller_in(EAST)
    document = desk.accept("OpenInvoice").document
    assert (document.time_zone, str(document.document_date)) == (EAST, "2026-11-21")

    desk.sellers = seller_in("Europe/Vienna")
    desk.accept("UnpostInvoice")
    desk.now = at("2026-12-20T12:00:00Z")
    desk.accept("UpdateInvoice", payment_terms_days=1)
    document = desk.accept("OpenInvoice").document

    assert (document.time_zone, str(document.document_date)) == (EAST, "2026-11-21")
    assert document.overdue_from == datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "zone",
    ["", "europe/vienna", "Europe/Nowhere", "../../etc/passwd", "posix/UTC", "UTC+2", "CET "],
)
def test_a_zone_that_iana_does_not_name_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="IANA"):
        seller_in(zone)


def test_the_skipped_day_and_the_day_after_begin_at_one_instant() -> None:
    skipped, after = date(2011, 12, 30), date(2011, 12, 31)
    assert start_of_day("Pacific/Apia", skipped) == start_of_day("Pacific/Apia", after)
    assert day_in("Pacific/Apia", overdue_from("Pacific/Apia", date(2011, 12, 29))) == after


AHEAD = "2026-11-21T12:00:01Z"
A_DAY_AHEAD = "2026-11-22T01:00:00+13:00"  # to the second, in another offset


@pytest.mark.parametrize("settled", [True, False])
def test_money_that_is_to_arrive_in_days_has_not_arrived(settled: bool) -> None:
    payment = {"payment_id": "p", "amount": "1.00", "settled": settled}
    desk = desk_at("2026-11-20T11:59:00Z")
    desk.accept("CreateInvoice", **data())
    rejection = desk.refuse("RecordPayment", **payment, received_at=AHEAD)
    assert (rejection.code, rejection.errors[0].field) == ("invalid_command", "received_at")
    desk.now = at("2026-11-20T12:00:00Z")
    desk.accept("RecordPayment", **payment, received_at=A_DAY_AHEAD)


def test_a_payment_of_long_ago_is_recorded() -> None:
    desk = desk_at("2026-11-20T12:00:00Z")
    desk.accept("CreateInvoice", **data())
    desk.accept("RecordPayment", payment_id="p", amount="1.00", received_at="1900-01-02T00:00:00Z")


def test_a_refund_does_not_become_final_in_days() -> None:
    desk = desk_at("2026-11-20T11:57:00Z")
    desk.accept("CreateInvoice", **data())
    desk.accept("RecordPayment", payment_id="p", amount="1.00")
    refund = {"payment_id": "p", "refund_id": "r", "amount": "1.00"}
    rejection = desk.refuse("SettleRefund", **refund, settled_at=AHEAD)
    assert (rejection.code, rejection.errors[0].field) == ("invalid_command", "settled_at")
    desk.accept("SettleRefund", **refund, settled_at=A_DAY_AHEAD)


def test_what_happened_already_is_known_before_its_time_is_looked_at() -> None:
    desk = desk_at("2026-11-20T12:00:00Z")
    desk.accept("CreateInvoice", **data(source_id="src_1"))
    desk.accept("PayInvoice")
    payment_id = next(iter(desk.current.payments))
    desk.accept("RecordPaymentFailure", payment_id=payment_id, code="declined")
    version = desk.current.version
    late = {"payment_id": payment_id, "amount": "1.00", "settled": False, "received_at": AHEAD}
    assert desk.accept("RecordPayment", **late).version == version


def test_an_update_that_changes_nothing_is_none_on_another_day_either() -> None:
    desk = desk_at("2026-11-20T12:00:00Z")
    desk.accept("CreateInvoice", **data(state="draft"))
    desk.now = at("2026-12-24T12:00:00Z")
    assert desk.accept("UpdateInvoice", items=data()["items"]).version == 1
    document = desk.accept("UpdateInvoice", items=[{"amount": "90"}]).document
    assert str(document.document_date) == "2026-12-24"


def test_a_given_due_date_counts_again_once_the_date_is_given_or_earlier() -> None:
    desk = desk_at("2026-03-01T12:00:00Z")
    desk.accept("CreateInvoice", **data(state="draft", due_date="2026-02-10"))
    document = desk.current.document
    assert (str(document.due_date), str(document.given_due_date)) == ("2026-03-01", "2026-02-10")
    assert desk.refuse("UpdateInvoice", document_date="2026-02-11").code == "invalid_command"

    document = desk.accept("UpdateInvoice", document_date="2026-02-01").document
    assert (str(document.due_date), document.given_due_date) == ("2026-02-10", None)
    desk.accept("UpdateInvoice", document_date=None)
    desk.time = datetime(2026, 2, 5, tzinfo=UTC)  # sent long before it arrived
    document = desk.accept("OpenInvoice").document
    assert (str(document.document_date), str(document.due_date)) == ("2026-02-05", "2026-02-10")
    assert document.given_due_date is None


@pytest.mark.parametrize(
    ("changes", "due"),
    [({"due_date": "2026-02-20"}, "2026-03-01"), ({"due_date": "2026-04-01"}, "2026-04-01"),
     ({"payment_terms_days": 3}, "2026-03-04"), ({"due_date": None}, "2026-03-01")],
)  # fmt: skip
def test_another_due_date_replaces_the_one_that_was_given(
    changes: dict[str, Any], due: str
) -> None:
    desk = desk_at("2026-03-01T12:00:00Z")
    desk.accept("CreateInvoice", **data(state="draft", due_date="2026-02-10"))
    document = desk.accept("UpdateInvoice", **changes).document
    assert str(document.due_date) == due
    assert str(document.given_due_date) != "2026-02-10"


def test_a_card_expires_on_the_sellers_day() -> None:
    sellers = read_sellers('[sellers.default]\ntime_zone = "Pacific/Kiritimati"')
    desk = Desk(sellers, now=datetime(2026, 11, 30, 9, tzinfo=UTC))
    desk.accept("CreateInvoice", **data())
    card = {"expirationYear": 2026, "expirationMonth": 11}
    desk.accept("AttachSource", source_id="src_1", type="creditCard", details=card)
    desk.now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    assert desk.refuse("PayInvoice").code == "source_unusable"


def test_zones_are_known_on_a_machine_that_has_no_database_of_them() -> None:
    code = "from invoicing.domain.calendar import is_time_zone; print(is_time_zone('Asia/Tokyo'))"
    environment = {"PYTHONTZPATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "True\n"
