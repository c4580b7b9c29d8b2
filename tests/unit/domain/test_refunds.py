"""Refunds: requested, final, failed, and those that the provider made."""

import pytest

from tests.support.domain.desk import Desk, open_desk, pay


@pytest.fixture
def desk() -> Desk:
    """An invoice of 100.00 that is paid."""
    desk = open_desk()
    pay(desk, "pay_1", "100")
    return desk


def refund(desk: Desk, amount: str = "40", refund_id: str = "ref_1", **more: object) -> None:
    desk.accept("RefundPayment", payment_id="pay_1", refund_id=refund_id, amount=amount, **more)


ONE = {"payment_id": "pay_1", "refund_id": "ref_1"}
PENDING = pytest.mark.parametrize("how", [{"settled": False}, {"execute": True}])


@PENDING
def test_a_pending_refund_changes_no_amount(desk: Desk, how: dict[str, bool]) -> None:
    refund(desk, **how)
    event = desk.history[-1][0].model_dump()
    assert (event["amount_refunded"], event["state"]) == (0, "paid")
    assert event["execute"] == how.get("execute", False)
    (pending,) = desk.current.payments["pay_1"].refunds
    assert (pending.state, pending.refunded_at) == ("pending", None)


@PENDING
def test_a_pending_refund_is_not_left_of_its_payment(desk: Desk, how: dict[str, bool]) -> None:
    refund(desk, "60", **how)
    rejection = desk.refuse("RefundPayment", payment_id="pay_1", refund_id="ref_2", amount="40.01")
    assert rejection.code == "amount_exceeds_balance"
    refund(desk, "40", "ref_2")


def test_an_order_that_is_final_already_is_refused(desk: Desk) -> None:
    rejection = desk.refuse("RefundPayment", **ONE, amount="1", settled=True, execute=True)
    assert (rejection.code, rejection.errors[0].field) == ("invalid_command", "execute")


@PENDING
def test_a_pending_refund_opens_the_invoice_when_it_is_final(
    desk: Desk, how: dict[str, bool]
) -> None:
    refund(desk, **how)

    desk.accept("SettleRefund", **ONE, settled_at="2026-11-20T09:00:00Z")

    assert desk.event_types[-2:] == ["invoice.payment_refunded", "invoice.reopened"]
    assert desk.history[-1][0].model_dump()["reason"] == "refund"
    assert str(desk.current.amount_due) == "40.00"
    (settled,) = desk.current.payments["pay_1"].refunds
    assert (settled.state, settled.refunded_at and settled.refunded_at.hour) == ("settled", 9)


def test_a_refund_is_final_with_the_amount_that_went_back(desk: Desk) -> None:
    refund(desk, "40", settled=False)
    desk.accept("SettleRefund", **ONE, amount="39")
    assert str(desk.current.amount_refunded) == "39.00"
    refund(desk, "61", "ref_2")


def test_a_second_settlement_is_refused(desk: Desk) -> None:
    refund(desk)
    assert desk.refuse("SettleRefund", **ONE).code == "unknown_refund"


def test_a_refund_is_not_final_in_the_future(desk: Desk) -> None:
    refund(desk, settled=False)
    rejection = desk.refuse("SettleRefund", **ONE, settled_at="2026-11-22T10:00:00Z")
    assert (rejection.code, rejection.errors[0].field) == ("invalid_command", "settled_at")
    desk.accept("SettleRefund", **ONE, settled_at="2026-11-21T09:00:00Z")


def test_a_failed_refund_is_left_of_its_payment_again(desk: Desk) -> None:
    refund(desk, "100", execute=True)

    desk.accept("RecordRefundFailure", **ONE, code="account_closed", message="No such account")

    (failed,) = desk.current.payments["pay_1"].refunds
    assert (failed.state, failed.failure_code) == ("failed", "account_closed")
    refund(desk, "100", "ref_2")


def test_a_final_refund_can_fail_and_the_invoice_is_paid_again(desk: Desk) -> None:
    refund(desk)

    desk.accept("RecordRefundFailure", **ONE, code="account_closed")

    assert desk.event_types[-2:] == ["invoice.refund_failed", "invoice.paid"]
    assert desk.history[-1][0].model_dump()["times_paid"] == 2
    assert (desk.current.state, desk.current.amount_refunded) == ("paid", 0)


def test_a_failed_refund_of_an_overpayment_is_overpaid_again() -> None:
    desk = open_desk()
    pay(desk, "pay_1", "120")
    refund(desk, "20")
    desk.accept("RecordRefundFailure", **ONE, code="account_closed")
    assert desk.event_types[-2:] == ["invoice.refund_failed", "invoice.overpaid"]


def test_a_failure_that_is_reported_twice_counts_once(desk: Desk) -> None:
    refund(desk)
    for code in ("account_closed", "other"):
        desk.accept("RecordRefundFailure", **ONE, code=code)
    assert desk.current.amount_refunded == 0
    assert desk.event_types.count("invoice.refund_failed") == 1


def test_a_failed_refund_can_arrive_after_all(desk: Desk) -> None:
    refund(desk, settled=False)
    desk.accept("RecordRefundFailure", **ONE, code="account_closed")
    desk.accept("SettleRefund", **ONE)
    (settled,) = desk.current.payments["pay_1"].refunds
    assert (settled.state, settled.failure_code) == ("settled", None)
    assert str(desk.current.amount_refunded) == "40.00"


def test_a_refund_that_the_provider_made_is_taken_with_its_amount(desk: Desk) -> None:
    assert desk.refuse("SettleRefund", **ONE).code == "unknown_refund"
    desk.accept("SettleRefund", **ONE, amount="100")
    assert str(desk.current.amount_due) == "100.00"


def test_what_the_provider_made_is_taken_though_the_money_went_back(desk: Desk) -> None:
    desk.accept("ReturnPayment", payment_id="pay_1", code="R01")
    desk.accept("SettleRefund", **ONE, amount="100")
    assert str(desk.current.amount_due) == "200.00"


def test_refunds_never_exceed_what_settled(desk: Desk) -> None:
    refund(desk, "60")
    rejection = desk.refuse("SettleRefund", payment_id="pay_1", refund_id="ref_2", amount="40.01")
    assert rejection.code == "amount_exceeds_balance"


def test_a_refund_id_is_of_one_payment(desk: Desk) -> None:
    pay(desk, "pay_2", "100")
    refund(desk, settled=False)
    other = {"payment_id": "pay_2", "refund_id": "ref_1"}
    assert desk.refuse("SettleRefund", **other).code == "unknown_refund"
    assert desk.refuse("SettleRefund", **other, amount="1").code == "duplicate_refund"
    assert desk.refuse("RefundPayment", **other, amount="1").code == "duplicate_refund"
    assert desk.refuse("RecordRefundFailure", **other, code="x").code == "unknown_refund"


@pytest.mark.parametrize("how", [{"settled": True}, {"settled": False}])
def test_an_overpayment_is_refunded_of_a_written_off_or_void_invoice(
    how: dict[str, bool],
) -> None:
    desk = open_desk()
    pay(desk, "pay_1", "40")
    desk.accept("WriteOffInvoice")
    refund(desk, "40", **how)
    assert desk.current.state == "uncollectible"
