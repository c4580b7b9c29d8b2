"""Check what Postgres' snapshot alone can show, and write digests of it to the spill."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, Final

import asyncpg
import orjson

from invoicing.domain.numbering import DocumentKind, kind_of_number
from invoicing.maintenance.database import FEED_HIDDEN
from invoicing.maintenance.verify.commands import EventOfReply, check_reply_data
from invoicing.maintenance.verify.findings import Finding, FindingKind, Progress, Report
from invoicing.maintenance.verify.history import CurrentState, check_history
from invoicing.maintenance.verify.numbers import GivenNumber
from invoicing.maintenance.verify.spill import Spill, digest
from invoicing.store.entries import has_rows, rows_of
from invoicing.store.rows import (
    EVENT_COLUMNS,
    INVOICE_COLUMNS,
    StoredEvent,
    StoredReply,
    event_of,
    reply_of,
)

PAGE_ROWS: Final = 2_000

# By the primary key, so that a page costs its own rows and no sort.
EVENTS_PAGE: Final = f"""
SELECT {", ".join(EVENT_COLUMNS)}
FROM events
WHERE (invoice_id, version) > ($1, $2)
ORDER BY invoice_id, version
LIMIT $3
"""  # noqa: S608 (constants of ours)

REPLIES_PAGE: Final = """
SELECT source, id, invoice_id, body_hash, answer, first_version, last_version,
       topic, "partition", "offset", recorded_at
FROM commands
WHERE (source, id) > ($1, $2)
ORDER BY source, id
LIMIT $3
"""

INVOICES: Final = f"""
SELECT {", ".join(INVOICE_COLUMNS)}, labels
FROM invoices LEFT JOIN invoice_labels ON invoice_id = id
WHERE id = ANY($1::text[])
"""  # noqa: S608 (constants of ours)

EVENTS_OF_REPLIES: Final = """
SELECT reply, version, type, command_source, command_id,
       CASE WHEN version = last_version THEN data END AS data
FROM events
JOIN unnest($1::int[], $2::text[], $3::int[], $4::int[])
    AS wanted (reply, invoice_id, first_version, last_version) USING (invoice_id)
WHERE version BETWEEN wanted.first_version AND wanted.last_version
ORDER BY reply, version
"""

INVOICES_WITHOUT_EVENTS: Final = """
SELECT id, 'version ' || version AS found FROM invoices
WHERE NOT EXISTS (SELECT FROM events WHERE events.invoice_id = invoices.id)
UNION ALL
SELECT invoice_id, 'labels alone' FROM invoice_labels
WHERE NOT EXISTS (SELECT FROM events WHERE events.invoice_id = invoice_labels.invoice_id)
    AND NOT EXISTS (SELECT FROM invoices WHERE id = invoice_id)
UNION ALL
SELECT DISTINCT invoice_id, 'entries alone' FROM invoice_entries
WHERE NOT EXISTS (SELECT FROM events WHERE events.invoice_id = invoice_entries.invoice_id)
    AND NOT EXISTS (SELECT FROM invoices WHERE id = invoice_id)
"""

# The feed is ordered by transaction, then position.
FEED_DISORDERED: Final = """
SELECT invoice_id, version FROM (
    SELECT invoice_id, version, transaction_id, position,
           lag(transaction_id) OVER following AS transaction_before,
           lag(position) OVER following AS position_before
    FROM events WINDOW following AS (PARTITION BY invoice_id ORDER BY version)
) AS ordered
WHERE (transaction_id, position) < (transaction_before, position_before)
"""

NUMBERS_COUNTED: Final = """
SELECT seller_id, kind, sum(next - 1)::bigint AS counted FROM number_series
GROUP BY seller_id, kind
"""

# From statistics: a progress bar needs no more.
ROWS_ESTIMATED: Final = """
SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass($1)
"""


@dataclass(slots=True)
class Tables:
    """How much the tables held; `numbers_counted` by seller and kind, from number_series."""

    events: int = 0
    replies: int = 0
    invoices: int = 0
    numbers_counted: dict[tuple[str, str], int] = field(default_factory=dict)


async def spill_database(
    connection: asyncpg.Connection,
    topic_commands: str,
    spill: Spill,
    report: Report,
    progress: Progress,
) -> Tables:
    """Read all tables as the connection's snapshot shows them."""
    tables = Tables()
    estimated = await connection.fetchval(ROWS_ESTIMATED, "events")
    async for page in _invoice_pages(connection):
        for invoice_id, events, current in page:
            _take_invoice(invoice_id, events, current, spill, report)
            tables.invoices += 1
            tables.events += len(events)
            progress("events", tables.events, estimated)
    for id_, found in await connection.fetch(INVOICES_WITHOUT_EVENTS):
        report(Finding(FindingKind.STATE_WITHOUT_EVENTS, id_, "no events", found))
    for id_, version in await connection.fetch(FEED_DISORDERED):
        expected = f"version {version - 1} before version {version}"
        report(Finding(FindingKind.FEED_DISORDERED, id_, expected, "the other way round"))
    if hidden := await connection.fetchval(FEED_HIDDEN):
        expected, found = (
            "transactions that this cluster has begun",
            f"{hidden} events of later ones",
        )
        report(Finding(FindingKind.FEED_HIDDEN, None, expected, found))
    estimated = await connection.fetchval(ROWS_ESTIMATED, "commands")
    async for reply, data, named in _replies(connection):
        for finding in check_reply_data(
            reply.command_key, reply.invoice_id, reply.versions, data, named
        ):
            report(finding)
        _spill_reply(reply, topic_commands, spill)
        tables.replies += 1
        progress("commands", tables.replies, estimated)
    for seller_id, kind, counted in await connection.fetch(NUMBERS_COUNTED):
        tables.numbers_counted[seller_id, kind] = counted
    return tables


def _take_invoice(
    invoice_id: str,
    events: Sequence[StoredEvent],
    current: CurrentState | None,
    spill: Spill,
    report: Report,
) -> None:
    checked = check_history(invoice_id, events, current)
    for finding in checked.findings:
        report(finding)
    spill.add(
        "stored_events",
        (
            (
                event.invoice_id, event.version, digest(event.document.encode()),
                *event.command_key, event.recorded_at.timestamp(),
            )
            for event in events
        ),
    )  # fmt: skip
    if (invoice := checked.invoice) is None:
        return
    given: list[tuple[DocumentKind, str]] = [
        ("credit_note", note.credit_note_number) for note in invoice.credit_notes
    ]
    if invoice.invoice_number:
        given.append(("invoice", invoice.invoice_number))
    for document_kind, text in given:
        kind = kind_of_number(document_kind, text, live_mode=invoice.live_mode)
        parts = GivenNumber(text, invoice_id).parts
        spill.add("numbers", [(invoice.seller_id, kind, *parts, text, invoice.invoice_id)])


def _spill_reply(reply: StoredReply, topic_commands: str, spill: Spill) -> None:
    # A position in a commands topic of another name says nothing about this one's offsets.
    position = reply.position
    is_of_topic = position.topic == topic_commands
    row = (
        *reply.command_key, reply.invoice_id, reply.body_hash,
        digest(reply.document.encode()), *(reply.versions or (None, None)),
        *(position[1:] if is_of_topic else (None, None)), reply.recorded_at.timestamp(),
    )  # fmt: skip
    spill.add("stored_replies", [row])


InvoiceRows = tuple[str, Sequence[StoredEvent], CurrentState | None]
"""An invoice's id, all of its events and its current state."""


async def _invoice_pages(connection: asyncpg.Connection) -> AsyncIterator[Sequence[InvoiceRows]]:
    """All invoices that have events."""
    after: tuple[str, int] = ("", 0)
    begun: list[StoredEvent] = []
    while rows := await connection.fetch(EVENTS_PAGE, *after, PAGE_ROWS):
        begun += map(event_of, rows)
        # The last invoice may continue on the next page.
        after = (begun[-1].invoice_id, begun[-1].version)
        complete = [event for event in begun if event.invoice_id != after[0]]
        begun = [event for event in begun if event.invoice_id == after[0]]
        yield await _with_state(connection, complete)
    yield await _with_state(connection, begun)


async def _with_state(
    connection: asyncpg.Connection, events: Sequence[StoredEvent]
) -> Sequence[InvoiceRows]:
    by_invoice = {id_: list(own) for id_, own in groupby(events, attrgetter("invoice_id"))}
    states: dict[str, CurrentState] = {}
    rows = await connection.fetch(INVOICES, list(by_invoice))
    many = [row["id"] for row in rows if has_rows(row["snapshot"])]
    entries = await rows_of(connection, many) if many else {}
    for row in rows:
        columns = dict(row)
        columns["labels"] = sorted(columns["labels"] or ())
        id_, snapshot = columns.pop("id"), columns.pop("snapshot")
        states[id_] = CurrentState(snapshot, columns, entries.get(id_, ()))
    return [(id_, own, states.get(id_)) for id_, own in by_invoice.items()]


async def _replies(
    connection: asyncpg.Connection,
) -> AsyncIterator[tuple[StoredReply, dict[str, Any], Sequence[EventOfReply]]]:
    """All stored replies, each with its parsed `data` and the stored events that it names."""
    after = ("", "")
    while rows := await connection.fetch(REPLIES_PAGE, *after, PAGE_ROWS):
        replies = [reply_of(row) for row in rows]
        data = [_data_of(reply.document) for reply in replies]
        wanted = [
            (index, reply.invoice_id, *(reply.versions or (version, version)))
            for index, reply in enumerate(replies)
            if (version := data[index].get("version")) or reply.versions
        ]
        named: dict[int, list[EventOfReply]] = {}
        columns = ([row[column] for row in wanted] for column in range(4))
        for index, own in groupby(
            await connection.fetch(EVENTS_OF_REPLIES, *columns), itemgetter(0)
        ):
            named[index] = [
                EventOfReply(
                    version, type_, (source, id_), _data_of(event).get("state") if event else None
                )
                for _, version, type_, source, id_, event in own
            ]
        for index, reply in enumerate(replies):
            yield reply, data[index], named.get(index, ())
        after = replies[-1].command_key


def _data_of(document: str) -> dict[str, Any]:
    """The `data` of a stored document; empty if it is damaged, which then is what is found."""
    try:
        data = orjson.loads(document)["data"]
    except (ValueError, LookupError, TypeError):
        return {}
    return data if isinstance(data, dict) else {}
