"""What can still be changed: once open, once it has ended, and in a draft that has a number."""

import json
from datetime import date, timedelta
from typing import Any

import pytest

from invoicing.contracts.lazy_document import LazyDocument
from invoicing.domain.transitions import available_commands
from tests.support.domain.complete import PARTICULARS
from tests.support.domain.desk import Desk, pay, replay
from tests.support.domain.drafts import data, draft

TEXTS: dict[str, Any] = {
    "metadata": {"ledger": "7"},
    "memo": "Thank you",
    "description": "Second notice",
    "email": "ada@example.com",
    "tax_identifiers": [
        {
            "type": "eu_vat",
            "value": "ATU12345678",
            "state": "verified",
            "verified_name": "Ada Lovelace",
            "verified_address": "Vienna",
        }
    ],
}
COLLECTION: dict[str, Any] = {
    "due_date": "2027-01-31",
    "exclude_from_autopay": True,
    "collection_period_days": 60,
}
ENDS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "open": [],
    "paid": [("RecordPayment", {"payment_id": "pay_1", "amount": "100.00"})],
    "uncollectible": [("WriteOffInvoice", {})],
    "void": [("VoidInvoice", {})],
    "reversed": [("ReverseInvoice", {})],
}


def ended(state: str) -> Desk:
    desk = Desk()
    desk.accept("CreateInvoice", **data())
    for command, fields in ENDS[state]:
        desk.accept(command, **fields)
    assert desk.current.state == state
    return desk


@pytest.mark.parametrize("state", ENDS)
@pytest.mark.parametrize("field", TEXTS)
def test_texts_can_be_set_whatever_became_of_an_issued_invoice(state: str, field: str) -> None:
    desk = ended(state)
    before = desk.current

    after = desk.accept("UpdateInvoice", **{field: TEXTS[field]})

    assert desk.event_types[-1] == "invoice.updated"
    assert after.document.copy_with(**{field: getattr(before.document, field)}) == (
        before.document.copy_with(**{field: getattr(before.document, field)})
    )
    assert after.document != before.document
    assert (after.state, after.amount_due, after.total) == (
        before.state, before.amount_due, before.total,
    )  # fmt: skip


@pytest.mark.parametrize("state", ENDS)
@pytest.mark.parametrize("field", sorted(PARTICULARS.keys() - TEXTS.keys()))
def test_nothing_else_can_but_how_an_open_invoice_is_collected(state: str, field: str) -> None:
    desk = ended(state)
    fields = {field: PARTICULARS[field]}
    if state == "open" and field in COLLECTION:
        desk.accept("UpdateInvoice", **fields)
        return
    rejection = desk.refuse("UpdateInvoice", **fields)
    assert (rejection.code, [error.field for error in rejection.errors]) == (
        "illegal_transition", [field],
    )  # fmt: skip


@pytest.mark.parametrize("field", COLLECTION)
def test_how_an_open_invoice_is_collected_changes_no_amount(field: str) -> None:
    desk = ended("open")
    before = desk.current
    after = desk.accept("UpdateInvoice", **{field: COLLECTION[field]})
    assert after.document.items == before.document.items
    assert after.document.tax_groups == before.document.tax_groups
    assert after.document.document_date == before.document.document_date
    assert getattr(after.document, field) != getattr(before.document, field)


def test_a_later_due_date_lets_the_invoice_be_overdue_again() -> None:
    desk = ended("open")
    desk.now += timedelta(days=2)
    desk.accept("MarkInvoiceOverdue", as_of="2026-11-21")

    later = desk.accept("UpdateInvoice", due_date="2026-11-25")
    assert (later.overdue_as_of, later.document.due_date) == (None, date(2026, 11, 25))
    assert desk.refuse("MarkInvoiceOverdue", as_of="2026-11-22").code == "not_past_due"

    desk.now += timedelta(days=5)
    desk.accept("MarkInvoiceOverdue", as_of="2026-11-26")
    assert desk.accept("UpdateInvoice", due_date="2026-11-24").overdue_as_of is not None


def test_an_open_invoice_is_not_due_before_its_date() -> None:
    rejection = ended("open").refuse("UpdateInvoice", due_date="2026-11-19")
    assert (rejection.code, rejection.errors[0].field) == ("invalid_command", "due_date")


def unposted(**fields: Any) -> Desk:
    desk = Desk()
    desk.accept("CreateInvoice", **data(**fields))
    desk.accept("UnpostInvoice")
    return desk


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("customer_id", "cus_2"),
        ("live_mode", False),
        ("document_date", "2025-12-31"),
        ("document_date", "2027-01-01"),
    ],
)
def test_an_unposted_invoice_keeps_what_its_number_stands_for(field: str, value: Any) -> None:
    desk = unposted()
    rejection = desk.refuse("UpdateInvoice", **{field: value}, memo="m")
    assert (rejection.code, [error.field for error in rejection.errors]) == (
        "illegal_transition", [field],
    )  # fmt: skip


@pytest.mark.parametrize("same", [{"customer_id": "cus_1"}, {"live_mode": True}])
def test_what_it_has_already_may_be_given_again(same: dict[str, Any]) -> None:
    desk = unposted()
    version = desk.current.version
    assert desk.accept("UpdateInvoice", **same).version == version


def test_an_unposted_invoice_keeps_its_number_and_date_unless_one_of_the_year_is_given() -> None:
    desk = unposted()
    number = desk.current.invoice_number
    desk.now += timedelta(days=100)
    desk.accept("UpdateInvoice", items=[{"amount": "90"}], document_date=None)
    assert str(desk.accept("OpenInvoice").document.document_date) == "2026-11-20"
    desk.accept("UnpostInvoice")
    desk.accept("UpdateInvoice", document_date="2026-01-01")
    opened = desk.accept("OpenInvoice")
    assert (opened.invoice_number, str(opened.document.document_date)) == (number, "2026-01-01")
    assert len(desk.numbers) == 1


def test_a_draft_that_never_had_a_number_may_change_its_customer_and_year() -> None:
    desk = draft()
    desk.accept("UpdateInvoice", customer_id="cus_2", live_mode=False, document_date="2031-01-01")


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ([("SendInvoice", {"to": "ada@example.com"})], "already_sent"),
        ([("RecordInvoiceSent", {"send_id": "s", "to": "ada@example.com"})], "already_sent"),
        ([("SendInvoice", {"to": "ada@example.com"}),
          ("RecordInvoiceSendFailure", {"send_id": "inv_1-3", "code": "bounced"})],
         "already_sent"),
        ([("SendInvoice", {"to": "ada@example.com"}),
          ("RecordInvoiceSendFailure", {"send_id": "inv_1-3", "code": "bounced"}),
          ("RecordInvoiceSendFailure", {"send_id": "inv_1-3", "code": "mailbox_full"}),
          ("RecordInvoiceSendFailure", {"send_id": "other", "code": "bounced"})],
         "already_sent"),
        ([("RecordInvoiceSent", {"send_id": "s", "to": "ada@example.com"}),
          ("RecordInvoiceSendFailure", {"send_id": "s", "code": "bounced"})],
         "already_sent"),
        ([("AttachSource", {"source_id": "src_1", "type": "creditCard"}), ("PayInvoice", {}),
          ("RecordPaymentFailure", {"payment_id": "inv_1-4", "code": "declined"})],
         "has_payments"),
        ([("RecordPayment", {"payment_id": "p", "amount": "1.00"}),
          ("RefundPayment", {"payment_id": "p", "refund_id": "r", "amount": "1.00"})],
         "has_payments"),
        ([("IssueCreditNote", {"credit_note_id": "c", "amount": "1.00"})], "has_payments"),
    ],
)  # fmt: skip
def test_what_the_customer_or_the_money_has_seen_is_not_unposted(
    script: list[tuple[str, dict[str, Any]]], code: str
) -> None:
    desk = Desk()
    desk.accept("CreateInvoice", **data())
    for command, fields in script:
        desk.accept(command, **fields)
    assert desk.refuse("UnpostInvoice").code == code


def test_an_invoice_whose_sending_was_never_requested_and_failed_is_unposted() -> None:
    desk = Desk()
    desk.accept("CreateInvoice", **data())
    desk.accept("RecordInvoiceSendFailure", send_id="s", code="mailbox_unknown")
    assert "UnpostInvoice" in available_commands(desk.current)
    desk.accept("UnpostInvoice")


def test_a_payment_that_is_on_its_way_is_named_as_such() -> None:
    desk = ended("open")
    pay(desk, "pay_1", "1.00", settled=False)
    assert desk.refuse("UnpostInvoice").code == "payment_in_progress"


def identifier(**fields: Any) -> dict[str, Any]:
    return {"type": "eu_vat", "value": "ATU12345678"} | fields


def test_a_tax_identifier_keeps_the_times_at_which_its_verification_went_on() -> None:
    desk = Desk()
    desk.accept("CreateInvoice", **data(tax_identifiers=[identifier(state="pending")]))
    made = desk.now
    desk.now += timedelta(days=1)
    other = {"type": "gb_vat", "value": "GB1"}
    verified = identifier(state="verified", verified_name="Ada", verified_address="Vienna")

    first, second = desk.accept(
        "UpdateInvoice", tax_identifiers=[verified, other]
    ).document.tax_identifiers

    assert (first.created_at, first.updated_at) == (made, desk.now)
    assert first.state_transitions == {"pending": made, "verified": desk.now}
    assert (second.created_at, second.state_transitions) == (desk.now, {})


def test_a_tax_identifier_that_is_given_again_is_no_change() -> None:
    desk = ended("open")
    desk.accept("UpdateInvoice", tax_identifiers=[identifier(state="pending")])
    version = desk.current.version
    assert (
        desk.accept("UpdateInvoice", tax_identifiers=[identifier(state="pending")]).version
        == version
    )


def test_tax_identifiers_of_an_earlier_release_have_no_times_before_they_change() -> None:
    desk = Desk()
    desk.accept("CreateInvoice", **data(tax_identifiers=[identifier()]))
    ((created, recorded_at), *_) = desk.history
    document = json.loads(desk.current.lazy_document.json_text)
    document["tax_identifiers"] = [identifier()]
    filed = LazyDocument(json.dumps(document))
    invoice = replay([(created.copy_with(invoice=filed), recorded_at)])
    assert invoice is not None
    older = Desk(invoice=invoice, history=[(created.copy_with(invoice=filed), recorded_at)])

    (updated,) = older.accept(
        "UpdateInvoice", tax_identifiers=[identifier(state="not_valid")]
    ).document.tax_identifiers

    assert (updated.created_at, updated.updated_at) == (None, older.now)
    assert updated.state_transitions == {"not_valid": older.now}
