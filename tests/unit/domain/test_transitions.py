"""Every cell of the table: each command in each situation an invoice can be in."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from invoicing.contracts.commands import COMMANDS
from invoicing.contracts.invoice import State
from invoicing.contracts.replies import Rejection
from invoicing.domain.decision import Accepted
from invoicing.domain.invoice import Invoice, Payment
from invoicing.domain.transitions import TRANSITIONS, available_commands, state_diagram
from tests.support.domain.desk import Desk, assert_summary_holds
from tests.support.domain.model import STATES_OF, Model

Script = list[tuple[str, dict[str, Any]]]


DATES = {"document_date": "2026-11-20", "due_date": "2026-12-20"}
LATER = datetime(2027, 1, 1, 10, 0, tzinfo=UTC)
"""When it is past due."""


def created(**fields: Any) -> tuple[str, dict[str, Any]]:
    item = {"amount": "100.00"}
    data = {"customer_id": "cus_1", "currency": "USD", "items": [item], **DATES}
    return ("CreateInvoice", data | fields)


def payment(payment_id: str = "pay_1", amount: str = "40.00", **more: Any) -> dict[str, Any]:
    return {"payment_id": payment_id, "amount": amount, "currency": "USD"} | more


SOURCE = ("AttachSource", {"source_id": "src_1", "type": "creditCard"})
PART = ("RecordPayment", payment())
WHOLE = ("RecordPayment", payment(amount="100.00"))
ON_ITS_WAY = ("RecordPayment", payment("pay_2", settled=False))
CREDIT = ("IssueCreditNote", {"credit_note_id": "cn_1", "amount": "10.00"})
CREDIT_VOIDED = ("VoidCreditNote", {"credit_note_id": "cn_1"})
WRITTEN_OFF = ("WriteOffInvoice", {})


VOID = ("VoidInvoice", {})
TAKEN_BACK = ("CancelPaymentRequest", {"payment_id": "inv_1-4"})
LATE = ("SettlePayment", {"payment_id": "inv_1-4"})
RETURNED = ("ReturnPayment", {"payment_id": "pay_1", "code": "R01"})
RETURNED_40 = ("ReturnPayment", {"payment_id": "pay_1", "code": "R01", "amount": "40.00"})
REFUND_FAILED = ("RecordRefundFailure", {"payment_id": "pay_1", "refund_id": "ref_1", "code": "no"})


def refund(amount: str, **more: Any) -> tuple[str, dict[str, Any]]:
    data = {"payment_id": "pay_1", "refund_id": "ref_1", "amount": amount}
    return ("RefundPayment", data | more)


def disputed(amount: str) -> tuple[str, dict[str, Any]]:
    return ("OpenDispute", {"payment_id": "pay_1", "dispute_id": "dis_1", "amount": amount})


def closed(outcome: str) -> tuple[str, dict[str, Any]]:
    return ("CloseDispute", {"dispute_id": "dis_1", "outcome": outcome})


DISPUTED, DISPUTED_40 = disputed("100.00"), disputed("40.00")


SITUATIONS: dict[str, Script] = {
    "no invoice": [],
    "draft": [created(state="draft")],
    "draft without items": [created(state="draft", items=[])],
    "draft with a source": [created(state="draft"), SOURCE],
    "draft that had a number": [created(), ("UnpostInvoice", {})],
    "open": [created()],
    "open with an e-mail": [created(email="ada@example.com")],
    "open with a source": [created(), SOURCE],
    "open with a detached source": [created(), SOURCE, ("DetachSource", {"source_id": "src_1"})],
    "open and overdue": [created(), ("MarkInvoiceOverdue", {"as_of": "2026-12-21"})],
    "open, paid in part": [created(), SOURCE, PART],
    "open, credited in part": [created(), SOURCE, CREDIT],
    "open, paid and given back": [created(), PART, refund("40.00")],
    "open, a charge requested": [created(), SOURCE, ("PayInvoice", {})],
    "open, a payment on its way": [created(), SOURCE, ON_ITS_WAY],
    "open after a failed payment": [
        created(),
        ON_ITS_WAY,
        ("RecordPaymentFailure", {"payment_id": "pay_2", "code": "declined"}),
    ],
    "open again after a refund": [created(), WHOLE, refund("100.00")],
    "open again with a part written off": [created(), PART, WRITTEN_OFF, refund("10.00")],
    "paid": [created(), WHOLE],
    "paid without a payment": [created(items=[{"amount": "0.00"}])],
    "paid too much": [created(), ("RecordPayment", payment(amount="120.00"))],
    "paid with another on its way": [created(), ON_ITS_WAY, WHOLE],
    "paid by a credit": [
        created(),
        ("IssueCreditNote", {"credit_note_id": "cn_1", "amount": "100.00"}),
    ],
    "open, its credit note void": [created(), CREDIT, CREDIT_VOIDED],
    "paid, one credit note void": [created(), CREDIT, WHOLE, CREDIT_VOIDED],
    "uncollectible": [created(), WRITTEN_OFF],
    "uncollectible, paid in part": [created(), SOURCE, PART, WRITTEN_OFF],
    "uncollectible, a charge requested": [created(), SOURCE, WRITTEN_OFF, ("PayInvoice", {})],
    "uncollectible after a credit": [created(), CREDIT, WRITTEN_OFF],
    "void": [created(), ("VoidInvoice", {})],
    "cancelled": [created(state="draft"), ("CancelInvoice", {})],
    "reversed": [created(), ("ReverseInvoice", {})],
    "open, a charge taken back": [created(), SOURCE, ("PayInvoice", {}), TAKEN_BACK],
    "open again after a return": [created(), WHOLE, RETURNED],
    "paid, a part returned": [created(), ("RecordPayment", payment(amount="140.00")), RETURNED_40],
    "paid and disputed": [created(), WHOLE, DISPUTED],
    "open after a lost dispute": [created(), WHOLE, DISPUTED, closed("lost")],
    "paid after a dispute was won": [created(), WHOLE, DISPUTED, closed("won")],
    "paid, a refund pending": [created(), WHOLE, refund("100.00", execute=True)],
    "paid after a failed refund": [created(), WHOLE, refund("100.00"), REFUND_FAILED],
    "uncollectible, a recovery returned": [created(), WRITTEN_OFF, PART, RETURNED],
    "uncollectible after a lost dispute": [
        created(),
        PART,
        WRITTEN_OFF,
        DISPUTED_40,
        closed("lost"),
    ],
    "void with a late payment": [created(), SOURCE, ("PayInvoice", {}), TAKEN_BACK, VOID, LATE],
    "void after a charge was taken back": [created(), SOURCE, ("PayInvoice", {}), TAKEN_BACK, VOID],
    "void, refunded and returned": [created(), PART, refund("40.00"), VOID, RETURNED],
    "deleted": [created(state="draft"), ("DeleteInvoice", {})],
}


def payment_that(invoice: Invoice | None, *fits: Callable[[Payment], Any]) -> str:
    """The id of a payment for which the first of the conditions holds that holds for any."""
    payments = invoice.payments if invoice else {}
    for fit in fits:
        for payment_id, found in payments.items():
            if fit(found):
                return payment_id
    return "pay_unknown"


def in_flight(invoice: Invoice | None) -> str:
    return payment_that(invoice, lambda p: p.in_flight, lambda p: p.was_given_up)


def requested(invoice: Invoice | None) -> str:
    return payment_that(invoice, lambda p: p.state == "requested", lambda p: p.was_given_up)


def recorded(invoice: Invoice | None) -> dict[str, Any]:
    """A new payment; where none is taken, one that is known."""
    if invoice is None or invoice.state in ("open", "paid", "uncollectible"):
        return payment("pay_new")
    return payment(in_flight(invoice))


def refunded(invoice: Invoice | None) -> dict[str, Any]:
    """A refund of the payment that has some, else a new one."""
    payment_id = payment_that(invoice, lambda p: p.refunds, lambda p: p.has_settled)
    known = (
        invoice.payments[payment_id].refunds if invoice and payment_id in invoice.payments else ()
    )
    pending = [refund.refund_id for refund in known if refund.state != "settled"]
    return {"payment_id": payment_id, "refund_id": [*pending, "ref_new"][0], "amount": "0.01"}


def failed_refund(invoice: Invoice | None) -> dict[str, Any]:
    payment_id = payment_that(invoice, lambda p: p.refunds)
    return {"payment_id": payment_id, "refund_id": "ref_1", "code": "account_closed"}


FITTING: dict[str, Callable[[Invoice | None], dict[str, Any]]] = {
    "CreateInvoice": lambda _: created()[1],
    "UpdateInvoice": lambda _: {"memo": "Thank you"},
    "PayInvoice": lambda _: {},
    "CancelPaymentRequest": lambda invoice: {"payment_id": requested(invoice)},
    "RecordPaymentAction": lambda invoice: {"payment_id": requested(invoice), "code": "confirm"},
    "RecordPayment": recorded,
    "SettlePayment": lambda invoice: {"payment_id": in_flight(invoice)},
    "RecordPaymentFailure": lambda invoice: {"payment_id": in_flight(invoice), "code": "declined"},
    "ReturnPayment": lambda invoice: {
        "payment_id": payment_that(invoice, lambda p: p.has_settled and p.returned < p.amount),
        "code": "R01",
        "amount": "0.01",
    },
    "OpenDispute": lambda invoice: {
        "payment_id": payment_that(invoice, lambda p: p.has_settled and p.disputed < p.amount),
        "dispute_id": "dis_new",
        "amount": "0.01",
    },
    "CloseDispute": lambda _: {"dispute_id": "dis_1", "outcome": "won"},
    "RefundPayment": lambda invoice: {
        "payment_id": payment_that(invoice, lambda p: p.refundable > 0, lambda p: p.has_settled),
        "refund_id": "ref_new",
        "amount": "0.01",
    },
    "SettleRefund": refunded,
    "RecordRefundFailure": failed_refund,
    "IssueCreditNote": lambda _: {"credit_note_id": "cn_new", "amount": "0.01"},
    "VoidCreditNote": lambda _: {"credit_note_id": "cn_1"},
    "AttachSource": lambda _: {"source_id": "src_2", "type": "wireTransfer"},
    "DetachSource": lambda _: {"source_id": "src_1"},
    "SendInvoice": lambda _: {"to": "ada@example.com"},
    "RecordInvoiceSent": lambda _: {"send_id": "send_1", "to": "ada@example.com"},
    "RecordInvoiceSendFailure": lambda _: {"send_id": "send_1", "code": "mailbox_unknown"},
    "MarkInvoiceOverdue": lambda _: {"as_of": "2027-01-01"},
}
"""For each command that needs data: data that fits, where anything does."""


def fitting(command: str, invoice: Invoice | None) -> dict[str, Any]:
    return FITTING.get(command, lambda _: {})(invoice)


def play(script: Script) -> tuple[Desk, Model]:
    """The situation, at the desk and in the model, which must agree on the way to it."""
    desk, model = Desk(now=LATER), Model()
    for command, data in script:
        desk.accept(command, **data)
        assert isinstance(model.handle(command, data), list)
    return desk, model


CELLS = [
    pytest.param(command, script, id=f"{command}: {name}{' and archived' if archived else ''}")
    for name, situation in SITUATIONS.items()
    for archived in (False, True)
    if not (archived and name in ("no invoice", "deleted"))
    for script in [[*situation, ("ArchiveInvoice", {})] if archived else situation]
    for command in COMMANDS
]


@pytest.mark.parametrize(("command", "script"), CELLS)
def test_a_cell_of_the_table(command: str, script: Script) -> None:
    desk, model = play(script)
    data = fitting(command, desk.invoice)
    before = len(desk.history)
    offered = available_commands(desk.invoice)

    decided = desk.send(command, **data)

    expected = model.handle(command, data)
    if isinstance(expected, set):
        assert isinstance(decided, Rejection)
        assert decided.code.value in expected
        assert command not in offered
        return
    assert isinstance(decided, Accepted)
    assert command in offered or not decided.events
    assert desk.event_types[before:] == [f"invoice.{name}" for name in expected]
    assert desk.current.state.value == model.state
    assert desk.current.amount_due * 100 == model.books.due
    assert desk.current.amount_written_off * 100 == model.books.given_up
    assert desk.current.amount_overpaid * 100 == model.books.overpaid


@pytest.mark.parametrize("script", SITUATIONS.values(), ids=SITUATIONS.keys())
def test_every_command_that_is_offered_is_accepted(script: Script) -> None:
    desk, _ = play(script)
    for command in available_commands(desk.invoice):
        another = deepcopy(desk)
        assert isinstance(another.send(command, **fitting(command, desk.invoice)), Accepted), (
            command
        )


@pytest.mark.parametrize("script", SITUATIONS.values(), ids=SITUATIONS.keys())
def test_every_state_that_a_command_leads_to_is_in_the_table(script: Script) -> None:
    desk, _ = play(script)
    for command in available_commands(desk.invoice):
        if desk.invoice is None:
            continue
        another = deepcopy(desk)
        after = another.accept(command, **fitting(command, desk.invoice))
        assert after.state in TRANSITIONS[COMMANDS[command]].moves[desk.invoice.state]


def test_the_table_takes_each_command_in_the_states_of_the_design() -> None:
    table = {
        command.__name__: {state.value for state in row.moves}
        for command, row in TRANSITIONS.items()
    }
    assert table == STATES_OF


def test_the_table_has_every_command_but_the_first() -> None:
    assert {command.__name__ for command in TRANSITIONS} == set(COMMANDS) - {"CreateInvoice"}


def test_no_command_leaves_a_state_that_is_final_but_for_payments_on_their_way() -> None:
    final = {State.VOID, State.CANCELLED, State.REVERSED, State.DELETED}
    for row in TRANSITIONS.values():
        for state in final & row.moves.keys():
            assert row.moves[state] == (state,)


def test_the_state_diagram_shows_a_move_of_the_table() -> None:
    assert "    open --> void: VoidInvoice\n" in state_diagram()


def test_the_second_void_is_refused_and_changes_nothing() -> None:
    desk, _ = play(SITUATIONS["void"])
    assert desk.refuse("VoidInvoice").code == "illegal_transition"


def test_a_wrong_expected_version_is_refused_before_the_state_is_looked_at() -> None:
    desk, _ = play(SITUATIONS["void"])
    rejection = desk.send("VoidInvoice", expected_version=1)
    assert isinstance(rejection, Rejection)
    assert rejection.code == "version_conflict"


def test_the_right_expected_version_is_accepted() -> None:
    desk, _ = play(SITUATIONS["open"])
    assert isinstance(desk.send("VoidInvoice", expected_version=2), Accepted)


def test_a_new_invoice_may_expect_version_0_only() -> None:
    rejection = Desk().send("CreateInvoice", expected_version=1, **created()[1])
    assert isinstance(rejection, Rejection)
    assert rejection.code == "version_conflict"


def test_a_deleted_invoice_cannot_be_made_again() -> None:
    desk, _ = play(SITUATIONS["deleted"])
    assert desk.refuse(*created()[:1], **created()[1]).code == "invoice_already_exists"


def test_opening_a_draft_below_zero_is_refused() -> None:
    desk, _ = play([created(state="draft", items=[{"amount": "-0.01"}])])
    assert desk.refuse("OpenInvoice").code == "negative_total"
    assert "OpenInvoice" not in available_commands(desk.invoice)


def test_making_an_open_invoice_below_zero_is_refused_whole() -> None:
    desk = Desk()
    assert desk.refuse(*created()[:1], **created(items=[{"amount": "-1"}])[1]).code == (
        "negative_total"
    )


def test_a_reopened_invoice_keeps_its_number() -> None:
    desk, _ = play(SITUATIONS["draft that had a number"])
    number = desk.current.invoice_number
    assert desk.accept("OpenInvoice").invoice_number == number == "number-1"
    assert len(desk.numbers) == 1


def test_a_void_invoice_keeps_its_number() -> None:
    desk, _ = play(SITUATIONS["void"])
    assert desk.current.invoice_number == "number-1"


def test_every_state_entered_is_known_with_its_time() -> None:
    desk, _ = play(SITUATIONS["paid"])
    assert set(desk.current.entered) == {State.DRAFT, State.OPEN, State.PAID}
    assert desk.current.entered[State.PAID] == desk.now


def test_once_open_only_texts_can_be_changed() -> None:
    desk, _ = play(SITUATIONS["open"])
    rejection = desk.refuse("UpdateInvoice", memo="Thanks", order_id="ord_1", items=[])
    assert rejection.code == "illegal_transition"
    assert [error.field for error in rejection.errors] == ["items", "order_id"]


def test_the_summary_of_every_situation_holds() -> None:
    for script in SITUATIONS.values():
        desk, _ = play(script)
        if desk.invoice:
            assert_summary_holds(desk.invoice)
