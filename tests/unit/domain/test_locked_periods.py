"""Closed books: what a seller's `locked_until` refuses, and what goes on."""

from datetime import date
from typing import Any

import pytest

from invoicing.domain.sellers import Seller, Sellers, read_sellers
from tests.support.domain.desk import Desk, pay
from tests.support.domain.drafts import data

LAST_LOCKED, FIRST_OPEN = "2026-06-30", "2026-07-01"


def closed(until: str = LAST_LOCKED) -> Sellers:
    return Sellers({"default": Seller(id="default", locked_until=date.fromisoformat(until))})


def opened(day: str, **fields: Any) -> Desk:
    """A desk with an open invoice of this date, whose books are then closed."""
    desk = Desk()
    desk.accept("CreateInvoice", **data(document_date=day, **fields))
    desk.sellers = closed()
    return desk


def test_no_invoice_is_opened_with_a_date_in_closed_books() -> None:
    desk = Desk(closed())
    rejection = desk.refuse("CreateInvoice", **data(document_date=LAST_LOCKED))
    assert rejection.code == "period_locked"
    assert (LAST_LOCKED in rejection.message, desk.numbers) == (True, [])
    desk.accept("CreateInvoice", **data(document_date=LAST_LOCKED, state="draft"))
    assert desk.refuse("OpenInvoice").code == "period_locked"
    desk.accept("UpdateInvoice", document_date=FIRST_OPEN)
    desk.accept("OpenInvoice")


def test_nor_is_one_whose_date_follows_from_the_command() -> None:
    desk = Desk(closed("2026-11-20"))
    assert desk.refuse("CreateInvoice", **data()).code == "period_locked"


@pytest.mark.parametrize("command", ["UnpostInvoice", "VoidInvoice"])
def test_no_invoice_of_closed_books_is_taken_back(command: str) -> None:
    assert opened(LAST_LOCKED).refuse(command).code == "period_locked"
    opened(FIRST_OPEN).accept(command)


def test_an_uncollectible_invoice_of_closed_books_is_not_voided() -> None:
    desk = opened(LAST_LOCKED)
    desk.accept("WriteOffInvoice")
    assert desk.refuse("VoidInvoice").code == "period_locked"


def test_an_invoice_that_was_unposted_before_is_opened_with_a_date_after_it_only() -> None:
    desk = Desk()
    desk.accept("CreateInvoice", **data(document_date="2026-06-15"))
    desk.accept("UnpostInvoice")
    desk.sellers = closed()
    assert desk.refuse("OpenInvoice").code == "period_locked"
    desk.accept("UpdateInvoice", document_date=FIRST_OPEN)
    desk.accept("OpenInvoice")


def test_money_and_texts_of_closed_books_go_on() -> None:
    desk = opened(LAST_LOCKED, email="ada@example.com")
    desk.accept("UpdateInvoice", memo="Paid in part")
    desk.accept("SendInvoice")
    desk.accept("MarkInvoiceOverdue", as_of="2026-07-01")
    pay(desk, "pay_1", "40.00")
    desk.accept("RefundPayment", payment_id="pay_1", refund_id="ref_1", amount="40.00")
    desk.accept("WriteOffInvoice")
    desk.accept("ReinstateInvoice")
    pay(desk, "pay_2", "100.00")
    desk.accept("ArchiveInvoice")
    assert desk.current.state == "paid"


def test_a_seller_who_is_no_more_may_have_closed_its_books() -> None:
    desk = opened(FIRST_OPEN)
    desk.sellers = Sellers({})
    assert desk.refuse("VoidInvoice").code == "unknown_seller"


@pytest.mark.parametrize("written", ["2026-06-30", '"2026-06-30"'])
def test_a_lock_is_a_date_of_toml_or_a_text(written: str) -> None:
    seller = read_sellers(f"[sellers.a]\nlocked_until = {written}").find("a")
    assert seller is not None
    assert (seller.has_locked(date(2026, 6, 30)), seller.has_locked(date(2026, 7, 1))) == (
        True, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "written",
    ["20260630", "1782777600", "2026-06-30T00:00:00Z", '"2026-06-30T00:00:00Z"', '"2026-02-29"',
     '"30.06.2026"', '"2026-6-30"', '""', "true", "[2026-06-30]", '"1899-12-31"'],
)  # fmt: skip
def test_anything_else_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="locked_until"):
        read_sellers(f"[sellers.a]\nlocked_until = {written}")
