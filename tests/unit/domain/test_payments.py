"""Charges, payments, refunds and write-offs."""

from datetime import UTC, datetime

import pytest

from tests.support.domain.desk import open_desk, pay


def test_each_event_tells_the_state_after_it() -> None:
    desk = open_desk("0")
    assert [event.state.value for event, _ in desk.history] == ["draft", "open", "paid"]


def test_a_part_leaves_the_rest_due() -> None:
    desk = open_desk()
    pay(desk, "pay_1", "40")
    assert (desk.current.state, str(desk.current.amount_due)) == ("open", "60.00")


def test_the_rest_makes_it_paid() -> None:
    desk = open_desk()
    pay(desk, "pay_1", "40")
    pay(desk, "pay_2", "60")
    assert desk.event_types[-2:] == ["invoice.payment_recorded", "invoice.paid"]


def test_what_is_too_much_is_kept_as_overpaid() -> None:
    desk = open_desk()
    pay(desk, "pay_1", "120")
    assert desk.event_types[-3:] == [
        "invoice.payment_recorded",
        "invoice.paid",
        "invoice.overpaid",
    ]
    assert str(desk.current.amount_overpaid) == "20.00"


def test_what_comes_after_it_is_paid_is_overpaid_and_not_paid_again() -> None:
    desk = open_desk()
    pay(desk, "pay_1", "100")
    pay(desk, "pay_2", "5")
    assert desk.event_types[-2:] == ["invoice.payment_recorded", "invoice.overpaid"]


def test_giving_back_what_was_too_much_leaves_it_paid() -> None:
    desk = open_desk()
    pay(desk, "pay_1", "120")
    desk.accept("RefundPayment", payment_id="pay_1", refund_id="ref_1", amount="20")
    assert (desk.current.state, desk.current.amount_overpaid) == ("paid", 0)


def test_a_payment_on_its_way_is_not_paid_yet() -> None:
    desk = open_desk()
    pay(desk, "pay_1", "100", settled=False)
    assert (desk.current.state, str(desk.current.amount_due)) == ("open", "100.00")


def test_a_payment_on_its_way_is_paid_when_it_settles() -> None:
    desk = open_desk()
    pay(desk, "pay_1", "100", settled=False)
    desk.accept("SettlePayment", payment_id="pay_1")
    assert desk.event_types[-2:] == ["invoice.payment_settled", "invoice.paid"]


def test_a_requested_charge_is_answered_under_its_id() -> None:
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type="creditCard")
    desk.accept("PayInvoice")
    requested = desk.history[-1][0].model_dump()
    pay(desk, requested["payment_id"], str(requested["amount"]))
    assert desk.current.state == "paid"
    assert desk.current.payments[requested["payment_id"]].source_id == "src_1"


def test_a_payment_has_the_time_that_it_was_received_at() -> None:
    desk = open_desk()
    pay(desk, "pay_1", "1", received_at="2026-11-19T10:00:00+02:00")
    assert desk.current.payments["pay_1"].received_at == datetime(2026, 11, 19, 8, tzinfo=UTC)


def test_a_payment_without_a_time_was_received_when_it_was_recorded() -> None:
    desk = open_desk()
    pay(desk, "pay_1", "1")
    assert desk.current.payments["pay_1"].received_at == desk.now


def test_a_charge_is_asked_of_the_source_attached_last() -> None:
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type="creditCard")
    desk.accept("AttachSource", source_id="src_2", type="konbini")
    desk.accept("PayInvoice")
    assert desk.history[-1][0].model_dump()["source_id"] == "src_2"


def test_a_requested_charge_never_takes_the_id_of_another_payment() -> None:
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type="creditCard")
    pay(desk, "inv_1-5", "1")
    desk.accept("PayInvoice")
    assert desk.history[-1][0].model_dump()["payment_id"] == "inv_1-5-"


def test_every_failure_is_counted() -> None:
    desk = open_desk()
    for payment_id in ("pay_1", "pay_2"):
        pay(desk, payment_id, "100", settled=False)
        desk.accept("RecordPaymentFailure", payment_id=payment_id, code="declined")
    assert desk.current.attempt_count == 2


def test_a_payment_takes_back_what_was_written_off() -> None:
    desk = open_desk()
    desk.accept("WriteOffInvoice")
    pay(desk, "pay_1", "40")
    assert (desk.current.state, str(desk.current.amount_written_off)) == ("uncollectible", "60.00")


def test_a_payment_of_all_that_was_written_off_makes_it_paid() -> None:
    desk = open_desk()
    desk.accept("WriteOffInvoice")
    pay(desk, "pay_1", "100")
    assert (desk.current.state, desk.current.amount_written_off) == ("paid", 0)


def test_a_charge_of_what_was_written_off_asks_for_all_of_it() -> None:
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type="creditCard")
    desk.accept("WriteOffInvoice")
    desk.accept("PayInvoice")
    assert str(desk.history[-1][0].model_dump()["amount"]) == "100.00"


def test_writing_off_leaves_nothing_due() -> None:
    desk = open_desk()
    pay(desk, "pay_1", "33.33")
    desk.accept("WriteOffInvoice")
    assert (desk.current.amount_due, str(desk.current.amount_written_off)) == (0, "66.67")


def test_money_in_another_currency_is_refused() -> None:
    rejection = open_desk().refuse("RecordPayment", payment_id="p", amount="1", currency="EUR")
    assert rejection.code == "currency_mismatch"


MONEY_COMMANDS = {
    "RecordPayment": {"payment_id": "pay_2", "amount": "1.5"},
    "RefundPayment": {"payment_id": "pay_1", "refund_id": "ref_1", "amount": "1.5"},
    "IssueCreditNote": {"credit_note_id": "cn_1", "amount": "1.5"},
}


@pytest.mark.parametrize("command", MONEY_COMMANDS)
def test_a_currency_that_is_given_must_be_the_invoices(command: str) -> None:
    for currency, code in (("EUR", "currency_mismatch"), ("JPY", "invalid_command")):
        desk = open_desk()
        pay(desk, "pay_1", "50.00")

        rejection = desk.refuse(command, **MONEY_COMMANDS[command], currency=currency)

        assert rejection.code == code


@pytest.mark.parametrize("command", MONEY_COMMANDS)
def test_a_currency_that_is_left_out_is_the_invoices(command: str) -> None:
    with_currency, without = open_desk(), open_desk()
    for desk, currency in ((with_currency, {"currency": "USD"}), (without, {})):
        pay(desk, "pay_1", "50.00")
        desk.accept(command, **MONEY_COMMANDS[command], **currency)

    assert without.current == with_currency.current
    assert without.current.model_dump_json() == with_currency.current.model_dump_json()


@pytest.mark.parametrize(
    ("command", "data"),
    [
        ("PayInvoice", {"amount": "0.5"}),
        ("RefundPayment", {"payment_id": "p", "refund_id": "r", "amount": "0.5"}),
        ("IssueCreditNote", {"credit_note_id": "c", "amount": "0.5"}),
        ("IssueCreditNote", {"credit_note_id": "c", "items": [{"id": "1", "amount": "0.5"}]}),
        ("UpdateInvoice", {"items": [{"amount": "0.5"}]}),
    ],
)
def test_half_a_yen_is_refused_with_its_path(command: str, data: dict[str, object]) -> None:
    rejection = open_desk("100", "JPY").refuse(command, **data)
    assert rejection.code == "invalid_command"
    assert rejection.errors[0].field.endswith("amount")
    assert rejection.errors[0].reason == "must have at most 0 decimals"


def test_payments_stay_below_the_limit_of_money_in_sum() -> None:
    desk = open_desk()
    pay(desk, "pay_1", "999999999999999.99")
    rejection = desk.refuse("RecordPayment", payment_id="pay_2", amount="0.01", currency="USD")
    assert rejection.code == "limit_exceeded"


def test_a_payment_tells_since_when_it_is_there_and_when_it_last_changed() -> None:
    desk = open_desk()
    pay(desk, "pay_1", "100", settled=False)
    begun = desk.now
    desk.accept("SettlePayment", payment_id="pay_1")
    payment = desk.current.payments["pay_1"]
    assert (payment.created_at, payment.updated_at) == (begun, desk.now)


def test_a_charge_that_was_asked_for_is_there_since_it_was_asked_for() -> None:
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type="creditCard")
    desk.accept("PayInvoice")
    begun = desk.now
    (asked,) = desk.current.payments
    pay(desk, asked, "100")
    assert desk.current.payments[asked].created_at == begun
