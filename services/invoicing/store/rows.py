"""The rows of the store's tables: their types, their columns, and what a batch adds to them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple, get_args, get_type_hints

import asyncpg

from invoicing.contracts.invoice import DocumentIndexFields
from invoicing.domain.invoice import Invoice
from invoicing.domain.labels import labels_of
from invoicing.domain.numbering import NumberRequest
from invoicing.domain.status import base_status
from invoicing.store.entries import EntryKey, StoredEntry, read, written
from invoicing.store.placeholders import fill

EVENT_COLUMNS = (
    "invoice_id", "version", "type", "data", "command_source", "command_id", "recorded_at",
)  # fmt: skip
COMMAND_COLUMNS = (
    "source", "id", "invoice_id", "body_hash", "answer", "first_version", "last_version",
    "topic", "partition", "offset", "recorded_at",
)  # fmt: skip

CommandKey = tuple[str, str]
"""A command's identity: its source and its id."""


class Position(NamedTuple):
    """A record's coordinates in Kafka."""

    topic: str
    partition: int
    offset: int

    @property
    def next(self) -> "Position":
        """The position after this one."""
        return Position(self.topic, self.partition, self.offset + 1)

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}@{self.offset}"


class StoredEvent(NamedTuple):
    """A row of `events`: `document` is the whole CloudEvent, byte for byte as published."""

    invoice_id: str
    version: int
    type: str
    document: str
    command_key: CommandKey
    recorded_at: datetime


class StoredReply(NamedTuple):
    """A row of `commands`: a command's one reply, and the position of the record it answers.

    `versions` are the first and the last version of the command's events; None without events.
    """

    command_key: CommandKey
    invoice_id: str
    body_hash: bytes
    document: str
    versions: tuple[int, int] | None
    position: Position
    recorded_at: datetime


class StoredInvoice(NamedTuple):
    """A row of `invoices`, and at the end its labels and entries, which have tables of their own.

    This is the one table of columns: each field but these two is the column of its name, and all
    SQL on `invoices` is made from it. If the document has not changed, its columns and the labels
    are None, and the stored values stay.
    """

    id: str
    version: int
    state: str
    standing: str
    archived: bool
    seller_id: str
    customer_id: str
    invoice_number: str | None
    total: Decimal
    amount_due: Decimal
    attempt_count: int
    snapshot: str
    """The domain's `Invoice` as JSON."""
    created_at: datetime
    updated_at: datetime
    document_date: date | None = None
    due_date: date | None = None
    overdue_from: datetime | None = None
    live_mode: bool | None = None
    labels: tuple[str, ...] | None = None
    entries: tuple[StoredEntry, ...] = ()


_POSTGRES_TYPES: Final[Mapping[Any, str]] = {
    str: "text", int: "int", bool: "boolean", Decimal: "numeric",
    datetime: "timestamptz", date: "date",
}  # fmt: skip


def _columns_of(row: type) -> dict[str, str]:
    """The columns of a row and their types in Postgres."""
    hints = get_type_hints(row)
    del hints["labels"], hints["entries"]
    return {
        name: _POSTGRES_TYPES[get_args(hint)[0] if get_args(hint) else hint]
        for name, hint in hints.items()
    }


OVERDUE_FROM: Final = "coalesce(overdue_from, (due_date + 1)::timestamp AT TIME ZONE 'UTC')"
"""SQL of the instant from which an invoice is overdue, as `overdue_from_of` has it; indexed.

The column is null in drafts, and in rows of the first releases, whose days are UTC's.
"""

INVOICE_COLUMNS: Final[Mapping[str, str]] = _columns_of(StoredInvoice)
"""Each column of `invoices` with its type, in the order of a row's fields."""

DOCUMENT_COLUMNS: Final = tuple(
    name for name in DocumentIndexFields.model_fields if name in INVOICE_COLUMNS
)
"""Columns that are read from the document. They and the labels are kept if it did not change."""


def stored_invoice(invoice: Invoice, *, document_changed: bool) -> StoredInvoice:
    """The row of an invoice. Reading the document is skipped unless the document has changed."""
    snapshot, entries = written(invoice)
    fields = invoice.lazy_document.index_fields if document_changed else None
    from_document: dict[str, Any] = (
        {name: getattr(fields, name) for name in DOCUMENT_COLUMNS} if fields else {}
    )
    return StoredInvoice(
        id=invoice.invoice_id,
        version=invoice.version,
        state=invoice.state,
        standing=base_status(invoice),
        archived=invoice.archived,
        seller_id=invoice.seller_id,
        customer_id=invoice.customer_id,
        invoice_number=invoice.invoice_number,
        total=invoice.total,
        amount_due=invoice.amount_due,
        attempt_count=invoice.attempt_count,
        snapshot=snapshot,
        created_at=invoice.created_at,
        updated_at=invoice.updated_at,
        **from_document,
        labels=labels_of(fields) if fields else None,
        entries=entries,
    )


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the store knows about a batch before it is decided.

    `events` belong to replies that were given to this very record: a worker stored them and
    crashed before they were published, or before Kafka had the offset.
    """

    snapshots: Mapping[str, str]
    replies: Mapping[CommandKey, StoredReply]
    events: Mapping[CommandKey, Sequence[StoredEvent]]
    wanted_entries: Collection[EntryKey] = ()
    entries: Sequence[StoredEntry] = ()

    def invoices(self) -> dict[str, Invoice]:
        """The invoices of the snapshots, with those entries that were wanted."""
        keys: dict[str, list[EntryKey]] = {}
        for key in self.wanted_entries:
            keys.setdefault(key.invoice_id, []).append(key)
        rows: dict[str, list[StoredEntry]] = {}
        for row in self.entries:
            rows.setdefault(row.invoice_id, []).append(row)
        return {
            id_: read(snapshot, keys.get(id_, ()), rows.get(id_, ()))
            for id_, snapshot in self.snapshots.items()
        }


@dataclass(frozen=True, slots=True)
class WriteBatch:
    """What one batch adds to the store, with placeholders for the numbers that it takes.

    `next` is the lane's position after the batch. `checkpoint` is the offset that the database must
    know of already: less means that it has lost data.
    """

    next: Position
    checkpoint: int = 0
    events: list[StoredEvent] = field(default_factory=list)
    replies: list[StoredReply] = field(default_factory=list)
    invoices: dict[str, StoredInvoice] = field(default_factory=dict)
    numbers: list[NumberRequest] = field(default_factory=list)

    def numbered_events(self, numbers: Mapping[str, str]) -> list[StoredEvent]:
        """The events, with a number for each placeholder."""
        return (
            [_numbered_event(event, numbers) for event in self.events] if numbers else self.events
        )

    def numbered_invoices(self, numbers: Mapping[str, str]) -> list[StoredInvoice]:
        """The invoices' rows, with a number for each placeholder."""
        rows = list(self.invoices.values())
        return [_numbered_invoice(row, numbers) for row in rows] if numbers else rows


def _numbered_invoice(row: StoredInvoice, numbers: Mapping[str, str]) -> StoredInvoice:
    snapshot = fill(row.snapshot, numbers)
    if snapshot is row.snapshot and not row.entries:
        return row
    return row._replace(
        snapshot=snapshot,
        entries=tuple(
            entry._replace(document=fill(entry.document, numbers)) for entry in row.entries
        ),
        invoice_number=row.invoice_number and fill(row.invoice_number, numbers),
    )


def _numbered_event(event: StoredEvent, numbers: Mapping[str, str]) -> StoredEvent:
    document = fill(event.document, numbers)
    if document is event.document:
        return event
    # `_replace` takes twice as long.
    return StoredEvent(
        event.invoice_id, event.version, event.type, document, event.command_key, event.recorded_at
    )


def event_of(row: asyncpg.Record) -> StoredEvent:
    """The event of a row that has `EVENT_COLUMNS`."""
    return StoredEvent(
        invoice_id=row["invoice_id"],
        version=row["version"],
        type=row["type"],
        document=row["data"],
        command_key=(row["command_source"], row["command_id"]),
        recorded_at=row["recorded_at"],
    )


def reply_of(row: asyncpg.Record) -> StoredReply:
    """The reply of a row that has `COMMAND_COLUMNS`."""
    has_events = row["first_version"] is not None
    return StoredReply(
        command_key=(row["source"], row["id"]),
        invoice_id=row["invoice_id"],
        body_hash=row["body_hash"],
        document=row["answer"],
        versions=(row["first_version"], row["last_version"]) if has_events else None,
        position=Position(row["topic"], row["partition"], row["offset"]),
        recorded_at=row["recorded_at"],
    )


def event_rows(events: Iterable[StoredEvent]) -> Iterator[tuple[object, ...]]:
    """Each event's values, in the order of `EVENT_COLUMNS`."""
    for event in events:
        yield (*event[:4], *event.command_key, event.recorded_at)


def reply_rows(replies: Iterable[StoredReply]) -> Iterator[tuple[object, ...]]:
    """Each reply's values, in the order of `COMMAND_COLUMNS`."""
    for reply in replies:
        yield (
            *reply.command_key, reply.invoice_id, reply.body_hash, reply.document,
            *(reply.versions or (None, None)), *reply.position, reply.recorded_at,
        )  # fmt: skip


def invoice_rows(invoices: Iterable[StoredInvoice]) -> Iterator[tuple[object, ...]]:
    """Each invoice's values, in the order of `INVOICE_COLUMNS`."""
    for invoice in invoices:
        yield invoice[: len(INVOICE_COLUMNS)]
