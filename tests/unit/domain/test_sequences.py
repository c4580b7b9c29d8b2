"""Sequences of accepted commands after which the books once contradicted the money.

A command that must be rejected stands with its code. What counts is how a sequence ends: the state,
and what is due, written off and overpaid.
"""

from datetime import UTC, datetime
from typing import Any

import pytest

from invoicing.domain.sellers import Seller, Sellers
from invoicing.domain.status import status_unarchived
from tests.support.domain.desk import Desk

Command = tuple[str, dict[str, Any]]
End = tuple[str, str, str, str]

NEW_YEAR_IN_TOKYO = datetime(2026, 12, 31, 23, 0, tzinfo=UTC)


def created(**fields: Any) -> Command:
    items = [{"amount": "100.00"}]
    data = {"customer_id": "cus_1", "currency": "USD", "source_id": "src_1", "items": items}
    return ("CreateInvoice", data | fields)


def paid(payment_id: str, amount: str, **more: Any) -> Command:
    return ("RecordPayment", {"payment_id": payment_id, "amount": amount} | more)


def settled(payment_id: str, **more: Any) -> Command:
    return ("SettlePayment", {"payment_id": payment_id} | more)


def failed(payment_id: str) -> Command:
    return ("RecordPaymentFailure", {"payment_id": payment_id, "code": "declined"})


def refunded(payment_id: str, refund_id: str, amount: str, **more: Any) -> Command:
    data = {"payment_id": payment_id, "refund_id": refund_id, "amount": amount}
    return ("RefundPayment", data | more)


def credited(credit_note_id: str, amount: str, **more: Any) -> Command:
    return ("IssueCreditNote", {"credit_note_id": credit_note_id, "amount": amount} | more)


def disputed(payment_id: str, dispute_id: str, amount: str) -> Command:
    data = {"payment_id": payment_id, "dispute_id": dispute_id, "amount": amount}
    return ("OpenDispute", data)


def closed(dispute_id: str, outcome: str, **more: Any) -> Command:
    return ("CloseDispute", {"dispute_id": dispute_id, "outcome": outcome} | more)


CHARGE: Command = ("PayInvoice", {})
REQUESTED = "inv_1-3"
"""The payment that `CHARGE` requests on an invoice that was just created and opened."""

WRITTEN_OFF: Command = ("WriteOffInvoice", {})
REINSTATED: Command = ("ReinstateInvoice", {"reason": "They have answered."})
VOIDED: Command = ("VoidInvoice", {})
REVERSED: Command = ("ReverseInvoice", {})
CANCELLED: Command = ("CancelPaymentRequest", {"payment_id": REQUESTED})


def rejected(command: Command, code: str) -> tuple[Command, str]:
    return (command, code)


Story = list[Command | tuple[Command, str]]


def play(story: Story, desk: Desk | None = None) -> Desk:
    """Send the commands, each of which must be accepted or rejected as the story says."""
    desk = desk or Desk()
    for step in story:
        if isinstance(step[0], tuple):
            (name, data), code = step
            assert desk.refuse(name, **data).code == code
        else:
            name, data = step
            desk.accept(name, **data)
    return desk


def end_of(desk: Desk) -> End:
    invoice = desk.current
    amounts = (invoice.amount_due, invoice.amount_written_off, invoice.amount_overpaid)
    return (invoice.state.value, *map(str, amounts))


STORIES: dict[str, tuple[Story, End]] = {
    "a reversal waits for a payment on its way": (
        [
            created(),
            paid("p", "100.00", settled=False),
            rejected(REVERSED, "payment_in_progress"),
            settled("p"),
        ],
        ("paid", "0.00", "0.00", "0.00"),
    ),
    "a reversal waits for a requested charge, which can be cancelled": (
        [created(), CHARGE, rejected(REVERSED, "payment_in_progress"), CANCELLED, REVERSED],
        ("reversed", "0.00", "0.00", "0.00"),
    ),
    "a charge that succeeds after the reversal is taken": (
        [created(), CHARGE, CANCELLED, REVERSED, paid(REQUESTED, "100.00")],
        ("reversed", "0.00", "0.00", "100.00"),
    ),
    "and can be given back": (
        [
            created(), CHARGE, failed(REQUESTED), REVERSED, settled(REQUESTED),
            refunded(REQUESTED, "r", "100.00"),
        ],
        ("reversed", "0.00", "0.00", "0.00"),
    ),
    "a recovery that is given back is bad debt again, and so is what is left of it": (
        [created(), WRITTEN_OFF, paid("p", "30.00"), refunded("p", "r", "30.00"),
         paid("q", "30.00")],
        ("uncollectible", "0.00", "70.00", "0.00"),
    ),
    "without the refund in between it is the same": (
        [created(), WRITTEN_OFF, paid("p", "30.00")],
        ("uncollectible", "0.00", "70.00", "0.00"),
    ),
    "the refund of a part that came before the write-off is bad debt": (
        [created(), paid("p", "30.00"), WRITTEN_OFF, refunded("p", "r", "30.00")],
        ("uncollectible", "0.00", "100.00", "0.00"),
    ),
    "a credit takes bad debt back before anything is overpaid": (
        [created(), paid("p", "30.00"), WRITTEN_OFF, refunded("p", "r", "30.00"),
         credited("c", "100.00")],
        ("paid", "0.00", "0.00", "0.00"),
    ),
    "a credit of bad debt, with a refund, leaves due what is owed after it": (
        [created(), paid("p", "70.00"), WRITTEN_OFF,
         credited("c", "30.00", refund={"payment_id": "p", "refund_id": "r", "amount": "30.00"})],
        ("open", "30.00", "0.00", "0.00"),
    ),
    "as in two steps": (
        [created(), paid("p", "70.00"), WRITTEN_OFF, credited("c", "30.00"),
         refunded("p", "r", "30.00")],
        ("open", "30.00", "0.00", "0.00"),
    ),
    "a credit with its refund leaves nothing due": (
        [created(), paid("p", "100.00"),
         credited("c", "40.00", refund={"payment_id": "p", "refund_id": "r"})],
        ("paid", "0.00", "0.00", "0.00"),
    ),
    "a void credit note is owed again": (
        [created(), paid("p", "60.00"), credited("c", "40.00"),
         ("VoidCreditNote", {"credit_note_id": "c"})],
        ("open", "40.00", "0.00", "0.00"),
    ),
    "an invoice with a credit note is not void until that is": (
        [created(), credited("c", "20.00"), rejected(VOIDED, "has_credit_notes"),
         ("VoidCreditNote", {"credit_note_id": "c"}), VOIDED],
        ("void", "0.00", "0.00", "0.00"),
    ),
    "a mistaken write-off is taken back": (
        [created(), paid("p", "30.00"), WRITTEN_OFF, REINSTATED],
        ("open", "70.00", "0.00", "0.00"),
    ),
    "a wire supersedes a requested charge, so it can be voided once that is refunded": (
        [created(), CHARGE, paid("wire", "100.00"), refunded("wire", "r", "100.00"), VOIDED],
        ("void", "0.00", "0.00", "0.00"),
    ),
    "a superseded charge that is made all the same is taken, and shows": (
        [created(), CHARGE, paid("wire", "100.00"), paid(REQUESTED, "100.00")],
        ("paid", "0.00", "0.00", "100.00"),
    ),
    "a charge locks the invoice until it is cancelled": (
        [
            created(), CHARGE, rejected(VOIDED, "payment_in_progress"),
            rejected(WRITTEN_OFF, "payment_in_progress"), CANCELLED, VOIDED,
        ],
        ("void", "0.00", "0.00", "0.00"),
    ),
    "a payment that the bank takes back is due again": (
        [created(), paid("p", "100.00"), ("ReturnPayment", {"payment_id": "p", "code": "R01"})],
        ("open", "100.00", "0.00", "0.00"),
    ),
    "a failed payment that succeeds late is taken under its id": (
        [created(), paid("p", "100.00", settled=False), failed("p"), paid("p", "100.00")],
        ("paid", "0.00", "0.00", "0.00"),
    ),
    "a part of what was to come has arrived": (
        [created(), paid("p", "100.00", settled=False), settled("p", amount="98.50")],
        ("open", "1.50", "0.00", "0.00"),
    ),
    "a refund that was already final fails": (
        [
            created(), paid("p", "100.00"), refunded("p", "r", "100.00"),
            ("RecordRefundFailure", {"payment_id": "p", "refund_id": "r", "code": "closed"}),
        ],
        ("paid", "0.00", "0.00", "0.00"),
    ),
    "a refund on its way changes no amount": (
        [created(), paid("p", "100.00"), refunded("p", "r", "100.00", settled=False)],
        ("paid", "0.00", "0.00", "0.00"),
    ),
    "a lost dispute is due again": (
        [created(), paid("p", "100.00"), disputed("p", "d", "60.00"), closed("d", "lost")],
        ("open", "60.00", "0.00", "0.00"),
    ),
    "a lost dispute that is won after all is paid again": (
        [
            created(), paid("p", "100.00"), disputed("p", "d", "60.00"),
            closed("d", "lost", fee="15.00"), closed("d", "won"),
        ],
        ("paid", "0.00", "0.00", "0.00"),
    ),
    "a dispute of what was refunded costs the total twice": (
        [
            created(), paid("p", "100.00"), refunded("p", "r", "100.00"),
            disputed("p", "d", "100.00"), closed("d", "lost"),
        ],
        ("open", "200.00", "0.00", "0.00"),
    ),
    "a void invoice owes nothing": ([created(), VOIDED], ("void", "0.00", "0.00", "0.00")),
    "a void invoice has no bad debt": (
        [created(), WRITTEN_OFF, VOIDED],
        ("void", "0.00", "0.00", "0.00"),
    ),
    "a void invoice whose refunded payment is returned too has lost it": (
        [
            created(), paid("p", "30.00"), refunded("p", "r", "30.00"), VOIDED,
            ("ReturnPayment", {"payment_id": "p", "code": "R01"}),
        ],
        ("void", "0.00", "30.00", "0.00"),
    ),
    "a cancelled draft owes nothing": (
        [created(state="draft"), ("CancelInvoice", {})],
        ("cancelled", "0.00", "0.00", "0.00"),
    ),
    "a draft below zero has not been overpaid": (
        [created(state="draft", items=[{"amount": "-40.00"}])],
        ("draft", "0.00", "0.00", "0.00"),
    ),
    "more is due, and then paid, than what a request asked for": (
        [created(), ("PayInvoice", {"amount": "50.00"}), paid(REQUESTED, "90.00")],
        ("open", "10.00", "0.00", "0.00"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
def test_a_sequence_ends_as_the_money_says(name: str) -> None:
    story, end = STORIES[name]
    assert end_of(play(story)) == end


def test_what_was_paid_again_after_a_return_says_so_and_may_be_overdue_again() -> None:
    desk = play([created(document_date="2026-11-01", due_date="2026-11-10")])
    late = ("MarkInvoiceOverdue", {"as_of": "2026-11-20"})
    play([late, paid("p", "100.00"), ("ReturnPayment", {"payment_id": "p", "code": "R01"})], desk)
    assert desk.event_types[-2:] == ["invoice.payment_returned", "invoice.reopened"]
    play([late, paid("q", "100.00")], desk)
    assert desk.event_types.count("invoice.overdue") == 2
    assert desk.current.times_paid == 2


def test_a_superseded_request_is_the_last_event_of_what_supersedes_it() -> None:
    desk = play([created(), CHARGE, paid("wire", "120.00")])
    assert desk.event_types[-4:] == [
        "invoice.payment_recorded",
        "invoice.paid",
        "invoice.overpaid",
        "invoice.payment_cancelled",
    ]


def test_a_source_that_was_reported_failed_is_not_charged() -> None:
    source = {"source_id": "src_1", "type": "creditCard", "details": {"state": "failed"}}
    play([created(), ("AttachSource", source), rejected(CHARGE, "source_unusable")])


def test_a_draft_is_dated_when_it_is_opened() -> None:
    desk = Desk(now=datetime(2026, 1, 1, 10, tzinfo=UTC))
    play([created(state="draft")], desk)
    desk.now = datetime(2026, 3, 1, 10, tzinfo=UTC)
    play([("OpenInvoice", {})], desk)
    assert str(desk.current.document.document_date) == "2026-03-01"
    assert status_unarchived(desk.current, desk.now) == "upcoming"


def test_the_day_is_the_sellers() -> None:
    tokyo = Sellers({"default": Seller(id="default", time_zone="Asia/Tokyo")})
    desk = play([created()], Desk(tokyo, now=NEW_YEAR_IN_TOKYO))
    assert str(desk.current.document.document_date) == "2027-01-01"


def test_a_day_to_come_makes_nothing_overdue() -> None:
    late = ("MarkInvoiceOverdue", {"as_of": "2999-01-01"})
    desk = play([created(document_date="2026-11-20", due_date="2026-12-20")])
    play([rejected(late, "not_past_due")], desk)


def test_a_cent_on_its_way_hides_no_overdue_invoice() -> None:
    desk = play([created(document_date="2026-10-01", due_date="2026-11-01")])
    play([paid("p", "0.01", settled=False)], desk)
    assert status_unarchived(desk.current, desk.now) == "overdue"


def test_a_debtor_can_pay_with_a_new_card() -> None:
    card = ("AttachSource", {"source_id": "src_2", "type": "creditCard"})
    desk = play([created(), WRITTEN_OFF, card, CHARGE])
    assert end_of(desk) == ("uncollectible", "0.00", "100.00", "0.00")


def test_discounts_beyond_a_line_leave_the_others_alone() -> None:
    discounted = {"amount": "19.98", "discount": {"amount_off": "25.00"}}
    desk = play([created(items=[discounted, {"amount": "10.00"}])])
    assert [str(item.net) for item in desk.current.document.items] == ["0.00", "10.00"]


def test_a_tax_that_does_not_follow_from_its_rate_is_refused() -> None:
    taxed = {"amount": "100.00", "tax": {"rate": "0.2", "amount": "999.00"}}
    play([rejected(created(items=[taxed]), "tax_mismatch")])


def test_card_data_is_refused() -> None:
    details = {"number": "4111111111111111", "cvc": "123", "clientSecret": "s"}
    source = {"source_id": "src_2", "type": "creditCard", "details": details}
    play([created(), rejected(("AttachSource", source), "sensitive_data")])


def test_what_helps_to_collect_and_reconcile_can_be_set_on_an_issued_invoice() -> None:
    desk = play([created(document_date="2026-11-20", due_date="2026-11-20")])
    play([("UpdateInvoice", {"due_date": "2026-12-31", "exclude_from_autopay": True})], desk)
    play([paid("p", "100.00"), ("UpdateInvoice", {"metadata": {"batch": "7"}})], desk)
    assert str(desk.current.document.due_date) == "2026-12-31"
    assert desk.current.document.metadata == {"batch": "7"}


def test_a_trial_takes_no_number_of_the_live_series() -> None:
    live, trial = play([created()]), play([created(live_mode=False)])
    assert live.numbers[0].series != trial.numbers[0].series


def test_a_due_date_before_the_documents_date_is_refused() -> None:
    dates = {"document_date": "2026-06-30", "due_date": "2026-06-01"}
    play([rejected(created(**dates), "invalid_command")])


def test_an_invoice_that_was_sent_is_not_a_draft_again() -> None:
    sent = ("SendInvoice", {"to": "ada@example.com"})
    play([created(), sent, rejected(("UnpostInvoice", {}), "already_sent")])


def test_an_unposted_invoice_keeps_customer_and_year() -> None:
    desk = play([created(), ("UnpostInvoice", {})])
    other_customer = ("UpdateInvoice", {"customer_id": "cus_2"})
    other_year = ("UpdateInvoice", {"document_date": "2031-01-01"})
    for change in (other_customer, other_year):
        assert desk.refuse(change[0], **change[1]).code in ("illegal_transition", "invalid_command")


def test_money_that_arrives_in_a_year_is_refused() -> None:
    play([created(), rejected(paid("p", "1.00", received_at="2990-01-02T00:00:00Z"),
                              "invalid_command")])  # fmt: skip


@pytest.mark.parametrize("time", ["2001-05-05T10:00:00+00:00", "2099-05-05T10:00:00+00:00"])
def test_a_credit_note_has_the_sellers_day_whatever_the_producers_time(time: str) -> None:
    desk = play([created()])
    desk.time = datetime.fromisoformat(time)
    play([credited("c", "40.00")], desk)
    assert str(desk.current.credit_notes[0].document_date) == "2026-11-20"


def test_a_credit_by_amount_has_its_tax_by_rate() -> None:
    taxed = [{"amount": "50.00", "tax": {"rate": rate}} for rate in ("0.2", "0.1")]
    desk = play([created(items=taxed), credited("c", "57.50")])
    groups = desk.current.credit_notes[0].tax_groups
    assert [(str(group.rate), str(group.net), str(group.tax)) for group in groups] == [
        ("0.2", "25.00", "5.00"),
        ("0.1", "25.00", "2.50"),
    ]


def test_after_a_credit_by_amount_no_line_takes_back_more_tax_than_is_left() -> None:
    items = [{"amount": "100.00", "tax": {"rate": "0.2"}}, {"amount": "100.00"}]
    by_line = ("IssueCreditNote", {"credit_note_id": "d", "items": [{"id": "1"}]})
    desk = play([created(items=items), credited("c", "110.00")])
    play([rejected(by_line, "amount_exceeds_balance")], desk)
