"""The journal of an invoice: what each event posts, and what its balances come to."""

from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from invoicing.contracts.events import EVENTS, EventData, InvoiceCredited, InvoiceWrittenOff
from invoicing.domain.journal.accounts import Account, Entry
from invoicing.domain.journal.journal import BOOKS, Journal
from invoicing.domain.sellers import read_sellers
from tests.support.domain.desk import MORNING, Desk, open_desk, pay


def journal_of(desk: Desk) -> Journal:
    journal = Journal()
    for event, recorded_at in desk.history:
        journal.book(event, recorded_at)
    return journal


def entries_of(desk: Desk) -> dict[str, Entry]:
    """The last entry of each type of event."""
    journal = Journal()
    booked = ((event.type, journal.book(event, at)) for event, at in desk.history)
    return {type_: entry for type_, entry in booked if entry is not None}


def postings_of(entry: Entry) -> dict[str, str]:
    """Amounts by account and detail."""
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for account, detail, amount in entry.postings:
        amounts[f"{account}:{detail}" if detail else account] += amount
    return {name: str(amount) for name, amount in amounts.items()}


def whole(**more: Any) -> dict[str, Any]:
    """A command for an invoice with everything that has an account."""
    return {
        "customer_id": "cus_1",
        "currency": "USD",
        "document_date": "2026-11-18",
        "items": [
            {
                "unit_price": "100.00",
                "tax": {"rate": "0.2"},
                "discount": {"amount_off": "10.00"},
                "fees": [{"type": "recycling", "amount": "2.00", "tax": {"rate": "0.1"}}],
                "duties": {"amount": "3.00"},
                "importer_tax": {"amount": "1.50"},
            },
        ],
        "shipping": {"amount": "5.00", "tax": {"rate": "0.2"}},
        "importer_of_record_tax": True,
        **more,
    }


def test_an_opening_posts_revenue_by_kind_and_tax_by_rate() -> None:
    desk = Desk()
    desk.accept("CreateInvoice", **whole())

    entry = entries_of(desk)["invoice.opened"]

    assert entry.posting_date == date(2026, 11, 18)
    assert postings_of(entry) == {
        "revenues:goods": "-100.00",
        "revenues:discounts": "10.00",
        "revenues:fees": "-2.00",
        "revenues:shipping": "-5.00",
        "revenues:duties": "-3.00",
        "revenues:importer tax": "-1.50",
        "liabilities:tax payable:standard 0.2": "-19.00",
        "liabilities:tax payable:standard 0.1": "-0.20",
        "assets:receivable": "120.70",
    }


def test_prices_that_include_tax_are_posted_without_it() -> None:
    desk = Desk()
    desk.accept("CreateInvoice", **whole(tax_inclusive=True))

    amounts = postings_of(entries_of(desk)["invoice.opened"])

    tax = sum(Decimal(amount) for name, amount in amounts.items() if "tax payable" in name)
    assert tax == -desk.current.document.total_tax
    assert amounts["assets:receivable"] == str(desk.current.total) == "101.50"
    assert sum(map(Decimal, amounts.values())) == 0


def test_money_pays_off_the_receivable_and_the_rest_is_the_customers_credit() -> None:
    desk = open_desk("100.00")
    pay(desk, "pay_1", "130.00", method="wire", received_at="2026-11-19T23:59:00Z")

    entry = entries_of(desk)["invoice.payment_recorded"]

    assert postings_of(entry) == {
        "assets:cash clearing:wire": "130.00",
        "assets:receivable": "-100.00",
        "liabilities:customer credit": "-30.00",
    }


def test_money_in_flight_is_posted_when_it_settles_with_its_method() -> None:
    desk = open_desk("100.00")
    pay(desk, "pay_1", "60.00", method="sepa", settled=False)
    in_flight = entries_of(desk)
    desk.accept("SettlePayment", payment_id="pay_1")

    assert "invoice.payment_recorded" not in in_flight
    assert postings_of(entries_of(desk)["invoice.payment_settled"]) == {
        "assets:cash clearing:sepa": "60.00",
        "assets:receivable": "-60.00",
    }


def test_a_refund_takes_the_customers_credit_and_the_rest_is_owed_again() -> None:
    desk = open_desk("100.00")
    pay(desk, "pay_1", "130.00", method="wire")
    desk.accept("RefundPayment", payment_id="pay_1", refund_id="ref_1", amount="50.00")

    assert postings_of(entries_of(desk)["invoice.payment_refunded"]) == {
        "assets:cash clearing:wire": "-50.00",
        "liabilities:customer credit": "30.00",
        "assets:receivable": "20.00",
    }


def test_a_recovery_lowers_bad_debt_and_its_refund_raises_it_again() -> None:
    desk = open_desk("100.00")
    desk.accept("WriteOffInvoice")
    pay(desk, "pay_1", "30.00")
    recovered = journal_of(desk).balance(Account.BAD_DEBT)
    desk.accept("RefundPayment", payment_id="pay_1", refund_id="ref_1", amount="30.00")

    journal = journal_of(desk)

    assert recovered == 70
    assert journal.balance(Account.BAD_DEBT) == 100
    assert journal.balance(Account.RECEIVABLE) == 0


def test_a_debt_that_was_recovered_in_full_is_receivable_when_it_is_owed_again() -> None:
    desk = open_desk("100.00")
    desk.accept("WriteOffInvoice")
    pay(desk, "pay_1", "100.00")
    desk.accept("RefundPayment", payment_id="pay_1", refund_id="ref_1", amount="40.00")

    journal = journal_of(desk)

    assert journal.balance(Account.RECEIVABLE) == 40
    assert journal.balance(Account.BAD_DEBT) == 0


def test_a_reinstated_debt_is_receivable() -> None:
    desk = open_desk("100.00")
    desk.accept("WriteOffInvoice")
    desk.accept("ReinstateInvoice", reason="They found the money.")

    assert postings_of(entries_of(desk)["invoice.reinstated"]) == {
        "expenses:bad debt": "-100.00",
        "assets:receivable": "100.00",
    }


def test_a_credit_note_takes_back_revenue_and_tax() -> None:
    desk = Desk()
    desk.accept("CreateInvoice", **whole())
    pay(desk, "pay_1", "120.70")
    desk.accept("IssueCreditNote", credit_note_id="cn_1", amount="120.70")

    journal = journal_of(desk)

    assert journal.balance(Account.TAX) == 0
    assert journal.balance(Account.CREDIT_NOTES) == Decimal("101.50")
    assert journal.balance(Account.CUSTOMER_CREDIT) == Decimal("-120.70")


@pytest.mark.parametrize("command", ["VoidInvoice", "UnpostInvoice"])
def test_a_sale_that_is_taken_back_leaves_every_account_at_zero(command: str) -> None:
    desk = Desk()
    desk.accept("CreateInvoice", **whole())
    desk.accept(command)

    journal = journal_of(desk)

    assert [journal.balance(account) for account in Account] == [0] * len(Account)


def test_a_reversal_leaves_the_sale_and_the_credit_note_that_cancels_it() -> None:
    desk = Desk()
    desk.accept("CreateInvoice", **whole())
    desk.accept("ReverseInvoice")

    journal = journal_of(desk)

    assert journal.balance(Account.RECEIVABLE) == 0
    assert journal.balance(Account.TAX) == 0
    assert journal.balance(Account.GOODS) == -100


def test_drafts_and_texts_are_not_booked() -> None:
    desk = Desk()
    desk.accept("CreateInvoice", **whole(state="draft"))
    desk.accept("UpdateInvoice", memo="Thank you.")
    desk.accept("CancelInvoice")

    assert entries_of(desk) == {}


def scrambled(event: EventData) -> EventData:
    """The event with another state and other amounts in its summary."""
    amounts = [name for name in type(event).model_fields if name.startswith("amount_")]
    wrong = dict.fromkeys(amounts, Decimal("77.77"))
    return event.copy_with(**wrong, state="deleted", total=Decimal("88.88"))


def test_what_is_booked_does_not_depend_on_the_summary() -> None:
    desk = Desk()
    desk.accept("CreateInvoice", **whole())
    pay(desk, "pay_1", "150.00")
    desk.accept("RefundPayment", payment_id="pay_1", refund_id="ref_1", amount="80.00")
    desk.accept("WriteOffInvoice")
    pay(desk, "pay_2", "10.00", settled=False)
    desk.accept("SettlePayment", payment_id="pay_2")
    journal, other = Journal(), Journal()

    booked = [journal.book(event, at) for event, at in desk.history]
    booked_otherwise = [other.book(scrambled(event), at) for event, at in desk.history]

    assert booked == booked_otherwise
    assert all(sum(posting.amount for posting in entry.postings) == 0 for entry in booked if entry)


MOVED = {
    "a pending refund": (
        [("RefundPayment", {"refund_id": "ref_1", "amount": "40", "execute": True})],
        "invoice.refund_requested",
        {"assets:refunds payable": "40.00", "assets:cash clearing:card": "-40.00"},
    ),
    "a pending refund that settles with less": (
        [
            ("RefundPayment", {"refund_id": "ref_1", "amount": "40", "execute": True}),
            ("SettleRefund", {"refund_id": "ref_1", "amount": "39"}),
        ],
        "invoice.payment_refunded",
        {
            "assets:refunds payable": "-40.00",
            "assets:cash clearing:card": "1.00",
            "assets:receivable": "39.00",
        },
    ),
    "a pending refund that fails": (
        [
            ("RefundPayment", {"refund_id": "ref_1", "amount": "40", "settled": False}),
            ("RecordRefundFailure", {"refund_id": "ref_1", "code": "account_closed"}),
        ],
        "invoice.refund_failed",
        {"assets:refunds payable": "-40.00", "assets:cash clearing:card": "40.00"},
    ),
    "a settled refund that fails": (
        [
            ("RefundPayment", {"refund_id": "ref_1", "amount": "40"}),
            ("RecordRefundFailure", {"refund_id": "ref_1", "code": "account_closed"}),
        ],
        "invoice.refund_failed",
        {"assets:receivable": "-40.00", "assets:cash clearing:card": "40.00"},
    ),
    "a return": (
        [("ReturnPayment", {"code": "R01", "amount": "40", "fee": "4"})],
        "invoice.payment_returned",
        {
            "assets:receivable": "40.00",
            "assets:cash clearing:card": "-44.00",
            "expenses:provider costs": "4.00",
        },
    ),
    "a dispute": (
        [("OpenDispute", {"dispute_id": "dis_1", "amount": "40"})],
        "invoice.dispute_opened",
        {"assets:held in disputes": "40.00", "assets:cash clearing:card": "-40.00"},
    ),
    "a lost dispute": (
        [
            ("OpenDispute", {"dispute_id": "dis_1", "amount": "40"}),
            ("CloseDispute", {"dispute_id": "dis_1", "outcome": "lost", "fee": "15"}),
        ],
        "invoice.dispute_closed",
        {
            "assets:held in disputes": "-40.00",
            "assets:receivable": "40.00",
            "expenses:provider costs": "15.00",
            "assets:cash clearing:card": "-15.00",
        },
    ),
    "a dispute that is won": (
        [
            ("OpenDispute", {"dispute_id": "dis_1", "amount": "40"}),
            ("CloseDispute", {"dispute_id": "dis_1", "outcome": "won"}),
        ],
        "invoice.dispute_closed",
        {"assets:held in disputes": "-40.00", "assets:cash clearing:card": "40.00"},
    ),
    "a lost dispute that is won after all": (
        [
            ("OpenDispute", {"dispute_id": "dis_1", "amount": "40"}),
            ("CloseDispute", {"dispute_id": "dis_1", "outcome": "lost"}),
            ("CloseDispute", {"dispute_id": "dis_1", "outcome": "won"}),
        ],
        "invoice.dispute_closed",
        {"assets:receivable": "-40.00", "assets:cash clearing:card": "40.00"},
    ),
}


@pytest.mark.parametrize(("commands", "event", "postings"), MOVED.values(), ids=MOVED)
def test_money_that_moves_by_itself_is_posted(
    commands: list[tuple[str, dict[str, Any]]], event: str, postings: dict[str, str]
) -> None:
    desk = open_desk()
    pay(desk, "pay_1", "100", method="card")
    for command, data in commands:
        of_payment = {} if command == "CloseDispute" else {"payment_id": "pay_1"}
        desk.accept(command, **of_payment, **data)

    assert postings_of(entries_of(desk)[event]) == postings


def desk_of_seller(settings: str, now: datetime, **fields: Any) -> Desk:
    """A desk with an open invoice of 100.00 of a seller with these settings."""
    desk = Desk(sellers=read_sellers(f"[sellers.default]\n{settings}"), now=now)
    data = {"customer_id": "cus_1", "currency": "USD", "items": [{"amount": "100.00"}]}
    desk.accept("CreateInvoice", **data, **fields)
    return desk


def close_books(desk: Desk, until: str) -> None:
    desk.sellers = read_sellers(f"[sellers.default]\nlocked_until = {until}")


def posting_date(desk: Desk, event: str) -> date:
    return entries_of(desk)[f"invoice.{event}"].posting_date


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Pacific/Kiritimati", date(2026, 12, 1)),
        ("UTC", date(2026, 11, 30)),
        ("Etc/GMT+12", date(2026, 11, 29)),
    ],
)
def test_a_day_is_one_of_the_invoices_time_zone(zone: str, day: date) -> None:
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    desk = desk_of_seller(f'time_zone = "{zone}"', now, document_date="2026-11-20")
    desk.now = datetime(2026, 11, 30, 11, 0, tzinfo=UTC)
    pay(desk, "pay_1", "10.00", received_at="2026-11-30T11:30:00Z")
    desk.accept("WriteOffInvoice")

    assert posting_date(desk, "payment_recorded") == day
    assert posting_date(desk, "written_off") == day


@pytest.mark.parametrize(
    ("zone", "now", "day"),
    [
        ("Etc/GMT+12", datetime(2026, 12, 1, 5, tzinfo=UTC), date(2026, 11, 30)),
        ("Pacific/Kiritimati", datetime(2026, 11, 30, 12, tzinfo=UTC), date(2026, 12, 1)),
    ],
)
def test_a_write_off_is_posted_on_the_day_of_a_seller_whose_zone_has_changed(
    zone: str, now: datetime, day: date
) -> None:
    desk = desk_of_seller('time_zone = "UTC"', datetime(2026, 11, 20, 12, tzinfo=UTC))
    desk.sellers = read_sellers(f'[sellers.default]\ntime_zone = "{zone}"')
    desk.now = now
    pay(desk, "pay_1", "10.00", received_at=now.isoformat())
    desk.accept("WriteOffInvoice")

    assert posting_date(desk, "written_off") == day
    assert posting_date(desk, "payment_recorded") == now.date()


def test_nothing_is_posted_before_the_date_of_the_invoice() -> None:
    desk = desk_of_seller("", MORNING, document_date="2026-11-20")
    pay(desk, "pay_1", "10.00", received_at="2026-10-01T12:00:00Z")

    assert posting_date(desk, "payment_recorded") == date(2026, 11, 20)


@pytest.mark.parametrize(
    ("received_at", "day"),
    [
        ("2026-11-25T12:00:00Z", date(2026, 12, 1)),
        ("2026-11-30T23:59:59Z", date(2026, 12, 1)),
        ("2026-12-01T00:00:00Z", date(2026, 12, 1)),
        ("2026-12-02T00:00:00Z", date(2026, 12, 2)),
        ("2026-10-01T12:00:00Z", date(2026, 12, 1)),
    ],
)
def test_money_of_closed_books_is_posted_on_the_first_day_after_them(
    received_at: str, day: date
) -> None:
    desk = desk_of_seller("", MORNING, document_date="2026-11-20")
    close_books(desk, "2026-11-30")
    desk.now = datetime(2026, 12, 5, 12, tzinfo=UTC)
    pay(desk, "pay_1", "10.00", received_at=received_at)

    assert posting_date(desk, "payment_recorded") == day


def test_books_that_are_closed_later_move_no_entry() -> None:
    desk = desk_of_seller("", MORNING, document_date="2026-11-20")
    desk.now = datetime(2026, 11, 25, 13, tzinfo=UTC)
    pay(desk, "pay_1", "10.00", received_at="2026-11-25T12:00:00Z")
    close_books(desk, "2026-11-30")
    desk.now = datetime(2026, 12, 5, 12, tzinfo=UTC)
    desk.accept("RefundPayment", payment_id="pay_1", refund_id="ref_1", amount="4.00")

    assert posting_date(desk, "payment_recorded") == date(2026, 11, 25)
    assert posting_date(desk, "payment_refunded") == date(2026, 12, 5)


def test_a_write_off_in_books_that_are_closed_ahead_is_posted_after_them() -> None:
    desk = desk_of_seller("", MORNING, document_date="2026-11-20")
    close_books(desk, "2026-12-31")
    desk.accept("WriteOffInvoice")

    [written_off] = [event for event, _ in desk.history if isinstance(event, InvoiceWrittenOff)]
    assert written_off.posting_date == date(2027, 1, 1) == posting_date(desk, "written_off")


def test_credit_notes_without_tax_groups_take_back_the_tax_of_each_rate() -> None:
    """Those of the first releases, which said only how much tax they held in all."""
    desk = Desk()
    desk.accept("CreateInvoice", **whole())
    for number, amount in enumerate(["33.33", "40.01", "47.36"]):
        desk.accept("IssueCreditNote", credit_note_id=f"cn_{number}", amount=amount)
    journal, taxes = Journal(), defaultdict[str, Decimal](Decimal)

    for event, at in desk.history:
        entry = journal.book(without_tax_groups(event), at)
        for account, detail, amount in entry.postings if entry else ():
            if account is Account.TAX:
                taxes[detail] += amount

    assert desk.current.amount_credited == desk.current.total
    assert taxes == {"standard 0.2": 0, "standard 0.1": 0}


def without_tax_groups(event: EventData) -> EventData:
    if not isinstance(event, InvoiceCredited):
        return event
    return event.copy_with(credit_note=event.credit_note.copy_with(tax_groups=()))


NOT_BOOKED = {
    "created", "updated", "deleted", "cancelled", "payment_requested", "payment_failed",
    "payment_action_required", "payment_cancelled", "paid", "reopened", "overpaid",
    "source_attached", "source_detached", "archived", "restored", "send_requested", "sent",
    "send_failed", "overdue",
}  # fmt: skip
"""Events that move no money and change no debt."""


def test_every_event_is_booked_or_known_to_concern_no_account() -> None:
    booked = {event.type for event in BOOKS}

    assert booked | {f"invoice.{name}" for name in NOT_BOOKED} == EVENTS.keys()
    assert booked.isdisjoint(f"invoice.{name}" for name in NOT_BOOKED)
