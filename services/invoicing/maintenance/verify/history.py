"""One invoice in Postgres: its events count 1, 2, 3, ... and add up to its current state."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson
from pydantic import ValidationError

from invoicing.contracts.envelope import event_id
from invoicing.contracts.invoice import Document
from invoicing.domain.evolve import evolve
from invoicing.domain.invoice import Invoice
from invoicing.maintenance.verify.findings import Finding, FindingKind
from invoicing.store.history import data_of
from invoicing.store.rows import StoredEvent, stored_invoice

# What reading a broken document can raise, and what folding it in can.
_UNREADABLE: Final = (ValueError, LookupError, TypeError, AttributeError)
# The id is what rows are found by; the snapshot is compared field by field.
NOT_COMPARED: Final = frozenset({"id", "snapshot"})


@dataclass(frozen=True, slots=True)
class CurrentState:
    """An invoice's row: its snapshot as JSON, and the other columns by name, labels sorted."""

    snapshot: str
    columns: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What an invoice's events add up to; None where they cannot be replayed."""

    invoice: Invoice | None
    findings: Sequence[Finding]


def check_history(
    invoice_id: str, events: Sequence[StoredEvent], current: CurrentState | None
) -> Replayed:
    """An invoice's stored events, all of them in the order of their versions, and its state."""
    findings = [*_check_versions(invoice_id, events)]
    for event in events:
        findings += _check_label(event)
    invoice = None
    try:
        for event in events:
            before, invoice = invoice, _after(invoice, event)
            findings += _check_number(before, invoice)
    except _UNREADABLE as error:
        return Replayed(None, [*findings, _unreadable(event, error)])
    if invoice is not None:
        findings += _check_state(invoice, current)
    return Replayed(invoice, findings)


def _after(invoice: Invoice | None, event: StoredEvent) -> Invoice:
    after = evolve(invoice, data_of(event.type, event.document), event.recorded_at)
    # Read, though nobody asks for it: one that cannot be read must be found.
    assert after.document
    return after


def _check_versions(invoice_id: str, events: Sequence[StoredEvent]) -> Iterator[Finding]:
    versions = [event.version for event in events]
    if versions != list(range(1, len(versions) + 1)):
        expected = f"versions 1 to {len(versions)}"
        found = f"versions {_spans(versions)}"
        yield Finding(FindingKind.VERSION_GAP, invoice_id, expected, found)


def _check_number(before: Invoice | None, after: Invoice) -> Iterator[Finding]:
    number = before.invoice_number if before else None
    if number is not None and number != after.invoice_number:
        yield Finding(
            FindingKind.NUMBER_CHANGED,
            after.invoice_id,
            f"{number}, as given",
            f"{after.invoice_number} at version {after.version}",
        )


def _check_label(event: StoredEvent) -> Iterator[Finding]:
    try:
        document = orjson.loads(event.document)
        told = {name: document.get(name) for name in _labels(event)}
        told["time"] = datetime.fromisoformat(document["time"])
    except _UNREADABLE as error:
        yield _unreadable(event, error)
        return
    expected = _labels(event)
    if told != expected:
        wrong = [name for name in expected if told[name] != expected[name]]
        yield Finding(
            FindingKind.EVENT_MISLABELLED,
            event.invoice_id,
            f"version {event.version}: " + _pairs(expected, wrong),
            _pairs(told, wrong),
        )


def _labels(event: StoredEvent) -> dict[str, object]:
    """What the document must say, by the row that holds it."""
    source, id_ = event.command_key
    return {
        "id": event_id(event.invoice_id, event.version),
        "type": event.type,
        "subject": event.invoice_id,
        "version": event.version,
        "causationid": id_,
        "causationsource": source,
        "time": event.recorded_at,
    }


def _check_state(replayed: Invoice, current: CurrentState | None) -> Iterator[Finding]:
    if current is None:
        expected = f"a state at version {replayed.version}"
        found = "no row in invoices"
        yield Finding(FindingKind.STATE_MISSING, replayed.invoice_id, expected, found)
        return
    expected_fields = _columns(replayed)
    found_fields = _as_columns(current.columns)
    if current.snapshot != replayed.model_dump_json():
        # An older release may have written the same in other words.
        expected_fields |= _fields(replayed)
        found_fields |= _stored_fields(current)
    wrong = [name for name, value in expected_fields.items() if found_fields.get(name) != value]
    if wrong:
        yield Finding(
            FindingKind.STATE_DIFFERS,
            replayed.invoice_id,
            "events: " + _pairs(expected_fields, wrong),
            "invoices: " + _pairs(found_fields, wrong),
        )


def _fields(invoice: Invoice) -> dict[str, object]:
    """An invoice's state by field."""
    told = {**invoice.__dict__, "document": invoice.document}
    del told["filed"]
    return told


def _columns(invoice: Invoice) -> dict[str, object]:
    """What the columns beside the snapshot must say."""
    row = stored_invoice(invoice, document_changed=True)
    columns = {name: value for name, value in row._asdict().items() if name not in NOT_COMPARED}
    return _as_columns({**columns, "labels": sorted(row.labels or ())})


def _stored_fields(current: CurrentState) -> dict[str, object]:
    try:
        return _fields(Invoice.model_validate_json(current.snapshot))
    except _UNREADABLE:
        return {}


def _as_columns(values: Mapping[str, object]) -> dict[str, object]:
    return {f"column {name}": value for name, value in values.items()}


def _unreadable(event: StoredEvent, error: Exception) -> Finding:
    # A validation error's own text repeats the values, which may be a customer's.
    detail = type(error).__name__ if isinstance(error, ValidationError) else repr(error)[:200]
    return Finding(
        FindingKind.EVENT_UNREADABLE, event.invoice_id, f"version {event.version}", detail
    )


def _pairs(fields: dict[str, object], names: Sequence[str]) -> str:
    return ", ".join(f"{name} {_shown(fields.get(name))}" for name in names)


def _shown(value: object) -> str:
    text = value.model_dump_json() if isinstance(value, Document) else str(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _spans(versions: Sequence[int]) -> str:
    """1, 2, 4, 5, 6 as `1-2, 4-6`."""
    spans: list[list[int]] = []
    for version in versions:
        if spans and version == spans[-1][1] + 1:
            spans[-1][1] = version
        else:
            spans.append([version, version])
    return ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in spans)
