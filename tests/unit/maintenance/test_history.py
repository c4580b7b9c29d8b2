"""One invoice's stored events and its row, checked against each other."""

from collections.abc import Sequence

import pytest

from invoicing.maintenance.verify.findings import FindingKind
from invoicing.maintenance.verify.history import CheckedHistory, CurrentState, check_history
from invoicing.store.rows import StoredEvent, StoredInvoice
from invoicing.tools.schemas.story import run_story

INVOICE = "inv_1"
ITEMS = [{"amount": "9.00"}]
STORY = run_story(
    [
        ("CreateInvoice", INVOICE, {"customer_id": "cus_1", "currency": "USD", "items": ITEMS}),
        ("RecordPayment", INVOICE, {"payment_id": "p", "amount": "5.00", "currency": "USD"}),
        ("RecordPayment", INVOICE, {"payment_id": "q", "amount": "4.00", "currency": "USD"}),
    ]
)
EVENTS = tuple(STORY.events)


def current_state(row: StoredInvoice) -> CurrentState:
    columns = {**row._asdict(), "labels": sorted(row.labels or ())}
    return CurrentState(columns.pop("snapshot"), columns)


CURRENT = current_state(STORY.invoices[0])


def check(
    events: Sequence[StoredEvent], current: CurrentState | None = CURRENT
) -> tuple[CheckedHistory, list[FindingKind]]:
    checked = check_history(INVOICE, events, current)
    return checked, [finding.kind for finding in checked.findings]


def changed(index: int, old: str, new: str) -> list[StoredEvent]:
    """The events, with one document changed."""
    events = list(EVENTS)
    assert old in events[index].document
    events[index] = events[index]._replace(document=events[index].document.replace(old, new))
    return events


def test_a_sound_history_has_no_findings() -> None:
    checked, kinds = check(EVENTS)

    assert kinds == []
    assert checked.invoice is not None
    assert checked.invoice.version == len(EVENTS)


def test_a_version_gap_is_found_with_the_versions_that_exist() -> None:
    checked, kinds = check([*EVENTS[:1], *EVENTS[2:]])

    assert kinds[0] is FindingKind.VERSION_GAP
    assert checked.findings[0].found == f"versions 1, 3-{len(EVENTS)}"


@pytest.mark.parametrize(
    ("column", "value"),
    [("version", 7), ("type", "invoice.voided"), ("command_key", ("/orders", "another"))],
)
def test_a_row_that_contradicts_its_document_is_found(column: str, value: object) -> None:
    last = EVENTS[-1]._replace(**{column: value})

    checked = check_history(INVOICE, [*EVENTS[:-1], last], CURRENT)

    found = {finding.kind for finding in checked.findings}
    assert FindingKind.EVENT_MISLABELLED in found


def test_a_damaged_document_ends_the_replay_and_shows_no_customer_data() -> None:
    checked, kinds = check(changed(0, '"customer_id":"cus_1"', '"customer_id":17'))

    assert checked.invoice is None
    assert FindingKind.EVENT_UNREADABLE in kinds
    assert "17" not in checked.findings[-1].found


def test_a_number_that_changes_between_events_is_found() -> None:
    numbers = [event.document.partition('"invoice_number":"')[2] for event in EVENTS]
    number = numbers[-1].partition('"')[0]

    checked, kinds = check(changed(-1, f'"{number}"', '"INV-999999"'))

    assert FindingKind.NUMBER_CHANGED in kinds
    finding = next(f for f in checked.findings if f.kind is FindingKind.NUMBER_CHANGED)
    assert (number in finding.expected, "INV-999999" in finding.found) == (True, True)


def test_an_invoice_without_a_row_is_found() -> None:
    assert check(EVENTS, None)[1] == [FindingKind.STATE_MISSING]


def test_a_column_that_differs_is_named() -> None:
    wrong = CurrentState(CURRENT.snapshot, {**CURRENT.columns, "amount_due": 1})

    checked, kinds = check(EVENTS, wrong)

    assert kinds == [FindingKind.STATE_DIFFERS]
    assert checked.findings[0].expected == "events: column amount_due 0.00"


def test_a_snapshot_that_was_written_as_other_json_is_no_finding() -> None:
    escaped = CURRENT.snapshot.replace('"cus_1"', r'"cus\u005f1"')
    assert escaped != CURRENT.snapshot

    assert check(EVENTS, CurrentState(escaped, CURRENT.columns))[1] == []


def test_amounts_that_contradict_the_journal_are_found() -> None:
    """A slip in the formula has the same amount in the event, the state and the row."""
    amounts = '"amount_written_off":"0.00","amount_due":"0.00","amount_overpaid":'
    events = [
        event._replace(document=event.document.replace(f'{amounts}"0.00"', f'{amounts}"1.00"'))
        for event in EVENTS
    ]
    snapshot = CURRENT.snapshot.replace(f'{amounts}"0.00"', f'{amounts}"1.00"')
    columns = {**CURRENT.columns, "standing": "overpaid"}
    assert snapshot != CURRENT.snapshot

    checked, kinds = check(events, CurrentState(snapshot, columns))

    assert set(kinds) == {FindingKind.JOURNAL_DIFFERS}
    last = checked.findings[-1]
    assert last.expected.startswith("amount_overpaid 0, as liabilities:customer credit has it")
    assert last.found == "amount_overpaid 1.00"


def test_a_fact_that_was_changed_contradicts_the_amounts() -> None:
    _, kinds = check(
        changed(2, '"payment_id":"p","amount":"5.00"', '"payment_id":"p","amount":"4.00"')
    )

    assert FindingKind.JOURNAL_DIFFERS in kinds


def test_an_entry_that_is_not_balanced_is_found() -> None:
    _, kinds = check(changed(1, '"total_fees":"0.00"', '"total_fees":"0.01"'))

    assert FindingKind.JOURNAL_UNBALANCED in kinds
