"""Charges, payments, refunds and write-offs."""

from datetime import UTC, datetime

import pytest

from tests.support.domain.desk import Desk, open_desk, pay


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
    assert without.current.to_json() == with_currency.current.to_json()


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


def charge(desk: Desk, **data: object) -> str:
    """Request a charge of a new source; gives the payment's id."""
    desk.accept("AttachSource", source_id="src_1", type="creditCard")
    desk.accept("PayInvoice", **data)
    (requested,) = (p.payment_id for p in desk.current.payments.values() if p.state == "requested")
    return requested


def test_a_request_can_be_taken_back() -> None:
    desk = open_desk()
    requested = charge(desk)

    desk.accept("CancelPaymentRequest", payment_id=requested, reason="He pays by wire.")

    assert desk.event_types[-1] == "invoice.payment_cancelled"
    assert desk.history[-1][0].model_dump()["code"] == "cancelled"
    payment = desk.current.payments[requested]
    assert (payment.state, payment.failure_message) == ("cancelled", "He pays by wire.")
    desk.accept("VoidInvoice")


def test_taking_back_a_request_twice_changes_nothing() -> None:
    desk = open_desk()
    requested = charge(desk)
    desk.accept("CancelPaymentRequest", payment_id=requested)
    before = len(desk.history)
    desk.accept("CancelPaymentRequest", payment_id=requested)
    assert len(desk.history) == before


@pytest.mark.parametrize("settled", [False, True])
def test_what_was_received_or_has_settled_is_no_request(settled: bool) -> None:
    desk = open_desk()
    pay(desk, "pay_1", "100", settled=settled)
    for command in ({"code": "sca"}, {}):
        name = "RecordPaymentAction" if command else "CancelPaymentRequest"
        assert desk.refuse(name, payment_id="pay_1", **command).code == "unknown_payment"


def test_an_action_of_the_customer_leaves_the_payment_requested() -> None:
    desk = open_desk()
    requested = charge(desk)
    action = {"code": "authentication_required", "url": "https://pay.example/7"}

    desk.accept("RecordPaymentAction", payment_id=requested, **action)
    desk.accept("RecordPaymentAction", payment_id=requested, **action)

    assert desk.event_types.count("invoice.payment_action_required") == 1
    payment = desk.current.payments[requested]
    assert (payment.state, payment.action_code) == ("requested", action["code"])
    assert payment.action_url == action["url"]


@pytest.mark.parametrize(("amount", "due"), [("60", "40.00"), ("100", "0.00"), ("130", "0.00")])
def test_a_payment_settles_with_the_amount_that_came(amount: str, due: str) -> None:
    desk = open_desk()
    pay(desk, "pay_1", "100", settled=False)

    desk.accept("SettlePayment", payment_id="pay_1", amount=amount)

    assert str(desk.current.amount_due) == due
    assert desk.current.payments["pay_1"].amount == desk.current.amount_paid == int(amount)
    assert desk.refuse("SettlePayment", payment_id="pay_1", amount="40").code == "unknown_payment"


def give_up(desk: Desk, how: str) -> str:
    """A charge of 100.00 that was given up; gives its id."""
    requested = charge(desk)
    if how == "failed":
        desk.accept("RecordPaymentFailure", payment_id=requested, code="declined")
    elif how == "cancelled":
        desk.accept("CancelPaymentRequest", payment_id=requested)
    else:
        pay(desk, "wire", "100")
    return requested


GIVEN_UP = pytest.mark.parametrize("how", ["failed", "cancelled", "superseded"])


@GIVEN_UP
@pytest.mark.parametrize("command", ["RecordPayment", "SettlePayment"])
def test_a_late_success_is_counted(how: str, command: str) -> None:
    desk = open_desk()
    payment_id = give_up(desk, how)
    before = desk.current.amount_paid

    desk.accept(command, payment_id=payment_id, amount="100")

    assert desk.current.state == "paid"
    assert desk.current.amount_paid == before + 100
    payment = desk.current.payments[payment_id]
    assert (payment.state, payment.failure_code) == ("settled", None)


@GIVEN_UP
@pytest.mark.parametrize(
    ("command", "data"),
    [
        ("RecordPayment", {"amount": "100", "settled": False}),
        ("RecordPaymentFailure", {"code": "declined"}),
        ("RecordPaymentAction", {"code": "sca"}),
        ("CancelPaymentRequest", {}),
    ],
)
def test_other_late_reports_change_nothing(how: str, command: str, data: dict[str, object]) -> None:
    desk = open_desk()
    payment_id = give_up(desk, how)
    before = len(desk.history)
    desk.accept(command, payment_id=payment_id, **data)
    assert len(desk.history) == before


@pytest.mark.parametrize("command", ["RecordPayment", "SettlePayment"])
@pytest.mark.parametrize("end", ["VoidInvoice", "ReverseInvoice"])
def test_a_late_success_of_an_ended_invoice_is_overpaid_and_can_be_refunded(
    end: str, command: str
) -> None:
    desk = open_desk()
    payment_id = give_up(desk, "cancelled")
    desk.accept(end)
    ended = desk.current.state

    desk.accept(command, payment_id=payment_id, amount="100")

    assert desk.event_types[-1] == "invoice.overpaid"
    assert (desk.current.state, str(desk.current.amount_overpaid)) == (ended, "100.00")
    desk.accept("RefundPayment", payment_id=payment_id, refund_id="ref_1", amount="100")
    assert (desk.current.state, desk.current.amount_overpaid) == (ended, 0)


def test_a_new_payment_of_an_ended_invoice_is_refused() -> None:
    desk = open_desk()
    give_up(desk, "cancelled")
    desk.accept("VoidInvoice")
    rejection = desk.refuse("RecordPayment", payment_id="pay_new", amount="1")
    assert rejection.code == "illegal_transition"


LESS_DUE = {
    "a payment": ("RecordPayment", {"payment_id": "wire", "amount": "60"}),
    "a settlement": ("SettlePayment", {"payment_id": "sepa"}),
    "a credit note": ("IssueCreditNote", {"credit_note_id": "cn_1", "amount": "60"}),
}


@pytest.mark.parametrize("fact", LESS_DUE.values(), ids=LESS_DUE)
def test_a_request_for_more_than_is_due_is_superseded(fact: tuple[str, dict[str, str]]) -> None:
    desk = open_desk()
    requested = charge(desk, amount="50")
    pay(desk, "sepa", "60", settled=False)

    desk.accept(fact[0], **fact[1])

    assert desk.event_types[-1] == "invoice.payment_cancelled"
    assert desk.history[-1][0].model_dump()["code"] == "superseded"
    assert desk.current.payments[requested].state == "cancelled"
    expected = "settled" if fact[0] == "SettlePayment" else "received"
    assert desk.current.payments["sepa"].state == expected


def test_a_request_for_what_is_still_due_stays() -> None:
    desk = open_desk()
    requested = charge(desk, amount="50")
    pay(desk, "wire", "50")
    assert desk.current.payments[requested].state == "requested"


def test_a_superseded_request_is_the_last_event() -> None:
    desk = open_desk()
    charge(desk)
    pay(desk, "wire", "120")
    assert desk.event_types[-4:] == [
        "invoice.payment_recorded",
        "invoice.paid",
        "invoice.overpaid",
        "invoice.payment_cancelled",
    ]


@pytest.mark.parametrize(
    "command", ["VoidInvoice", "UnpostInvoice", "ReverseInvoice", "WriteOffInvoice"]
)
def test_nothing_ends_an_invoice_while_a_payment_is_in_flight(command: str) -> None:
    desk = open_desk()
    requested = charge(desk)
    assert desk.refuse(command).code == "payment_in_progress"
    pay(desk, requested, "100", settled=False)
    assert desk.refuse(command).code == "payment_in_progress"
