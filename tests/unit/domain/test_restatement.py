"""Invoices of the first releases, whose published amounts contradict their facts.

Their events were made by the last of those releases, and are golden.
"""

from itertools import groupby

import pytest

from invoicing.contracts.events import InvoiceRestated
from invoicing.contracts.replies import Rejection
from invoicing.domain.transitions import available_commands
from invoicing.store.history import data_of
from tests.support.domain.desk import Desk, replay
from tests.unit.test_stored_events import GOLDEN, lines, stored

FIRST_RELEASES = GOLDEN / "stored_events_v1_contradictions.jsonl"

HISTORIES = {
    invoice_id: [(data_of(event.type, event.document), event.recorded_at) for event in events]
    for invoice_id, events in groupby(
        map(stored, lines(FIRST_RELEASES)), key=lambda event: event.invoice_id
    )
}

Amounts = tuple[str, str, str, str]
"""The state, and what is due, written off and overpaid."""

CONTRADICTIONS: dict[str, tuple[Amounts, Amounts]] = {
    # A credit of all after a write-off: the customer was owed what he never paid.
    "inv_2002": (("paid", "0.00", "70.00", "70.00"), ("paid", "0.00", "0.00", "0.00")),
    # A recovery, given back, and another one: bad debt was called paid.
    "inv_2003": (("paid", "0.00", "70.00", "0.00"), ("uncollectible", "0.00", "70.00", "0.00")),
    "inv_2004": (("open", "30.00", "70.00", "0.00"), ("uncollectible", "0.00", "100.00", "0.00")),
    # Void and cancelled, and still due.
    "inv_2005": (("void", "100.00", "0.00", "0.00"), ("void", "0.00", "0.00", "0.00")),
    "inv_2006": (("void", "0.00", "100.00", "0.00"), ("void", "0.00", "0.00", "0.00")),
    "inv_2007": (("void", "100.00", "0.00", "0.00"), ("void", "0.00", "0.00", "0.00")),
    "inv_2008": (("cancelled", "100.00", "0.00", "0.00"), ("cancelled", "0.00", "0.00", "0.00")),
    # A draft below zero, overpaid without a payment.
    "inv_2009": (("draft", "0.00", "0.00", "40.00"), ("draft", "0.00", "0.00", "0.00")),
    # Paid after a recovery, and given back again: part due and part written off.
    "inv_2011": (("open", "10.00", "30.00", "0.00"), ("uncollectible", "0.00", "40.00", "0.00")),
}


def desk_with(invoice_id: str) -> Desk:
    history = HISTORIES[invoice_id]
    return Desk(invoice=replay(history), history=list(history), now=history[-1][1])


def amounts(desk: Desk) -> Amounts:
    invoice = desk.current
    shown = (invoice.amount_due, invoice.amount_written_off, invoice.amount_overpaid)
    return (invoice.state.value, *map(str, shown))  # type: ignore[return-value]


@pytest.mark.parametrize("invoice_id", CONTRADICTIONS)
def test_the_state_keeps_what_was_published_until_it_is_restated(invoice_id: str) -> None:
    desk = desk_with(invoice_id)
    published, from_facts = CONTRADICTIONS[invoice_id]
    assert amounts(desk) == published

    desk.accept("RestateInvoice")

    assert amounts(desk) == from_facts
    [event] = [event for event, _ in desk.history if isinstance(event, InvoiceRestated)]
    assert event.rules == 2
    assert (event.before.state.value, str(event.before.amount_due)) == published[:2]
    assert (event.after.state.value, str(event.after.amount_due)) == from_facts[:2]
    assert event.amount_due == event.after.amount_due


@pytest.mark.parametrize(
    "invoice_id", sorted(HISTORIES.keys() - CONTRADICTIONS.keys() - {"inv_2013"})
)
def test_what_was_published_right_is_not_restated(invoice_id: str) -> None:
    desk = desk_with(invoice_id)
    desk.accept("RestateInvoice")

    assert "invoice.restated" not in desk.event_types
    assert "RestateInvoice" not in available_commands(desk.invoice)


def test_an_invoice_is_restated_once() -> None:
    desk = desk_with("inv_2004")
    assert "RestateInvoice" in available_commands(desk.invoice)
    desk.accept("RestateInvoice")
    desk.accept("RestateInvoice")

    assert desk.event_types.count("invoice.restated") == 1
    assert "RestateInvoice" not in available_commands(desk.invoice)


@pytest.mark.parametrize("invoice_id", CONTRADICTIONS)
def test_any_accepted_command_begins_with_the_restatement(invoice_id: str) -> None:
    desk = desk_with(invoice_id)
    desk.accept("ArchiveInvoice")

    assert desk.event_types[-2:] == ["invoice.restated", "invoice.archived"]
    assert amounts(desk) == CONTRADICTIONS[invoice_id][1]


def test_guards_and_handlers_see_the_invoice_as_restated() -> None:
    desk = desk_with("inv_2004")
    offered = available_commands(desk.invoice)
    refused = desk.refuse("WriteOffInvoice")
    desk.accept("RecordPayment", payment_id="pay_2", amount="100.00")

    assert "WriteOffInvoice" not in offered
    assert refused.code == "illegal_transition"
    assert desk.event_types[-3:] == [
        "invoice.restated", "invoice.payment_recorded", "invoice.paid",
    ]  # fmt: skip
    assert amounts(desk) == ("paid", "0.00", "0.00", "0.00")


def test_a_rejected_command_restates_nothing() -> None:
    desk = desk_with("inv_2005")
    before = len(desk.history)
    desk.refuse("OpenInvoice")

    assert len(desk.history) == before


def test_the_expected_version_is_that_of_the_last_published_event() -> None:
    desk = desk_with("inv_2005")
    version = desk.current.version

    assert isinstance(desk.send("ArchiveInvoice", expected_version=version - 1), Rejection)
    assert not isinstance(desk.send("ArchiveInvoice", expected_version=version), Rejection)


def test_a_deleted_draft_is_not_restated() -> None:
    desk = desk_with("inv_2013")

    assert desk.refuse("RestateInvoice").code == "invoice_not_found"


def test_a_snapshot_of_the_first_releases_is_restated_like_its_events() -> None:
    desk = desk_with("inv_2003")
    snapshot = next(
        line
        for line in lines(GOLDEN / "states_v1_contradictions.jsonl")
        if '"invoice_id":"inv_2003"' in line
    )
    from_snapshot = Desk(
        invoice=type(desk.current).model_validate_json(snapshot),
        history=list(HISTORIES["inv_2003"]),
        now=desk.now,
    )
    from_snapshot.accept("RestateInvoice")

    assert amounts(from_snapshot) == CONTRADICTIONS["inv_2003"][1]
