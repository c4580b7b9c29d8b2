"""Commands decided on the entries that they name come to the same as on the whole invoice."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from invoicing.domain import entries
from tests.property.test_life import Life
from tests.support.domain.desk import Desk, open_desk, pay
from tests.support.domain.rows import Rows


class LifeInRows(Life):
    """The same random lives, with everything in rows that may be."""

    def __init__(self) -> None:
        super().__init__()
        self.desk.rows = Rows()


@pytest.fixture(params=[0, 1, 2])
def inline_max(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many entries of a kind stay in the snapshot."""
    monkeypatch.setattr(entries, "INLINE_MAX", request.param)
    return int(request.param)


@pytest.mark.usefixtures("inline_max")
def test_random_lives_go_the_same_way_in_rows() -> None:
    run_state_machine_as_test(
        LifeInRows, settings=settings(max_examples=60, stateful_step_count=30)
    )


@pytest.fixture
def desk(inline_max: int) -> Iterator[Desk]:
    """An invoice with four payments of 20.00, one of them in flight, all or most in rows."""
    made = open_desk()
    made.rows = Rows()
    made.accept("UpdateInvoice", memo="written")
    for number in range(1, 4):
        pay(made, f"pay_{number}", "20.00")
    pay(made, "sepa", "20.00", settled=False)
    yield made
    assert made.rows.snapshot is not None
    assert made.rows.snapshot.startswith('{"entries":')
    assert len(made.rows.invoice().payments) == len(made.current.payments) > inline_max


def test_a_late_report_finds_the_payment_that_it_names(desk: Desk) -> None:
    desk.accept("RecordPaymentFailure", payment_id="sepa", code="no_funds")
    desk.accept("SettlePayment", payment_id="sepa", amount="15.00")

    assert desk.current.payments["sepa"].amount == 15
    assert desk.current.amount_due == 25


@pytest.mark.parametrize(
    ("command", "data", "code"),
    [
        ("RecordPayment", {"payment_id": "pay_1", "amount": "5.00"}, "duplicate_payment"),
        ("SettlePayment", {"payment_id": "none"}, "unknown_payment"),
        ("RefundPayment", {"payment_id": "none", "refund_id": "r", "amount": "1"},
         "unknown_payment"),
        ("RecordRefundFailure", {"payment_id": "pay_1", "refund_id": "none", "code": "x"},
         "unknown_refund"),
        ("ReturnPayment", {"payment_id": "sepa", "code": "x"}, "unknown_payment"),
        ("CloseDispute", {"dispute_id": "none", "outcome": "won"}, "unknown_dispute"),
        ("VoidCreditNote", {"credit_note_id": "none"}, "unknown_credit_note"),
        ("VoidInvoice", {}, "has_payments"),
        ("WriteOffInvoice", {}, "payment_in_progress"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused(
    desk: Desk, command: str, data: dict[str, str], code: str
) -> None:
    assert desk.refuse(command, **data).code == code


def test_an_id_of_a_part_is_known_on_another_payment(desk: Desk) -> None:
    refund = {"refund_id": "ref_1", "amount": "5.00"}
    returned = {"return_id": "ret_1", "code": "x", "amount": "1.00"}
    desk.accept("RefundPayment", payment_id="pay_1", **refund)
    desk.accept("ReturnPayment", payment_id="pay_1", **returned)
    desk.accept("OpenDispute", payment_id="pay_1", dispute_id="dis_1", amount="5.00")

    refused = (
        desk.refuse("RefundPayment", payment_id="pay_2", **refund),
        desk.refuse("ReturnPayment", payment_id="pay_2", **returned),
        desk.refuse("OpenDispute", payment_id="pay_2", dispute_id="dis_1", amount="5.00"),
    )
    assert [one.code for one in refused] == [
        "duplicate_refund", "duplicate_return", "duplicate_dispute",
    ]  # fmt: skip


def test_a_dispute_is_closed_by_its_id_alone(desk: Desk) -> None:
    desk.accept("OpenDispute", payment_id="pay_1", dispute_id="dis_1", amount="5.00")
    desk.accept("OpenDispute", payment_id="pay_2", dispute_id="dis_2", amount="5.00")
    assert desk.accept("CloseDispute", dispute_id="dis_1", outcome="lost").disputed
    assert not desk.accept("CloseDispute", dispute_id="dis_2", outcome="won").disputed


def test_a_request_is_cancelled_by_a_payment_that_does_not_name_it(desk: Desk) -> None:
    desk.accept("RecordPaymentFailure", payment_id="sepa", code="no_funds")
    desk.accept("AttachSource", source_id="src_1", type="creditCard")
    desk.accept("PayInvoice")
    pay(desk, "pay_4", "30.00")

    (requested,) = (one for one in desk.current.payments if one.startswith("inv_1-"))
    assert desk.current.payments[requested].state == "cancelled"


def test_a_new_id_leaves_out_one_that_a_client_has_taken(desk: Desk) -> None:
    desk.accept("RecordPaymentFailure", payment_id="sepa", code="no_funds")
    desk.accept("AttachSource", source_id="src_1", type="creditCard")
    taken = f"inv_1-{desk.current.version + 2}"
    pay(desk, taken, "1.00")
    desk.accept("PayInvoice")

    assert desk.current.payments[f"{taken}-"].state == "requested"


def test_only_a_decision_on_a_source_looks_at_more_than_it_names(desk: Desk) -> None:
    assert desk.rows is not None
    desk.accept("AttachSource", source_id="src_1", type="creditCard", details={"reusable": False})
    desk.accept("RecordPaymentFailure", payment_id="sepa", code="no_funds")
    loads = desk.rows.loads
    desk.accept("SendInvoice", to="ada@example.com")
    desk.accept("IssueCreditNote", credit_note_id="cn_1", amount="5.00")
    desk.accept("VoidCreditNote", credit_note_id="cn_1")
    assert desk.rows.loads == loads + 3

    desk.accept("PayInvoice")
    assert desk.rows.loads == loads + 5


def test_credit_notes_by_line_see_all_earlier_ones(desk: Desk) -> None:
    line = desk.current.document.items[0].id
    for number in range(4):
        item = {"id": line, "amount": "10.00"}
        desk.accept("IssueCreditNote", credit_note_id=f"cn_{number}", items=[item])
    desk.accept("VoidCreditNote", credit_note_id="cn_0")

    refused = desk.refuse(
        "IssueCreditNote", credit_note_id="cn_4", items=[{"id": line, "amount": "70.01"}]
    )
    assert refused.code == "amount_exceeds_balance"
    desk.accept("IssueCreditNote", credit_note_id="cn_5", items=[{"id": line}])
    assert desk.current.amount_credited == 100


def test_a_repeated_report_on_a_sending_changes_nothing(desk: Desk) -> None:
    for number in range(4):
        desk.accept("RecordInvoiceSent", send_id=f"send_{number}", to="ada@example.com")
    version = desk.current.version
    desk.accept("RecordInvoiceSent", send_id="send_0", to="ada@example.com")
    desk.accept("SendInvoice", to="ada@example.com")
    desk.accept("SendInvoice", to="ada@example.com")

    assert desk.current.version == version + 1
