"""Random commands, legal and not, on one invoice, beside an independent model of it."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from invoicing.contracts.commands import COMMANDS
from invoicing.contracts.replies import Rejection
from invoicing.domain.decision import Accepted
from invoicing.domain.transitions import TRANSITIONS, available_commands, why_not_allowed
from tests.support.domain.desk import Desk
from tests.support.domain.model import STATES_OF, Model

# Few amounts, so that they often meet: what is paid is what is due, or all that is left.
amounts = st.sampled_from(["40.00", "60.00", "100.00", "0.01", "99.99", "140"])
payment_ids = st.sampled_from(["pay_1", "pay_2", "pay_3", "inv_1-4", "inv_1-5", "inv_1-6"])
refund_ids = st.sampled_from(["ref_1", "ref_2", "ref_3"])
dispute_ids = st.sampled_from(["dis_1", "dis_2"])
source_ids = st.sampled_from(["src_1", "src_2"])
emails = st.sampled_from(["ada@example.com", "bob@example.com"])
lines = st.lists(
    st.fixed_dictionaries({"amount": st.sampled_from(["40.00", "60", "0"])}), max_size=3
)
Command = tuple[str, dict[str, Any]]
"""A command's type and data."""

no_data: dict[str, st.SearchStrategy[Any]] = {}

payments = st.fixed_dictionaries(
    {
        "payment_id": payment_ids,
        "amount": amounts,
        "currency": st.sampled_from(["USD", "USD", "USD", "EUR"]),
    },
    optional={"settled": st.booleans()},
)

DATA: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "CreateInvoice": st.fixed_dictionaries(
        {
            "customer_id": st.just("cus_1"),
            "currency": st.just("USD"),
            "document_date": st.just("2026-11-20"),
            "due_date": st.just("2026-12-20"),
            "items": lines,
        },
        optional={"state": st.sampled_from(["draft", "open"]), "email": emails},
    ),
    "UpdateInvoice": st.fixed_dictionaries(
        {}, optional={"memo": st.sampled_from(["a", "b"]), "items": lines, "email": emails}
    ),
    "PayInvoice": st.fixed_dictionaries({}, optional={"amount": amounts, "source_id": source_ids}),
    "RecordPayment": payments,
    "CancelPaymentRequest": st.fixed_dictionaries({"payment_id": payment_ids}),
    "RecordPaymentAction": st.fixed_dictionaries(
        {"payment_id": payment_ids, "code": st.sampled_from(["confirm", "authenticate"])}
    ),
    "SettlePayment": st.fixed_dictionaries(
        {"payment_id": payment_ids}, optional={"amount": amounts}
    ),
    "RecordPaymentFailure": st.fixed_dictionaries(
        {"payment_id": payment_ids, "code": st.just("declined")}
    ),
    "RefundPayment": st.fixed_dictionaries(
        {
            "payment_id": payment_ids,
            "refund_id": refund_ids,
            "amount": amounts,
        },
        optional={"settled": st.just(False), "execute": st.booleans()},
    ),
    "SettleRefund": st.fixed_dictionaries(
        {"payment_id": payment_ids, "refund_id": refund_ids}, optional={"amount": amounts}
    ),
    "RecordRefundFailure": st.fixed_dictionaries(
        {"payment_id": payment_ids, "refund_id": refund_ids, "code": st.just("account_closed")}
    ),
    "ReturnPayment": st.fixed_dictionaries(
        {"payment_id": payment_ids, "code": st.just("R01")},
        optional={"return_id": st.sampled_from(["ret_1", "ret_2"]), "amount": amounts},
    ),
    "OpenDispute": st.fixed_dictionaries(
        {"payment_id": payment_ids, "dispute_id": dispute_ids, "amount": amounts}
    ),
    "CloseDispute": st.fixed_dictionaries(
        {"dispute_id": dispute_ids, "outcome": st.sampled_from(["won", "lost", "withdrawn"])}
    ),
    "IssueCreditNote": st.fixed_dictionaries(
        {"credit_note_id": st.sampled_from(["cn_1", "cn_2", "cn_3"]), "amount": amounts},
        optional={
            "refund": st.fixed_dictionaries(
                {"payment_id": payment_ids, "refund_id": refund_ids},
                optional={"amount": amounts, "execute": st.booleans()},
            )
        },
    ),
    "VoidCreditNote": st.fixed_dictionaries(
        {"credit_note_id": st.sampled_from(["cn_1", "cn_2", "cn_3"])}
    ),
    "AttachSource": st.fixed_dictionaries(
        {"source_id": source_ids, "type": st.sampled_from(["creditCard", "konbini"])}
    ),
    "DetachSource": st.fixed_dictionaries({"source_id": source_ids}),
    "SendInvoice": st.fixed_dictionaries({}, optional={"to": emails}),
    "RecordInvoiceSent": st.fixed_dictionaries({"send_id": st.just("send_1"), "to": emails}),
    "RecordInvoiceSendFailure": st.fixed_dictionaries(
        {"send_id": st.just("send_1"), "code": st.just("unknown")}
    ),
    "MarkInvoiceOverdue": st.fixed_dictionaries(
        {"as_of": st.sampled_from(["2026-12-20", "2026-12-21"])}
    ),
}
DATA |= {
    name: st.fixed_dictionaries(no_data)
    for name in (
        "DeleteInvoice",
        "OpenInvoice",
        "UnpostInvoice",
        "VoidInvoice",
        "CancelInvoice",
        "ReverseInvoice",
        "WriteOffInvoice",
        "ReinstateInvoice",
        "RestateInvoice",
        "ArchiveInvoice",
        "RestoreInvoice",
    )
}
# Those that end an invoice's life come seldom, or most lives would be over at once.
ENDING = ["DeleteInvoice", "VoidInvoice", "CancelInvoice", "ReverseInvoice"]
ABOUT_MONEY = [
    "RecordPayment",
    "RefundPayment",
    "PayInvoice",
    "SettlePayment",
    "WriteOffInvoice",
    "ReinstateInvoice",
    "IssueCreditNote",
    "VoidCreditNote",
    "UnpostInvoice",
    "OpenInvoice",
    "RecordPaymentFailure",
    "MarkInvoiceOverdue",
    "CancelPaymentRequest",
    "RecordPaymentAction",
    "ReturnPayment",
    "OpenDispute",
    "CloseDispute",
    "SettleRefund",
    "RecordRefundFailure",
]
OTHERS = sorted(set(DATA) - set(ENDING) - set(ABOUT_MONEY))
names = st.integers(0, 19).flatmap(
    lambda n: st.sampled_from(ABOUT_MONEY if n < 13 else OTHERS if n < 19 else ENDING)
)


def known_ids(name: str, model: Model) -> st.SearchStrategy[dict[str, str]]:
    """The ids of a payment, refund, dispute or credit note that a command is likely to be about."""
    payments = model.payments.items()
    settled = [{"payment_id": id_} for id_, payment in payments if payment.state == "settled"]
    awaited = [
        {"payment_id": id_}
        for states in (("requested", "received"), ("failed", "cancelled"))
        for id_, payment in payments
        if payment.state in states
    ]
    refunds = [
        {"payment_id": id_, "refund_id": refund_id}
        for id_, payment in payments
        for refund_id in payment.refunds
    ]
    disputes = [{"dispute_id": id_} for _, payment in payments for id_ in payment.disputes]
    known = {
        "VoidCreditNote": [{"credit_note_id": id_} for id_ in model.credits],
        "CancelPaymentRequest": awaited,
        "RecordPaymentAction": awaited,
        "SettlePayment": awaited,
        "RecordPaymentFailure": awaited,
        "ReturnPayment": settled,
        "RefundPayment": settled,
        "OpenDispute": settled,
        "SettleRefund": refunds,
        "RecordRefundFailure": refunds,
        "CloseDispute": disputes,
    }.get(name)
    return st.sampled_from(known) if known else st.just({})


class Life(RuleBasedStateMachine):
    """Each step sends one command to the desk and to the model, which must agree."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(now=datetime(2026, 12, 21, 10, 0, tzinfo=UTC))
        self.model = Model()
        self.sent: list[Command] = []

    @initialize(items=lines)
    def begin(self, items: list[dict[str, str]]) -> None:
        dates = {"document_date": "2026-11-20", "due_date": "2026-12-20"}
        fixed = {"customer_id": "cus_1", "currency": "USD", "items": items}
        self.send_one("CreateInvoice", fixed | dates)
        self.send_one("AttachSource", {"source_id": "src_1", "type": "creditCard"})

    @rule(data=st.data(), name=names)
    def send_any(self, data: st.DataObject, name: str) -> None:
        """Any command, which is often rejected."""
        self.send_one(name, data.draw(DATA[name]))

    @rule(data=st.data())
    def send_one_about_money(self, data: st.DataObject) -> None:
        """A command that the invoice's state allows, with the ids of what it has."""
        allowed = [name for name in ABOUT_MONEY if self.model.state in STATES_OF[name]]
        if allowed:
            name = data.draw(st.sampled_from(allowed))
            self.send_one(name, data.draw(DATA[name]) | data.draw(known_ids(name, self.model)))

    def send_one(self, name: str, fields: dict[str, Any]) -> None:
        self.sent.append((name, fields))
        before, known = self.desk.invoice, len(self.desk.history)
        decided = self.desk.send(name, **fields)
        expected = self.model.handle(name, fields)
        if isinstance(expected, set):
            assert isinstance(decided, Rejection), (name, fields, expected, decided)
            assert decided.code.value in expected, (name, fields, expected, decided)
            assert self.desk.invoice is before
        else:
            assert isinstance(decided, Accepted), (name, fields, expected, decided)
            emitted = [event.removeprefix("invoice.") for event in self.desk.event_types[known:]]
            assert emitted == expected
            assert name in available_commands(before) or not emitted
            if before is not None:
                moves = TRANSITIONS[COMMANDS[name]].moves
                assert self.desk.current.state in moves[before.state]
            self.nothing_new_the_second_time(name, fields)

    def nothing_new_the_second_time(self, name: str, fields: dict[str, Any]) -> None:
        if name == "ReturnPayment" and "return_id" not in fields:
            return  # two parts may be returned one after the other
        again = Desk(
            self.desk.sellers, self.desk.invoice, list(self.desk.history), now=self.desk.now
        )
        decided = again.send(name, **fields)
        assert isinstance(decided, Rejection) or not decided.events

    @invariant()
    def they_agree(self) -> None:
        if self.desk.invoice is None:
            assert self.model.state is None
            return
        invoice, model = self.desk.invoice, self.model
        for name in available_commands(invoice):
            assert why_not_allowed(invoice, COMMANDS[name]) is None
        assert invoice.state.value == model.state
        assert invoice.version == model.events
        assert invoice.amount_due * 100 == model.books.due
        assert invoice.amount_overpaid * 100 == model.books.overpaid
        assert invoice.amount_written_off * 100 == model.books.given_up
        assert invoice.times_paid == model.times_paid
        assert invoice.disputed == model.is_disputed
        assert (invoice.invoice_number is not None) == model.numbered
        assert invoice.archived == model.archived
        assert (invoice.overdue_as_of is not None) == model.overdue
        assert set(invoice.sources) == set(model.sources)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=30)
