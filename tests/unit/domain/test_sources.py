"""Attached sources."""

import pytest

from invoicing.domain.transitions import available_commands
from tests.support.domain.desk import Desk, an_item, open_desk


def test_the_source_of_the_invoice_itself_can_be_charged() -> None:
    desk = Desk()
    desk.accept(
        "CreateInvoice",
        customer_id="cus_1",
        currency="USD",
        items=[an_item()],
        source_id="src_9",
    )
    desk.accept("PayInvoice")
    assert desk.history[-1][0].model_dump()["source_id"] == "src_9"


def test_a_source_of_which_more_is_told_was_attached_before() -> None:
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type="creditCard")
    attached = desk.now
    desk.accept("AttachSource", source_id="src_1", type="creditCard", details={"brand": "Visa"})
    assert desk.current.sources["src_1"].attached_at == attached


def test_a_source_keeps_its_type() -> None:
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type="creditCard")

    rejection = desk.refuse("AttachSource", source_id="src_1", type="credit_card")

    assert rejection.code == "duplicate_source"
    assert desk.current.sources["src_1"].type == "creditCard"


def test_the_details_of_a_source_can_be_set_again() -> None:
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type="creditCard")

    desk.accept("AttachSource", source_id="src_1", type="creditCard", details={"brand": "Visa"})

    assert desk.current.sources["src_1"].details == {"brand": "Visa"}


def test_a_source_that_was_detached_comes_back_with_another_type() -> None:
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type="creditCard")
    desk.accept("DetachSource", source_id="src_1")

    desk.accept("AttachSource", source_id="src_1", type="credit_card")

    assert desk.current.sources["src_1"].type == "credit_card"


def test_a_default_source_is_given_its_type_when_it_is_attached() -> None:
    desk = Desk()
    desk.accept(
        "CreateInvoice", customer_id="c", currency="USD", items=[an_item()], source_id="src_1"
    )
    assert desk.current.sources["src_1"].type is None

    desk.accept("AttachSource", source_id="src_1", type="creditCard")

    assert desk.current.sources["src_1"].type == "creditCard"


def charge_with(details: dict[str, object] | None, type_: str = "creditCard") -> Desk:
    """An open invoice of 100 USD with a source of these details."""
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type=type_, details=details)
    return desk


@pytest.mark.parametrize(
    "details",
    [
        {"state": "failed"},
        {"state": "consumed"},
        {"state": "cancelled"},
        {"state": "EXPIRED"},
        {"currency": "EUR"},
        {"expirationYear": 2003, "expirationMonth": 12},
        {"expirationYear": 2026, "expirationMonth": 10},
        {"expirationYear": "26", "expirationMonth": "03"},
        {"expirationYear": 2025},
        {"creditCard": {"expirationYear": 2026, "expirationMonth": 10}},
        {"creditCard": {"state": "failed"}},
        {"state": "chargeable", "creditCard": {"state": "Cancelled"}},
        {"state": "failed", "creditCard": {"state": "chargeable"}},
        {"creditCard": {"currency": "JPY"}},
    ],
)
def test_a_source_that_cannot_be_charged_is_refused(details: dict[str, object]) -> None:
    desk = charge_with(details)
    assert desk.refuse("PayInvoice").code == "source_unusable"


@pytest.mark.parametrize(
    "details",
    [
        None,
        {"state": "chargeable", "currency": "USD", "reusable": False},
        {"state": "requires_action", "currency": "usd"},
        {"expirationYear": 2026, "expirationMonth": 11},
        {"expirationYear": "2026", "expirationMonth": 0},
        {"expirationYear": True, "expirationMonth": 1},
        {"expirationYear": "soon", "state": {"failed": True}, "currency": 840},
        {"expirationMonth": 1},
        {"konbini": {"expirationYear": 2003, "state": "failed", "currency": "JPY"}},
        {"creditCard": {"state": "chargeable", "currency": "usd"}},
    ],
)
def test_a_source_of_which_nothing_bad_is_known_is_charged(
    details: dict[str, object] | None,
) -> None:
    charge_with(details).accept("PayInvoice")


@pytest.mark.parametrize("details", [{"reusable": False}, {"creditCard": {"reusable": False}}])
def test_a_source_for_one_charge_is_charged_again_only_if_that_failed(
    details: dict[str, object],
) -> None:
    desk = charge_with(details)
    desk.accept("PayInvoice", amount="40")
    (first,) = desk.current.payments
    desk.accept("RecordPaymentFailure", payment_id=first, code="declined")
    desk.accept("PayInvoice", amount="40")
    second = list(desk.current.payments)[-1]
    desk.accept("SettlePayment", payment_id=second)
    assert desk.refuse("PayInvoice").code == "source_unusable"
    assert "PayInvoice" not in available_commands(desk.current)


def test_a_debtor_pays_with_a_new_card() -> None:
    desk = charge_with({"state": "failed"})
    desk.accept("WriteOffInvoice")
    desk.accept("DetachSource", source_id="src_1")
    desk.accept("AttachSource", source_id="src_2", type="creditCard")
    desk.accept("PayInvoice")
    assert desk.history[-1][0].model_dump()["source_id"] == "src_2"


def test_another_source_is_attached_and_detached_while_a_charge_is_in_flight() -> None:
    desk = charge_with(None)
    desk.accept("PayInvoice")

    desk.accept("AttachSource", source_id="src_2", type="wireTransfer")
    desk.accept("AttachSource", source_id="src_1", type="creditCard", details={"brand": "Visa"})
    desk.accept("DetachSource", source_id="src_2")

    assert list(desk.current.sources) == ["src_1"]


def test_the_source_of_a_payment_in_flight_is_not_detached() -> None:
    desk = charge_with(None)
    desk.accept("PayInvoice")
    (payment_id,) = desk.current.payments
    assert "DetachSource" not in available_commands(desk.current)
    assert desk.refuse("DetachSource", source_id="src_1").code == "payment_in_progress"
    desk.accept("RecordPayment", payment_id=payment_id, amount="100", settled=False)
    assert desk.refuse("DetachSource", source_id="src_1").code == "payment_in_progress"

    desk.accept("RecordPaymentFailure", payment_id=payment_id, code="declined")

    desk.accept("DetachSource", source_id="src_1")
