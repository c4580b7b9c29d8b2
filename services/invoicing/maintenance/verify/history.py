"""Check one invoice in Postgres: its versions have no gap, and its events give its state."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Final

import orjson
from pydantic import ValidationError

from invoicing.contracts.envelope import event_id
from invoicing.contracts.events import DocumentEvent
from invoicing.contracts.invoice import Document
from invoicing.domain.evolve import evolve
from invoicing.domain.invoice import ENTRY_KINDS, Invoice
from invoicing.maintenance.verify.books import Books
from invoicing.maintenance.verify.findings import Finding, FindingKind
from invoicing.store.entries import StoredEntry, has_rows, tallies_of, whole
from invoicing.store.history import data_of
from invoicing.store.rows import StoredEvent, stored_invoice

# Errors from parsing a damaged document or applying it.
_UNREADABLE: Final = (ValueError, LookupError, TypeError, AttributeError)
# Rows are matched by id; the snapshot is compared field by field.
NOT_COMPARED: Final = frozenset({"id", "snapshot", "entries"})


@dataclass(frozen=True, slots=True)
class CurrentState:
    """An invoice's row: the snapshot as JSON, and the other columns by name, with sorted labels.

    `entries` are the rows beside a snapshot that does not contain all.
    """

    snapshot: str
    columns: Mapping[str, object]
    entries: Sequence[StoredEntry] = ()


@dataclass(frozen=True, slots=True)
class CheckedHistory:
    """An invoice as its events leave it, None if they cannot be replayed, and the findings."""

    invoice: Invoice | None
    findings: Sequence[Finding]


def check_history(
    invoice_id: str, events: Sequence[StoredEvent], current: CurrentState | None
) -> CheckedHistory:
    """Check an invoice's stored events, all of them in the order of their versions, and its row."""
    findings: list[Finding] = []
    versions = [event.version for event in events]
    if versions != list(range(1, len(versions) + 1)):
        found = f"versions {_spans(versions)}"
        expected = f"versions 1 to {len(versions)}"
        findings.append(Finding(FindingKind.VERSION_GAP, invoice_id, expected, found))
    for event in events:
        findings += _check_document(event)
    invoice: Invoice | None = None
    books = Books()
    for event, following in zip_longest(events, events[1:]):
        number = invoice.invoice_number if invoice else None
        try:
            data = data_of(event.type, event.document)
            if (
                isinstance(data, DocumentEvent)
                and invoice
                and data.invoice == invoice.lazy_document
            ):
                # The same again, as an opening usually shows it: it is parsed already.
                data = data.extended_from(data, invoice=invoice.lazy_document)
            invoice = evolve(invoice, data, event.recorded_at)
            # Parsed on first access: parse every document, so that an unreadable one is found.
            _ = invoice.document
            findings += books.take(data, event.recorded_at)
        except _UNREADABLE as error:
            return CheckedHistory(None, [*findings, _unreadable(event, error)])
        if number is not None and number != invoice.invoice_number:
            findings.append(
                Finding(
                    FindingKind.NUMBER_CHANGED,
                    invoice.invoice_id,
                    f"{number}, as assigned",
                    f"{invoice.invoice_number} at version {invoice.version}",
                )
            )
        is_last_of_command = following is None or following.command_key != event.command_key
        # The first releases published other amounts for the same facts, until they are restated.
        if is_last_of_command and "times_paid" in data.model_fields_set:
            findings += books.compare(invoice)
    if invoice is not None:
        findings += _check_state(invoice, current)
    return CheckedHistory(invoice, findings)


def _check_document(event: StoredEvent) -> Iterator[Finding]:
    """The fields of an event's document against the columns of its row."""
    source, id_ = event.command_key
    expected: dict[str, object] = {
        "id": event_id(event.invoice_id, event.version),
        "type": event.type,
        "subject": event.invoice_id,
        "version": event.version,
        "causationid": id_,
        "causationsource": source,
        "time": event.recorded_at,
    }
    try:
        document = orjson.loads(event.document)
        found = {name: document.get(name) for name in expected}
        found["time"] = datetime.fromisoformat(document["time"])
    except _UNREADABLE as error:
        yield _unreadable(event, error)
        return
    if wrong := [name for name in expected if found[name] != expected[name]]:
        yield Finding(
            FindingKind.EVENT_MISLABELLED,
            event.invoice_id,
            f"version {event.version}: " + _pairs(expected, wrong),
            _pairs(found, wrong),
        )


def _check_state(replayed: Invoice, current: CurrentState | None) -> Iterator[Finding]:
    if current is None:
        expected = f"a state at version {replayed.version}"
        found = "no row in invoices"
        yield Finding(FindingKind.STATE_MISSING, replayed.invoice_id, expected, found)
        return
    row = stored_invoice(replayed, document_changed=True)
    columns = {**row._asdict(), "labels": sorted(row.labels or ())}
    expected_fields = {
        f"column {name}": value for name, value in columns.items() if name not in NOT_COMPARED
    }
    found_fields = {f"column {name}": value for name, value in current.columns.items()}
    if current.snapshot != row.snapshot or set(current.entries) != set(row.entries):
        # An older release may have written the same state as different JSON.
        expected_fields |= _fields(replayed)
        with suppress(*_UNREADABLE):
            stored = Invoice.model_validate_json(whole(current.snapshot, current.entries))
            found_fields |= _fields(stored)
            if has_rows(current.snapshot):
                expected_fields |= _beside_entries(row.snapshot, row.entries)
                found_fields |= _beside_entries(current.snapshot, current.entries)
    wrong = [name for name, value in expected_fields.items() if found_fields.get(name) != value]
    if wrong:
        yield Finding(
            FindingKind.STATE_DIFFERS,
            replayed.invoice_id,
            "events: " + _pairs(expected_fields, wrong),
            "invoices: " + _pairs(found_fields, wrong),
        )


def _beside_entries(snapshot: str, rows: Sequence[StoredEntry]) -> dict[str, object]:
    """What a snapshot says of entries in rows, their order, and the rows that lead to them."""
    tallies = {f"tally of {name}": tally for name, tally in tallies_of(snapshot).items()}
    kinds = {kind.name for kind in ENTRY_KINDS.values()}
    return {
        **tallies,
        "order of entries": sorted((row.kind, row.position, row.id) for row in rows),
        "parts": sorted(row for row in rows if row.kind not in kinds),
    }


def _fields(invoice: Invoice) -> dict[str, object]:
    """An invoice's fields, with the document parsed."""
    names = Invoice.model_fields.keys() - {"lazy_document"}
    return {name: getattr(invoice, name) for name in (*sorted(names), "document")}


def _unreadable(event: StoredEvent, error: Exception) -> Finding:
    # The text of a validation error quotes values, which may be a customer's data.
    detail = type(error).__name__ if isinstance(error, ValidationError) else repr(error)[:200]
    return Finding(
        FindingKind.EVENT_UNREADABLE, event.invoice_id, f"version {event.version}", detail
    )


def _pairs(fields: Mapping[str, object], names: Sequence[str]) -> str:
    """Names and values for a finding, each value cut at 200 characters."""
    pairs = []
    for name in names:
        value = fields.get(name)
        text = value.to_json() if isinstance(value, Document) else str(value)
        pairs.append(f"{name} {text if len(text) <= 200 else f'{text[:200]}...'}")
    return ", ".join(pairs)


def _spans(versions: Sequence[int]) -> str:
    """1, 2, 4, 5, 6 as `1-2, 4-6`."""
    spans: list[list[int]] = []
    for version in versions:
        if spans and version == spans[-1][1] + 1:
            spans[-1][1] = version
        else:
            spans.append([version, version])
    return ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in spans)
