"""Credit notes, by amount and by line."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.domain.decision import Accepted
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
    assert taxes == ["6.67", "6.66", "6.67"]


def test_an_amount_after_lines_holds_a_share_of_the_tax_that_is_left() -> None:
    desk = open_desk(THIRDS, UNTAXED)
    credit(desk, "cn_1", items=[{"id": "2"}])
    assert credit(desk, "cn_2", amount="60")["tax_amount"] == "10.00"


def test_a_line_after_an_amount_of_the_whole_holds_a_share_of_the_tax_that_is_left() -> None:
    desk = open_desk(THIRDS, UNTAXED)
    credit(desk, "cn_1", amount="110")
    assert credit(desk, "cn_2", items=[{"id": "1", "amount": "55"}])["tax_amount"] == "5.00"


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
