"""The entries of an invoice that has many: rows of `invoice_entries`, beside its snapshot.

Such a snapshot begins with the member `entries`, which says how many rows of each kind there are
and what they add up to; the lists themselves are empty in it. Any other snapshot is whole, and rows
beside it mean nothing. A part of an entry, such as a refund of a payment, has a row that leads from
its id to the entry's.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import asyncpg
import orjson

from invoicing.contracts.envelope import CommandEnvelope
from invoicing.domain import entries as domain
from invoicing.domain.entries import Entries, EntrySequence, Kind, PartKey, Tally
from invoicing.domain.invoice import CREDIT_NOTES, ENTRY_KINDS, PAYMENTS, SENDINGS, Invoice

_PREFIX: Final = '{"entries":'
_FIRST_MEMBER: Final = ',"invoice_id":'
_PART_KINDS: Final = ("refund", "return", "dispute")
_KIND_OF_ID: Final = {
    "payment_id": PAYMENTS.name, "send_id": SENDINGS.name,
    "refund_id": "refund", "return_id": "return", "dispute_id": "dispute",
}  # fmt: skip
_NEEDS_CREDIT_NOTES: Final = frozenset({"IssueCreditNote", "VoidCreditNote", "ReverseInvoice"})
_MAKES_ID_OF: Final = {"PayInvoice": PAYMENTS.name, "SendInvoice": SENDINGS.name}
_EVENTS_OF_A_COMMAND: Final = 4
_NEW_IDS_MAX: Final = 100
_ID_LENGTH_MAX: Final = 1_000

ENTRY_COLUMNS: Final = ("invoice_id", "kind", "id", "position", "document")

LOAD_ENTRIES: Final = f"""
WITH named AS (
    SELECT entry.* FROM invoice_entries AS entry
    JOIN unnest($1::text[], $2::text[], $3::text[]) AS wanted (invoice_id, kind, id)
        USING (invoice_id, kind, id)
)
SELECT {", ".join(ENTRY_COLUMNS)} FROM named
UNION
SELECT owner.invoice_id, owner.kind, owner.id, owner.position, owner.document
FROM named JOIN invoice_entries AS owner
    ON owner.invoice_id = named.invoice_id AND owner.kind = 'payment' AND owner.id = named.document
WHERE named.kind IN {_PART_KINDS}
UNION
SELECT entry.invoice_id, kind, entry.id, entry.position, entry.document
FROM invoice_entries AS entry
JOIN unnest($4::text[], $5::text[]) AS wanted (invoice_id, kind) USING (invoice_id, kind)
ORDER BY invoice_id, kind, position
"""  # noqa: S608 (constants of ours, here and below)

ENTRIES_OF: Final = f"""
SELECT {", ".join(ENTRY_COLUMNS)} FROM invoice_entries
WHERE invoice_id = ANY($1::text[]) ORDER BY invoice_id, kind, position
"""  # noqa: S608

SNAPSHOT_OF: Final = "SELECT snapshot FROM invoices WHERE id = $1"

SAVE_ENTRIES: Final = f"""
INSERT INTO invoice_entries ({", ".join(ENTRY_COLUMNS)})
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[])
ON CONFLICT (invoice_id, kind, id)
    DO UPDATE SET position = excluded.position, document = excluded.document
"""  # noqa: S608


class StoredEntry(NamedTuple):
    """A row of `invoice_entries`: an entry as JSON, or a part with the id of its entry."""

    invoice_id: str
    kind: str
    id: str
    position: int
    document: str


class EntryKey(NamedTuple):
    """An entry or a part to load; without an id, all entries of the kind."""

    invoice_id: str
    kind: str
    id: str | None


def has_rows(snapshot: str) -> bool:
    """Whether some of the invoice's entries are in rows of their own."""
    return snapshot.startswith(_PREFIX)


def written(invoice: Invoice) -> tuple[str, tuple[StoredEntry, ...]]:
    """The invoice's snapshot, and those rows of its entries that are missing or outdated."""
    many = dict(_many(invoice))
    if not many:
        return invoice.to_json(), ()
    emptied: dict[str, Any] = {
        name: () if isinstance(getattr(invoice, name), Sequence) else {} for name in many
    }
    tallies: dict[str, Any] = {"version": invoice.version} | {
        name: {
            "size": len(entries),
            "open": sorted(entries.tally.open_ids),
            "totals": _totals(entries),
        }
        for name, entries in many.items()
    }
    header = orjson.dumps(tallies, default=str).decode()
    snapshot = f"{_PREFIX}{header},{invoice.copy_with(**emptied).to_json()[1:]}"
    rows = (row for entries in many.values() for row in _rows(invoice.invoice_id, entries))
    return snapshot, tuple(rows)


def _totals(entries: Entries[Any]) -> dict[str, int | Decimal]:
    """In one order, and without those of 0: equal tallies are equal texts."""
    return {name: total for name, total in sorted(entries.tally.totals.items()) if total}


def _many(invoice: Invoice) -> Iterator[tuple[str, Entries[Any]]]:
    """The kinds of which the invoice has many entries, by the names of its fields."""
    for name, kind in ENTRY_KINDS.items():
        entries = getattr(invoice, name)
        if isinstance(entries, EntrySequence):
            entries = entries.entries
        elif not isinstance(entries, Entries):
            if len(entries) <= domain.INLINE_MAX:
                continue
            # From a snapshot of an older release, which is whole however many there are.
            if kind is CREDIT_NOTES:
                entries = {note.credit_note_id: note for note in entries}
            entries = Entries.of(kind, entries)
        yield name, entries


def _rows(invoice_id: str, entries: Entries[Any]) -> Iterator[StoredEntry]:
    for entry in entries.unwritten():
        yield StoredEntry(
            invoice_id, entries.kind.name, entry.id, entry.position, entry.value.to_json()
        )
        for kind, id_ in entry.parts:
            yield StoredEntry(invoice_id, kind, id_, 0, entry.id)


def read(
    snapshot: str, keys: Collection[EntryKey] = (), rows: Sequence[StoredEntry] = ()
) -> Invoice:
    """The invoice of a snapshot; of its entries in rows, only those of these keys are known."""
    if not has_rows(snapshot):
        return Invoice.model_validate_json(snapshot)
    invoice = Invoice.model_validate_json(_without_header(snapshot))
    fields: dict[str, Any] = {}
    for name, tally in tallies_of(snapshot).items():
        kind = ENTRY_KINDS[name]
        entries = _entries(kind, tally, keys, rows)
        fields[name] = EntrySequence(entries) if kind is CREDIT_NOTES else entries
    return invoice.copy_with(**fields)


def tallies_of(snapshot: str) -> dict[str, Tally]:
    """What the snapshot says of entries in rows, by the names of the invoice's fields."""
    return {
        name: Tally(
            tally["size"],
            frozenset(tally["open"]),
            {fact: _amount(value) for fact, value in tally["totals"].items()},
        )
        for name, tally in _header(snapshot).items()
        if name in ENTRY_KINDS
    }


def _amount(value: int | str) -> int | Decimal:
    return Decimal(value) if isinstance(value, str) else value


def _header(snapshot: str) -> dict[str, Any]:
    # Quotes inside texts are escaped, so this is the first member after the header.
    text, _, _ = snapshot.partition(_FIRST_MEMBER)
    header: dict[str, Any] = orjson.loads(text[len(_PREFIX) :])
    return header


def _without_header(snapshot: str) -> str:
    _, _, rest = snapshot.partition(_FIRST_MEMBER)
    return "{" + _FIRST_MEMBER[1:] + rest


def _entries(
    kind: Kind[Any],
    tally: Tally,
    keys: Collection[EntryKey],
    rows: Sequence[StoredEntry],
) -> Entries[Any]:
    known: dict[str, Any] = {}
    positions: dict[str, int] = {}
    owners: dict[PartKey, str | None] = {
        (of, id_): None for _, of, id_ in keys if id_ is not None and of in _PART_KINDS
    }
    for row in rows:
        if row.kind == kind.name:
            known[row.id] = kind.model.model_validate_json(row.document)
            positions[row.id] = row.position
        elif row.kind in _PART_KINDS:
            owners[row.kind, row.id] = row.document
    for _, of, id_ in keys:
        if of == kind.name and id_ is not None:
            known.setdefault(id_, None)
    return Entries(
        kind,
        tally,
        known,
        positions=positions,
        owners=owners,
        is_complete=any(key[1:] == (kind.name, None) for key in keys),
    )


def whole(snapshot: str, rows: Iterable[StoredEntry]) -> str:
    """The snapshot with all entries in it, as it would be if there were few."""
    if not has_rows(snapshot):
        return snapshot
    state = orjson.loads(snapshot)
    names = {ENTRY_KINDS[name].name: name for name in state.pop("entries") if name in ENTRY_KINDS}
    for row in rows:
        if row.kind == CREDIT_NOTES.name and row.kind in names:
            state[names[row.kind]].append(orjson.Fragment(row.document))
        elif row.kind in names:
            state[names[row.kind]][row.id] = orjson.Fragment(row.document)
    return orjson.dumps(state).decode()


async def whole_snapshot(
    connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy, invoice_id: str, read: str
) -> str:
    """The snapshot of an invoice with all entries in it, as it is now if some have rows."""
    if not has_rows(read):
        return read
    # Both are read as of one moment: entries may have changed since the snapshot was read.
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        snapshot: str = await connection.fetchval(SNAPSHOT_OF, invoice_id)
        rows = await rows_of(connection, [invoice_id])
    return whole(snapshot, rows.get(invoice_id, ()))


async def rows_of(
    connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy, invoice_ids: Sequence[str]
) -> dict[str, list[StoredEntry]]:
    """All rows of these invoices' entries, by invoice and in order."""
    rows: dict[str, list[StoredEntry]] = {}
    for row in await connection.fetch(ENTRIES_OF, invoice_ids):
        rows.setdefault(row["invoice_id"], []).append(StoredEntry(*row))
    return rows


def wanted_by(snapshots: Mapping[str, str], commands: Iterable[CommandEnvelope]) -> set[EntryKey]:
    """What these commands name of invoices with rows, and what any decision on them may look at."""
    headers = {id_: _header(text) for id_, text in snapshots.items() if has_rows(text)}
    wanted = {
        EntryKey(id_, ENTRY_KINDS[name].name, open_id)
        for id_, header in headers.items()
        for name in header.keys() & ENTRY_KINDS.keys()
        for open_id in header[name]["open"]
    }
    events_before = dict.fromkeys(headers, 0)
    for command in commands if headers else ():
        invoice_id = command.subject
        if invoice_id not in headers:
            continue
        wanted |= {EntryKey(invoice_id, kind, id_) for kind, id_ in _named(command.data)}
        if command.type in _NEEDS_CREDIT_NOTES:
            wanted.add(EntryKey(invoice_id, CREDIT_NOTES.name, None))
        if (kind := _MAKES_ID_OF.get(command.type)) is not None:
            first = headers[invoice_id]["version"] + 1
            last = first + min(events_before[invoice_id] + 1, _NEW_IDS_MAX)
            wanted |= {
                EntryKey(invoice_id, kind, f"{invoice_id}-{version}")
                for version in range(first, last + 1)
            }
        events_before[invoice_id] += _EVENTS_OF_A_COMMAND
    return wanted


def _named(data: object) -> Iterator[tuple[str, str]]:
    """The ids in a command's data, which is not validated yet: Postgres could not take any text."""
    if not isinstance(data, dict):
        return
    refund = data.get("refund")
    for part in (data, refund) if isinstance(refund, dict) else (data,):
        for name in part.keys() & _KIND_OF_ID.keys():
            id_ = part[name]
            if isinstance(id_, str) and len(id_) <= _ID_LENGTH_MAX and id_.isprintable():
                yield _KIND_OF_ID[name], id_
