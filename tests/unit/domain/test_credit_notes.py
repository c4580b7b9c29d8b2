"""Credit notes, by amount and by line."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.domain.credit_tax import Credit, Remainder
from invoicing.domain.decision import Accepted
from invoicing.domain.sellers import read_sellers
from tests.support.domain.desk import Desk
from tests.support.domain.strategies import items

THIRDS = {"quantity": "3", "amount": "100.00", "tax": {"rate": "0.2"}}


def open_desk(*lines: dict[str, Any], **more: Any) -> Desk:
    desk = Desk()
    desk.accept("CreateInvoice", customer_id="cus_1", currency="USD", items=list(lines), **more)
    return desk


def credit(desk: Desk, credit_note_id: str, **data: Any) -> dict[str, Any]:
    desk.accept("IssueCreditNote", credit_note_id=credit_note_id, **data)
    return desk.current.credit_notes[-1].model_dump(mode="json")


def test_a_credit_of_all_that_is_due_makes_the_invoice_paid() -> None:
    desk = open_desk({"amount": "100"})
    credit(desk, "cn_1", amount="100")
    assert desk.event_types[-2:] == ["invoice.credited", "invoice.paid"]


def test_a_credit_on_a_paid_invoice_is_overpaid() -> None:
    desk = open_desk({"amount": "100"})
    desk.accept("RecordPayment", payment_id="pay_1", amount="100", currency="USD")
    credit(desk, "cn_1", amount="30")
    assert (desk.current.state, str(desk.current.amount_overpaid)) == ("paid", "30.00")


def test_a_credit_note_is_numbered_in_its_own_series() -> None:
    desk = open_desk({"amount": "100"})
    note = credit(desk, "cn_1", amount="1")
    assert [request.series.kind for request in desk.numbers] == ["invoice", "credit_note"]
    assert note["credit_note_number"] == desk.numbers[-1].placeholder


def test_the_last_third_of_a_line_takes_the_remaining_cent() -> None:
    desk = open_desk(THIRDS | {"amount": "100.00", "tax": {"rate": "0"}})
    notes = [
        credit(desk, f"cn_{n}", items=[{"id": "1", "quantity": "1"}])["amount"] for n in range(3)
    ]
    assert notes == ["33.33", "33.34", "33.33"]
    assert desk.current.amount_due == 0


def test_all_units_of_a_line_are_what_is_left_of_it() -> None:
    desk = open_desk({"quantity": "2", "amount": "100"})
    credit(desk, "cn_1", items=[{"id": "1", "amount": "10"}])
    assert credit(desk, "cn_2", items=[{"id": "1", "quantity": "2"}])["amount"] == "90.00"


def test_half_a_cent_of_a_quantity_without_an_end_is_rounded_up() -> None:
    desk = open_desk({"quantity": "12", "amount": "1.62"})
    assert credit(desk, "cn_1", items=[{"id": "1", "quantity": "7"}])["amount"] == "0.95"


@pytest.mark.parametrize("quantity", ["-1", "0"])
def test_a_quantity_that_was_credited_is_not_taken_back(quantity: str) -> None:
    desk = open_desk({"quantity": "3", "amount": "90"}, {"amount": "100"})
    credit(desk, "cn_1", items=[{"id": "1", "quantity": "2"}])
    items = [{"id": "1", "quantity": quantity}, {"id": "2"}]
    rejection = desk.refuse("IssueCreditNote", credit_note_id="cn_2", items=items)
    assert (rejection.code, rejection.errors[0].field) == ("amount_exceeds_balance", "items.0")


def test_a_line_of_a_quantity_below_0_is_credited_by_such() -> None:
    desk = open_desk({"quantity": "-2", "unit_price": "25"}, {"amount": "100"})
    items = [{"id": "1", "quantity": "-1"}, {"id": "2", "amount": "60"}]
    assert credit(desk, "cn_1", items=items)["amount"] == "35.00"


def test_the_tax_in_all_credits_is_the_tax_of_the_invoice() -> None:
    desk = open_desk(THIRDS)
    taxes = [
        credit(desk, f"cn_{n}", items=[{"id": "1", "quantity": "1"}])["tax_amount"]
        for n in range(3)
    ]
    assert sum(map(Decimal, taxes)) == desk.current.document.total_tax == 20


UNTAXED = {"amount": "100"}


@pytest.mark.parametrize(
    ("part", "tax"),
    [
        ({"items": [{"id": "2"}]}, "0.00"),
        ({"items": [{"id": "1"}]}, "20.00"),
        ({"items": [{"id": "1", "quantity": "1"}, {"id": "2", "amount": "50"}]}, "6.67"),
        ({"shipping": True}, "1.00"),
        ({"items": [{"id": "2"}], "shipping": True}, "1.00"),
        ({"amount": "115.50"}, "10.50"),
    ],
)
def test_the_tax_in_a_credit_is_that_of_its_lines_or_a_share_of_all(
    part: dict[str, Any], tax: str
) -> None:
    shipping = {"amount": "10", "tax": {"rate": "0.1"}}
    desk = open_desk(THIRDS, UNTAXED, shipping=shipping)
    assert credit(desk, "cn_1", **part)["tax_amount"] == tax


def test_thirds_of_a_line_hold_all_of_its_tax() -> None:
    desk = open_desk(THIRDS, UNTAXED)
    thirds = [{"items": [{"id": "1", "quantity": "1"}]}] * 3
    taxes = [credit(desk, f"cn_{n}", **third)["tax_amount"] for n, third in enumerate(thirds)]
    assert taxes == ["6.67", "6.67", "6.66"]


def test_an_amount_after_lines_holds_a_share_of_the_tax_that_is_left() -> None:
    desk = open_desk(THIRDS, UNTAXED)
    credit(desk, "cn_1", items=[{"id": "2"}])
    assert credit(desk, "cn_2", amount="60")["tax_amount"] == "10.00"


def test_a_line_after_an_amount_of_the_whole_holds_the_tax_of_the_line() -> None:
    desk = open_desk(THIRDS, UNTAXED)
    credit(desk, "cn_1", amount="110")
    assert credit(desk, "cn_2", items=[{"id": "1", "amount": "55"}])["tax_amount"] == "9.17"


def test_a_line_is_credited_with_at_most_what_is_left_of_its_tax_group() -> None:
    desk = open_desk(THIRDS, UNTAXED)
    credit(desk, "cn_1", amount="110")
    rejection = desk.refuse("IssueCreditNote", credit_note_id="cn_2", items=[{"id": "1"}])
    assert rejection.code == "amount_exceeds_balance"
    credit(desk, "cn_2", items=[{"id": "1", "amount": "60"}])
    assert groups(credit(desk, "cn_3", amount="50")) == [(None, None, "50.00", "0.00")]


@pytest.mark.parametrize(
    ("lines", "first", "last"),
    [
        # The rest is 120.00 in all, as the first line is: 62.61 of its group, 57.39 of the other.
        ([("100", "0.2"), ("100", "0.1")], "110", {"id": "1"}),
        # The rest is 100.00 in all: 105.04 of the first line's group, less 5.04 of the others'.
        ([("200", "0"), ("-10", "0.2"), ("2", "0.2")], "90.40", {"id": "1", "amount": "100"}),
    ],
)
def test_lines_that_are_the_rest_in_sum_take_nothing_of_another_tax_group(
    lines: list[tuple[str, str]], first: str, last: dict[str, str]
) -> None:
    desk = open_desk(*({"amount": amount, "tax": {"rate": rate}} for amount, rate in lines))
    credit(desk, "cn_1", amount=first)
    rejection = desk.refuse("IssueCreditNote", credit_note_id="cn_2", items=[last])
    assert (rejection.code, rejection.errors[0].field) == ("amount_exceeds_balance", "items")
    credit(desk, "cn_2", amount=str(desk.current.total - desk.current.amount_credited))
    assert_all_is_credited(desk)


def test_lines_that_are_the_rest_of_every_group_take_all_its_tax() -> None:
    desk = open_desk(THIRDS, REDUCED)
    credit(desk, "cn_1", items=[{"id": "1", "amount": "0.07"}])
    credit(desk, "cn_2", items=[{"id": "1"}, {"id": "2"}])
    assert_all_is_credited(desk)


def groups(note: dict[str, Any]) -> list[tuple[str | None, str | None, str, str]]:
    return [
        (group["category"], group["rate"], group["net"], group["tax"])
        for group in note["tax_groups"]
    ]


REDUCED = {"amount": "50", "tax": {"rate": "0.1", "category": "reduced"}}


def test_an_amount_is_shared_over_the_tax_groups_and_what_is_untaxed() -> None:
    desk = open_desk(THIRDS, REDUCED, {"amount": "23", "duties": {"amount": "2"}})
    note = credit(desk, "cn_1", amount="100")
    assert groups(note) == [
        ("standard", "0.2", "50.00", "10.00"),
        ("reduced", "0.1", "25.00", "2.50"),
        (None, None, "12.50", "0.00"),
    ]
    assert note["tax_amount"] == "12.50"


def test_an_amount_is_shared_by_largest_remainder() -> None:
    desk = open_desk(*({"amount": "1", "tax": {"rate": f"0.{n}"}} for n in (0, 1, 2)))
    note = credit(desk, "cn_1", amount="0.10")
    gross = [Decimal(net) + Decimal(tax) for _, _, net, tax in groups(note)]
    assert gross == [Decimal("0.03"), Decimal("0.03"), Decimal("0.04")]


def test_the_parts_of_a_line_are_in_their_own_groups() -> None:
    line = {
        "amount": "100",
        "tax": {"rate": "0.2"},
        "fees": [
            {"type": "a", "amount": "10", "tax": {"rate": "0.1"}},
            {"type": "b", "amount": "5"},
        ],
        "duties": {"amount": "3"},
        "importer_tax": {"amount": "1"},
    }
    desk = open_desk(line, UNTAXED)
    assert groups(credit(desk, "cn_1", items=[{"id": "1"}])) == [
        ("standard", "0.2", "100.00", "20.00"),
        ("standard", "0.1", "10.00", "1.00"),
        (None, None, "9.00", "0.00"),
    ]


def test_the_last_credit_takes_the_rest_of_every_group() -> None:
    desk = open_desk(THIRDS, REDUCED, UNTAXED)
    for number in range(3):
        credit(desk, f"cn_{number}", amount="0.07")
    last = credit(desk, "cn_9", amount=str(desk.current.total - desk.current.amount_credited))
    assert last["tax_groups"][-1]["category"] is None
    assert_all_is_credited(desk)


def assert_all_is_credited(desk: Desk) -> None:
    """The standing notes add up to the invoice, tax group by tax group."""
    sums: dict[tuple[str | None, Decimal | None], Decimal] = defaultdict(Decimal)
    for note in desk.current.standing_credit_notes:
        for group in note.tax_groups:
            rate = None if group.rate is None else Decimal(group.rate)
            sums[group.category, rate] += group.tax
    document = desk.current.document
    assert sum(sums.values()) == document.total_tax
    for group in document.tax_groups:
        rate = None if group.rate is None else Decimal(group.rate)
        assert sums[group.category, rate] == group.tax


SELLERS = read_sellers("""
[sellers.tokyo]
time_zone = "Asia/Tokyo"
locked_until = 2026-11-19
credit_note_numbers = { prefix = "C-", yearly = true }
""")


def desk_in_tokyo(**more: Any) -> Desk:
    desk = Desk(SELLERS)
    lines = {"customer_id": "cus_1", "currency": "JPY", "items": [{"amount": "100"}]}
    desk.accept("CreateInvoice", seller_id="tokyo", **lines, **more)
    return desk


def test_a_credit_note_has_the_sellers_day_and_the_series_of_its_year() -> None:
    desk = desk_in_tokyo()
    desk.now = datetime(2026, 12, 31, 15, 30, tzinfo=UTC)
    note = credit(desk, "cn_1", amount="1")
    assert note["document_date"] == "2027-01-01"
    assert desk.numbers[-1].series.period == "2027"


def test_a_credit_note_is_not_before_its_invoice() -> None:
    desk = desk_in_tokyo(document_date="2026-12-24")
    assert credit(desk, "cn_1", amount="1")["document_date"] == "2026-12-24"


def test_a_given_date_of_a_credit_note_is_from_the_invoices_to_today() -> None:
    desk = desk_in_tokyo(document_date="2026-11-20")
    desk.now += timedelta(days=10)
    for day in ("2026-11-19", "2026-12-01"):
        for command, more in (
            ("IssueCreditNote", {"credit_note_id": "cn_1", "amount": "1"}),
            ("ReverseInvoice", {}),
        ):
            rejection = desk.refuse(command, document_date=day, **more)
            assert (rejection.code, rejection.errors[0].field) == (
                "invalid_command",
                "document_date",
            )
    note = credit(desk, "cn_1", amount="1", document_date="2026-11-25")
    assert note["document_date"] == "2026-11-25"


def test_a_credit_note_of_an_invoice_dated_ahead_may_be_given_the_invoices_date() -> None:
    desk = desk_in_tokyo(document_date="2026-12-24")
    for day in ("2026-12-23", "2026-12-25"):
        rejection = desk.refuse(
            "IssueCreditNote", credit_note_id="cn_1", amount="1", document_date=day
        )
        assert rejection.code == "invalid_command"
    note = credit(desk, "cn_1", amount="1", document_date="2026-12-24")
    assert note["document_date"] == "2026-12-24"


def test_an_invoice_dated_ahead_may_be_reversed_on_its_date() -> None:
    desk = desk_in_tokyo(document_date="2026-12-24")
    desk.accept("ReverseInvoice", document_date="2026-12-24")
    (note,) = desk.current.credit_notes
    assert str(note.document_date) == "2026-12-24"


def test_a_credit_note_is_not_dated_in_a_locked_period() -> None:
    desk = desk_in_tokyo()
    desk.now += timedelta(days=60)
    desk.sellers = read_sellers("""
[sellers.tokyo]
time_zone = "Asia/Tokyo"
locked_until = 2026-12-31
""")
    for command, more in (
        ("IssueCreditNote", {"credit_note_id": "cn_1", "amount": "1"}),
        ("ReverseInvoice", {}),
    ):
        assert desk.refuse(command, document_date="2026-12-31", **more).code == "period_locked"
    credit(desk, "cn_1", amount="1", document_date="2027-01-01")


def test_an_uncollectible_invoice_is_credited() -> None:
    desk = open_desk({"amount": "100"})
    desk.accept("WriteOffInvoice")
    credit(desk, "cn_1", amount="30")
    assert (desk.current.state, str(desk.current.amount_written_off)) == ("uncollectible", "70.00")
    credit(desk, "cn_2", amount="70")
    assert desk.current.state == "paid"


def test_a_void_credit_note_credits_nothing_and_keeps_its_number() -> None:
    desk = open_desk({"amount": "100"})
    note = credit(desk, "cn_1", amount="100")
    desk.accept("VoidCreditNote", credit_note_id="cn_1", reason="Wrong invoice")
    assert desk.event_types[-2:] == ["invoice.credit_note_voided", "invoice.reopened"]
    assert (desk.current.state, desk.current.amount_due, desk.current.amount_credited) == (
        "open",
        100,
        0,
    )
    (void,) = desk.current.credit_notes
    assert (void.voided_at, void.void_reason) == (desk.now, "Wrong invoice")
    assert void.credit_note_number == note["credit_note_number"]


def test_a_credit_note_that_is_void_is_voided_again_without_an_event() -> None:
    desk = open_desk({"amount": "100"})
    credit(desk, "cn_1", amount="100")
    desk.accept("VoidCreditNote", credit_note_id="cn_1")
    version = desk.current.version
    desk.accept("VoidCreditNote", credit_note_id="cn_1")
    assert desk.current.version == version


def test_the_id_of_a_void_credit_note_is_taken() -> None:
    desk = open_desk({"amount": "100"})
    credit(desk, "cn_1", amount="100")
    desk.accept("VoidCreditNote", credit_note_id="cn_1")
    rejection = desk.refuse("IssueCreditNote", credit_note_id="cn_1", amount="1")
    assert rejection.code == "duplicate_credit_note"


def test_an_unknown_credit_note_is_not_voided() -> None:
    desk = open_desk({"amount": "100"})
    rejection = desk.refuse("VoidCreditNote", credit_note_id="cn_1")
    assert rejection.code == "unknown_credit_note"


def test_a_credit_note_of_a_locked_period_is_not_voided() -> None:
    desk = desk_in_tokyo()
    credit(desk, "cn_1", amount="1")
    desk.sellers = read_sellers("[sellers.tokyo]\nlocked_until = 2026-11-20")
    assert desk.refuse("VoidCreditNote", credit_note_id="cn_1").code == "period_locked"


def test_what_a_void_note_credited_of_a_line_can_be_credited_again() -> None:
    desk = open_desk(THIRDS, REDUCED)
    for number in range(2):
        for id_ in ("1", "2"):
            credit(desk, f"cn_{number}_{id_}", items=[{"id": id_}])
        assert desk.current.amount_due == 0
        assert_all_is_credited(desk)
        for id_ in ("1", "2"):
            desk.accept("VoidCreditNote", credit_note_id=f"cn_{number}_{id_}")


def test_cents_of_quantities_that_were_voided_are_made_up_for_in_the_end() -> None:
    """Of five at 0.006 each, the first, third and fifth took the cents, and stand."""
    desk = open_desk({"quantity": "5", "amount": "0.03"}, {"amount": "100"})
    for number in range(5):
        items = [{"id": "1", "quantity": "1"}, {"id": "2", "amount": "1"}]
        credit(desk, f"cn_{number}", items=items)
    for number in (1, 3):
        desk.accept("VoidCreditNote", credit_note_id=f"cn_{number}")
    again = credit(desk, "cn_5", items=[{"id": "1", "quantity": "1"}, {"id": "2", "amount": "1"}])
    assert again["items"][0]["amount"] == "0.00"


def paid_desk(paid: str = "100") -> Desk:
    desk = open_desk({"amount": "100"})
    desk.accept("RecordPayment", payment_id="pay_1", amount=paid)
    return desk


REFUND = {"payment_id": "pay_1", "refund_id": "ref_1"}


def test_a_credit_refunds_what_it_makes_overpaid_in_one_decision() -> None:
    desk = paid_desk()
    credit(desk, "cn_1", amount="30", refund=REFUND, reason="Damaged")
    assert desk.event_types[-2:] == ["invoice.credited", "invoice.payment_refunded"]
    (refund,) = desk.current.payments["pay_1"].refunds
    assert (refund.amount, refund.reason) == (30, "Damaged")
    assert (desk.current.state, desk.current.amount_overpaid) == ("paid", 0)


def test_a_credit_of_what_is_partly_due_refunds_the_rest() -> None:
    desk = paid_desk("80")
    credit(desk, "cn_1", amount="50", refund=REFUND)
    assert desk.event_types[-3:] == [
        "invoice.credited",
        "invoice.payment_refunded",
        "invoice.paid",
    ]
    assert desk.current.amount_refunded == 30


def test_a_refund_with_a_credit_note_may_be_one_to_execute() -> None:
    desk = paid_desk()
    credit(desk, "cn_1", amount="30", refund=REFUND | {"execute": True})
    assert desk.event_types[-3:] == [
        "invoice.credited",
        "invoice.refund_requested",
        "invoice.overpaid",
    ]


def test_a_refund_of_more_than_the_credit_makes_the_invoice_due_again() -> None:
    desk = paid_desk()
    credit(desk, "cn_1", amount="30", refund=REFUND | {"amount": "50"})
    assert desk.event_types[-1] == "invoice.reopened"
    assert (desk.current.state, desk.current.amount_due) == ("open", 20)


@pytest.mark.parametrize("written_off", [False, True])
@pytest.mark.parametrize(
    ("refund", "state", "due", "times_paid"),
    [("30", "open", 20, 0), ("10", "paid", 0, 1), ("5", "paid", 0, 1)],
)
def test_a_credit_and_its_refund_are_facts_before_what_follows_from_both(
    written_off: bool, refund: str, state: str, due: int, times_paid: int
) -> None:
    """The credit leaves nothing owed in between, so a write-off is over."""
    desk = paid_desk("60")
    if written_off:
        desk.accept("WriteOffInvoice")
    before = desk.current.version
    credit(desk, "cn_1", amount="50", refund=REFUND | {"amount": refund})
    emitted = desk.event_types[before - desk.current.version :]
    assert emitted[:2] == ["invoice.credited", "invoice.payment_refunded"]
    follows = {
        "30": ["invoice.reopened"] if written_off else [],
        "10": ["invoice.paid"],
        "5": ["invoice.paid", "invoice.overpaid"],
    }
    assert emitted[2:] == follows[refund]
    assert (desk.current.state, desk.current.amount_due) == (state, due)
    assert (desk.current.amount_written_off, desk.current.times_paid) == (0, times_paid)


@pytest.mark.parametrize(
    ("paid", "refund", "code"),
    [
        ("100", {"amount": "100.01"}, "amount_exceeds_balance"),
        ("60", {}, "amount_exceeds_balance"),
        ("100", {"payment_id": "pay_2"}, "unknown_payment"),
        ("100", {"amount": "0.001"}, "invalid_command"),
        ("100", {"execute": True, "settled": True}, "invalid_command"),
    ],
)
def test_where_the_refund_is_refused_nothing_is_credited(
    paid: str, refund: dict[str, Any], code: str
) -> None:
    desk = paid_desk(paid)
    rejection = desk.refuse(
        "IssueCreditNote", credit_note_id="cn_1", amount="30", refund=REFUND | refund
    )
    assert rejection.code == code
    assert not desk.current.credit_notes
    assert len(desk.numbers) == 1


def test_the_default_refund_is_at_most_what_is_left_of_the_payment() -> None:
    desk = paid_desk("60")
    desk.accept("RecordPayment", payment_id="pay_2", amount="40")
    rejection = desk.refuse("IssueCreditNote", credit_note_id="cn_1", amount="70", refund=REFUND)
    assert rejection.code == "amount_exceeds_balance"


def test_an_invoice_with_a_credit_note_is_not_voided() -> None:
    desk = open_desk({"amount": "100"})
    credit(desk, "cn_1", amount="20")
    assert desk.refuse("VoidInvoice").code == "has_credit_notes"
    desk.accept("VoidCreditNote", credit_note_id="cn_1")
    assert desk.accept("VoidInvoice").state == "void"


def test_a_note_of_the_first_releases_has_its_groups_derived() -> None:
    """It says that it holds 10.00 of tax, and not at which rates."""
    desk = open_desk(THIRDS, REDUCED, {"amount": "25"})
    desk.accept("IssueCreditNote", credit_note_id="cn_1", amount="80")
    assert desk.invoice is not None
    (note,) = desk.invoice.credit_notes
    old = note.copy_with(tax_groups=(), tax_amount=Decimal("10.00"))
    remainder = Remainder(desk.invoice.document, [old])
    rest = remainder.take(Credit(Decimal(120)))
    assert rest == {
        ("standard", Decimal("0.2")): (Decimal("60.00"), Decimal("12.00")),
        ("reduced", Decimal("0.1")): (Decimal("30.00"), Decimal("3.00")),
        (None, None): (Decimal("15.00"), Decimal(0)),
    }


def test_shipping_is_credited_with_its_tax() -> None:
    shipping = {"amount": "10", "tax": {"rate": "0.2"}}
    desk = open_desk({"amount": "100"}, shipping=shipping)
    assert credit(desk, "cn_1", shipping=True)["shipping_amount"] == "12.00"


def test_shipping_inside_which_tax_is_held_is_credited_as_it_is() -> None:
    shipping = {"amount": "12", "tax": {"rate": "0.2"}}
    desk = open_desk({"amount": "100"}, shipping=shipping, tax_inclusive=True)
    assert credit(desk, "cn_1", shipping=True)["amount"] == "12.00"


def test_more_than_is_left_is_refused() -> None:
    desk = open_desk({"amount": "100"})
    credit(desk, "cn_1", amount="60")
    rejection = desk.refuse("IssueCreditNote", credit_note_id="cn_2", amount="40.01")
    assert rejection.code == "amount_exceeds_balance"


@pytest.mark.parametrize("part", [{"quantity": "4"}, {"amount": "120.01"}, {"quantity": "-1"}])
def test_more_than_a_line_is_refused_with_its_path(part: dict[str, str]) -> None:
    desk = open_desk(THIRDS, {"amount": "500"})
    rejection = desk.refuse("IssueCreditNote", credit_note_id="cn_1", items=[{"id": "1"} | part])
    assert rejection.code == "amount_exceeds_balance"
    assert rejection.errors[0].field == "items.0"


REBATE = {"quantity": "2", "amount": "-50"}


@pytest.mark.parametrize("amount", ["30", "50", "50.01"])
def test_a_line_below_0_is_not_credited_by_an_amount(amount: str) -> None:
    desk = open_desk({"amount": "100"}, REBATE, {"amount": "100"})
    items = [{"id": "1"}, {"id": "2", "amount": amount}]
    rejection = desk.refuse("IssueCreditNote", credit_note_id="cn_1", items=items)
    assert (rejection.code, rejection.errors[0].field) == (
        "amount_exceeds_balance",
        "items.1.amount",
    )


@pytest.mark.parametrize(("part", "amount"), [({}, "50.00"), ({"quantity": "1"}, "75.00")])
def test_a_line_below_0_is_credited_whole_and_by_quantity(
    part: dict[str, str], amount: str
) -> None:
    desk = open_desk({"amount": "100"}, REBATE, {"amount": "100"})
    note = credit(desk, "cn_1", items=[{"id": "1"}, {"id": "2"} | part])
    assert note["amount"] == amount


def test_an_unknown_line_is_refused_with_its_path() -> None:
    desk = open_desk(THIRDS)
    rejection = desk.refuse("IssueCreditNote", credit_note_id="cn_1", items=[{"id": "2"}])
    assert (rejection.code, rejection.errors[0].field) == ("unknown_item", "items.0.id")


def test_a_line_that_was_credited_whole_is_refused() -> None:
    desk = open_desk(THIRDS, {"amount": "500"})
    credit(desk, "cn_1", items=[{"id": "1"}])
    rejection = desk.refuse("IssueCreditNote", credit_note_id="cn_2", items=[{"id": "1"}])
    assert rejection.code == "nothing_to_credit"


def test_a_credit_of_nothing_is_refused() -> None:
    desk = open_desk(THIRDS)
    assert desk.refuse("IssueCreditNote", credit_note_id="cn_1").code == "invalid_command"


def test_an_amount_and_lines_together_are_refused() -> None:
    desk = open_desk(THIRDS)
    rejection = desk.refuse(
        "IssueCreditNote", credit_note_id="cn_1", amount="1", items=[{"id": "1"}]
    )
    assert rejection.errors[0].field == "amount"


def test_reversing_credits_the_whole_with_its_tax() -> None:
    desk = open_desk(THIRDS)
    desk.accept("ReverseInvoice", reason="Wrong customer")
    (note,) = desk.current.credit_notes
    assert (note.amount, note.tax_amount) == (120, 20)
    assert desk.event_types[-2:] == ["invoice.credited", "invoice.reversed"]


def test_a_reversed_invoice_has_nothing_due() -> None:
    desk = open_desk(THIRDS)
    desk.accept("ReverseInvoice")
    assert desk.current.amount_due == 0


@given(st.lists(items("USD", minimum=0), min_size=1, max_size=5), st.booleans(), st.randoms())
def test_crediting_each_line_in_turn_ends_at_0(
    lines: list[dict[str, Any]], inclusive: bool, random: Any
) -> None:
    desk = Desk()
    data = {"customer_id": "cus_1", "currency": "USD", "items": lines, "tax_inclusive": inclusive}
    if not isinstance(desk.send("CreateInvoice", **data), Accepted):
        return
    if any(item.total < 0 for item in desk.current.document.items):
        return
    ids = [item.id for item in desk.current.document.items if item.total]
    random.shuffle(ids)
    for id_ in ids:
        credit(desk, f"cn_{id_}", items=[{"id": id_}])
    assert (desk.current.state, desk.current.amount_due) == ("paid", 0)
    if ids:  # Else there was nothing to credit, though prices of 0 may hold a tax that was given.
        taxes = [note.tax_amount for note in desk.current.credit_notes]
        assert sum(taxes) == desk.current.document.total_tax
