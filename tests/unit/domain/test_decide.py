"""What every decision returns; test_transitions.py has each command in each state."""

from datetime import timedelta
from decimal import Decimal

import pytest

from invoicing.contracts.commands import ArchiveInvoice
from invoicing.domain.decide import decide
from invoicing.domain.decision import Accepted, Command, Context
from invoicing.domain.sellers import Sellers
from tests.support.domain.desk import Desk, open_desk
from tests.support.domain.drafts import data, draft


@pytest.mark.parametrize(
    ("command", "fields", "changes_document"),
    [
        ("UpdateInvoice", {"memo": "Thank you"}, True),
        ("UpdateInvoice", {}, False),
        ("OpenInvoice", {}, True),
        ("ArchiveInvoice", {}, False),
        ("CancelInvoice", {}, False),
    ],
)
def test_a_decision_says_whether_an_event_carries_the_document(
    command: str, fields: dict[str, str], changes_document: bool
) -> None:
    decided = draft().send(command, **fields)
    assert isinstance(decided, Accepted)
    assert decided.document_changed is changes_document


def test_a_new_invoice_has_a_changed_document() -> None:
    decided = Desk().send("CreateInvoice", **data())
    assert isinstance(decided, Accepted)
    assert decided.document_changed


@pytest.mark.parametrize(
    ("amounts", "broken"),
    [
        ({"amount_credited": "100.01"}, "more credited than invoiced"),
    ],
)
def test_a_decision_on_an_invoice_whose_amounts_cannot_be_is_a_defect(
    amounts: dict[str, str], broken: str
) -> None:
    desk = open_desk()
    wrong = desk.current.copy_with(**{name: Decimal(value) for name, value in amounts.items()})
    command = Command("inv_1", "ArchiveInvoice", ArchiveInvoice(), desk.now, None)
    with pytest.raises(AssertionError, match=broken):
        decide(wrong, command, Context(desk.now, Sellers(), "number-9"))


def test_the_time_of_recording_is_not_the_time_of_the_command() -> None:
    desk = open_desk()
    command = Command("inv_1", "ArchiveInvoice", ArchiveInvoice(), desk.now, None)
    context = Context(desk.now, Sellers(), "number-9")
    later = context._replace(recorded_at=desk.now + timedelta(days=1))
    decided = decide(desk.current, command, later)
    assert isinstance(decided, Accepted)
    assert decided.invoice.updated_at == desk.now + timedelta(days=1)
