"""Payments that the customer disputes."""

import json

import pytest

from invoicing.contracts.commands import CommandData, read_data
from invoicing.domain.decide import decide
from invoicing.domain.decision import Accepted, Command, Context
from invoicing.domain.invoice import Payment
from tests.support.domain.desk import Desk, open_desk, pay


@pytest.fixture
def desk() -> Desk:
    """An invoice of 100.00 that is paid."""
    desk = open_desk()
    pay(desk, "pay_1", "100")
    return desk


def dispute(desk: Desk, amount: str = "100", dispute_id: str = "dis_1", **more: object) -> None:
    desk.accept("OpenDispute", payment_id="pay_1", dispute_id=dispute_id, amount=amount, **more)


def close(desk: Desk, outcome: str, **more: object) -> None:
    desk.accept("CloseDispute", dispute_id="dis_1", outcome=outcome, **more)


def test_an_open_dispute_changes_no_amount(desk: Desk) -> None:
    dispute(desk, evidence_due_at="2026-12-04T10:00:00Z")
    assert (desk.current.state, desk.current.amount_returned) == ("paid", 0)
    assert desk.current.disputed
    (opened,) = desk.current.payments["pay_1"].disputes
    assert opened.evidence_due_at is not None


def test_what_is_disputed_cannot_be_refunded(desk: Desk) -> None:
    dispute(desk, "60")
    rejection = desk.refuse("RefundPayment", payment_id="pay_1", refund_id="r", amount="40.01")
    assert rejection.code == "amount_exceeds_balance"


def test_a_lost_dispute_opens_the_invoice_again(desk: Desk) -> None:
    dispute(desk, "60")
    close(desk, "lost", fee="15")
    assert desk.event_types[-2:] == ["invoice.dispute_closed", "invoice.reopened"]
    assert desk.history[-1][0].model_dump()["reason"] == "dispute_lost"
    assert (str(desk.current.amount_due), str(desk.current.amount_returned)) == ("60.00",) * 2
    assert not desk.current.disputed


@pytest.mark.parametrize("outcome", ["won", "withdrawn"])
def test_a_dispute_that_is_not_lost_changes_nothing(desk: Desk, outcome: str) -> None:
    dispute(desk)
    close(desk, outcome)
    assert (desk.current.state, desk.current.amount_returned) == ("paid", 0)
    desk.accept("RefundPayment", payment_id="pay_1", refund_id="ref_1", amount="100")


def test_a_lost_dispute_can_be_won_later(desk: Desk) -> None:
    dispute(desk)
    close(desk, "lost", fee="15")

    close(desk, "won", fee="5.50")

    assert desk.event_types[-2:] == ["invoice.dispute_closed", "invoice.paid"]
    assert (desk.current.state, desk.current.amount_returned) == ("paid", 0)
    (closed,) = desk.current.payments["pay_1"].disputes
    assert (closed.state, str(closed.fee)) == ("won", "20.50")


def test_a_lost_dispute_that_is_won_after_another_payment_is_overpaid(desk: Desk) -> None:
    dispute(desk)
    close(desk, "lost")
    pay(desk, "pay_2", "100")
    close(desk, "won")
    assert desk.event_types[-1] == "invoice.overpaid"
    assert str(desk.current.amount_overpaid) == "100.00"


def test_an_outcome_that_is_known_changes_nothing(desk: Desk) -> None:
    dispute(desk)
    close(desk, "lost", fee="15")
    before = len(desk.history)
    close(desk, "lost", fee="15")
    close(desk, "lost")
    assert len(desk.history) == before


@pytest.mark.parametrize("fee", ["5", "0", None])
def test_a_report_that_a_lost_dispute_was_won_can_be_repeated(desk: Desk, fee: str | None) -> None:
    dispute(desk)
    close(desk, "lost", fee="15")
    close(desk, "won", fee=fee)
    before = len(desk.history)
    close(desk, "won", fee=fee)
    assert len(desk.history) == before
    assert desk.refuse("CloseDispute", dispute_id="dis_1", outcome="won", fee="15").code == (
        "dispute_closed"
    )


def test_a_repeated_report_is_known_in_a_snapshot_without_its_fee(desk: Desk) -> None:
    dispute(desk)
    close(desk, "lost", fee="15")
    payment = desk.current.payments["pay_1"].model_dump(mode="json")
    del payment["disputes"][0]["last_fee"]
    before = desk.current.copy_with(
        payments={"pay_1": Payment.model_validate_json(json.dumps(payment))}
    )
    report = read_data("CloseDispute", {"dispute_id": "dis_1", "outcome": "lost", "fee": "15"})
    assert isinstance(report, CommandData)

    decided = decide(
        before,
        Command("inv_1", "CloseDispute", report, desk.now, None),
        Context(desk.now, desk.sellers, next(desk.placeholders)),
    )

    assert isinstance(decided, Accepted)
    assert not decided.events


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"outcome": "won"}, {"outcome": "lost"}),
        ({"outcome": "withdrawn"}, {"outcome": "won"}),
        ({"outcome": "lost"}, {"outcome": "withdrawn"}),
        ({"outcome": "lost", "fee": "15"}, {"outcome": "lost", "fee": "16"}),
    ],
)
def test_a_closed_dispute_stays_closed(
    desk: Desk, first: dict[str, str], then: dict[str, str]
) -> None:
    dispute(desk)
    close(desk, **first)
    rejection = desk.refuse("CloseDispute", dispute_id="dis_1", **then)
    assert rejection.code == "dispute_closed"


def test_disputes_never_exceed_what_settled(desk: Desk) -> None:
    dispute(desk, "60")
    close(desk, "lost")
    other = {"payment_id": "pay_1", "dispute_id": "dis_2"}
    assert desk.refuse("OpenDispute", **other, amount="40.01").code == "amount_exceeds_balance"
    dispute(desk, "40", "dis_2")


def test_a_dispute_that_was_won_leaves_room_for_another(desk: Desk) -> None:
    dispute(desk)
    close(desk, "won")
    dispute(desk, "100", "dis_2")


def test_what_was_refunded_can_be_disputed_and_lost_too(desk: Desk) -> None:
    desk.accept("RefundPayment", payment_id="pay_1", refund_id="ref_1", amount="100")
    dispute(desk)
    close(desk, "lost")
    assert str(desk.current.amount_due) == "200.00"


def test_an_invoice_is_disputed_as_long_as_any_dispute_is_open(desk: Desk) -> None:
    dispute(desk, "60")
    dispute(desk, "40", "dis_2")
    close(desk, "won")
    assert desk.current.disputed


def test_a_dispute_holds_nothing() -> None:
    desk = open_desk()
    pay(desk, "pay_1", "40")
    dispute(desk, "40")
    desk.accept("WriteOffInvoice")
    close(desk, "lost")
    assert (desk.current.state, str(desk.current.amount_written_off)) == ("uncollectible", "100.00")


def test_a_dispute_id_is_unique_in_the_invoice(desk: Desk) -> None:
    pay(desk, "pay_2", "100")
    dispute(desk)
    for payment_id in ("pay_1", "pay_2"):
        again = {"payment_id": payment_id, "dispute_id": "dis_1", "amount": "1"}
        assert desk.refuse("OpenDispute", **again).code == "duplicate_dispute"


def test_a_dispute_of_nothing_that_is_known_is_refused(desk: Desk) -> None:
    unknown = {"payment_id": "pay_9", "dispute_id": "dis_1", "amount": "1"}
    assert desk.refuse("OpenDispute", **unknown).code == "unknown_payment"
    rejection = desk.refuse("CloseDispute", dispute_id="dis_1", outcome="lost")
    assert rejection.code == "unknown_dispute"
