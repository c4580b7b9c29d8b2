"""Payments that the customer's bank took back."""

import pytest

from tests.support.domain.desk import Desk, open_desk, pay


@pytest.fixture
def desk() -> Desk:
    """An invoice of 100.00 that is paid."""
    desk = open_desk()
    pay(desk, "pay_1", "100")
    return desk


def give_back(desk: Desk, **more: object) -> None:
    desk.accept("ReturnPayment", payment_id="pay_1", code="R01", **more)


def test_a_return_opens_the_invoice_again(desk: Desk) -> None:
    give_back(desk, fee="4")
    assert desk.event_types[-2:] == ["invoice.payment_returned", "invoice.reopened"]
    assert desk.history[-1][0].model_dump()["reason"] == "return"
    assert (str(desk.current.amount_due), str(desk.current.amount_returned)) == ("100.00",) * 2


def test_a_returned_payment_is_over(desk: Desk) -> None:
    give_back(desk)
    assert desk.current.payments["pay_1"].state == "returned"
    assert desk.refuse("SettlePayment", payment_id="pay_1").code == "unknown_payment"
    again = desk.refuse("RecordPayment", payment_id="pay_1", amount="100")
    assert again.code == "duplicate_payment"
    pay(desk, "pay_2", "100")
    assert desk.history[-1][0].model_dump()["times_paid"] == 2


def test_the_fee_is_not_owed_by_the_customer(desk: Desk) -> None:
    give_back(desk, fee="4")
    (returned,) = desk.current.payments["pay_1"].returns
    assert (str(returned.fee), str(desk.current.amount_due)) == ("4.00", "100.00")


def test_a_part_can_be_returned_and_then_the_rest(desk: Desk) -> None:
    give_back(desk, amount="30")
    assert desk.current.payments["pay_1"].state == "settled"
    give_back(desk)
    assert str(desk.history[-1][0].model_dump()["amount"]) == "70.00"
    assert desk.current.payments["pay_1"].state == "returned"


def test_no_more_is_returned_than_settled(desk: Desk) -> None:
    give_back(desk, amount="30")
    rejection = desk.refuse("ReturnPayment", payment_id="pay_1", code="R01", amount="70.01")
    assert rejection.code == "amount_exceeds_balance"
    give_back(desk)
    rejection = desk.refuse("ReturnPayment", payment_id="pay_1", code="R01")
    assert rejection.code == "amount_exceeds_balance"


def test_a_return_id_counts_once(desk: Desk) -> None:
    give_back(desk, return_id="ret_1", amount="30")
    before = len(desk.history)
    give_back(desk, return_id="ret_1", amount="30")
    give_back(desk, return_id="ret_1")
    assert len(desk.history) == before


def test_a_return_id_is_of_one_return(desk: Desk) -> None:
    pay(desk, "pay_2", "100")
    give_back(desk, return_id="ret_1", amount="30")
    for data in ({"payment_id": "pay_1", "amount": "31"}, {"payment_id": "pay_2"}):
        rejection = desk.refuse("ReturnPayment", return_id="ret_1", code="R01", **data)
        assert rejection.code == "duplicate_return"


def test_what_was_refunded_can_be_returned_too_and_is_owed_twice(desk: Desk) -> None:
    desk.accept("RefundPayment", payment_id="pay_1", refund_id="ref_1", amount="100")
    give_back(desk)
    assert str(desk.current.amount_due) == "200.00"


def test_what_was_returned_cannot_be_refunded(desk: Desk) -> None:
    give_back(desk, amount="60")
    rejection = desk.refuse("RefundPayment", payment_id="pay_1", refund_id="r", amount="40.01")
    assert rejection.code == "amount_exceeds_balance"


@pytest.mark.parametrize("state", ["requested", "received", "failed"])
def test_what_never_settled_cannot_be_returned(state: str) -> None:
    desk = open_desk()
    if state == "requested":
        desk.accept("AttachSource", source_id="src_1", type="creditCard")
        desk.accept("PayInvoice")
    else:
        pay(desk, "inv_1-4", "100", settled=False)
    if state == "failed":
        desk.accept("RecordPaymentFailure", payment_id="inv_1-4", code="declined")
    rejection = desk.refuse("ReturnPayment", payment_id="inv_1-4", code="R01")
    assert rejection.code == "unknown_payment"


def test_a_return_of_a_recovery_raises_the_write_off_again() -> None:
    desk = open_desk()
    desk.accept("WriteOffInvoice")
    pay(desk, "pay_1", "40")
    give_back(desk)
    assert (desk.current.state, str(desk.current.amount_written_off)) == ("uncollectible", "100.00")


def test_a_return_after_the_refund_of_a_void_invoice_is_given_up() -> None:
    desk = open_desk()
    pay(desk, "pay_1", "40")
    desk.accept("RefundPayment", payment_id="pay_1", refund_id="ref_1", amount="40")
    desk.accept("VoidInvoice")
    give_back(desk)
    assert (desk.current.state, str(desk.current.amount_written_off)) == ("void", "40.00")


def test_a_return_that_would_reach_the_limit_of_money_is_refused() -> None:
    desk = open_desk("999999999999999.99")
    pay(desk, "pay_1", "0.01")
    desk.accept("RefundPayment", payment_id="pay_1", refund_id="ref_1", amount="0.01")
    rejection = desk.refuse("ReturnPayment", payment_id="pay_1", code="R01")
    assert rejection.code == "limit_exceeded"
