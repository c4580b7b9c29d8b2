"""Postgres as one snapshot shows it: read from end to end, a page at a time."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, Final

import asyncpg
import orjson

from invoicing.maintenance.topics import HighWatermarks
from invoicing.maintenance.verify.answered import EventOfAnswer
from invoicing.maintenance.verify.history import CurrentState
from invoicing.runtime.settings import Settings
from invoicing.store.errors import check_schema
from invoicing.store.history import READER_ROLE
from invoicing.store.postgres import LOAD_ROUTING_PARTITIONS
from invoicing.store.rows import INVOICE_COLUMNS, StoredEvent, StoredReply, event_of, reply_of

PAGE_ROWS: Final = 2_000

# By the primary key, so that a page costs its own rows and no sort.
EVENTS_PAGE: Final = """
SELECT invoice_id, version, type, data, command_source, command_id, recorded_at
FROM events
WHERE (invoice_id, version) > ($1, $2)
ORDER BY invoice_id, version
LIMIT $3
"""

ANSWERS_PAGE: Final = """
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

EVENTS_OF_ANSWERS: Final = """
SELECT place, version, type, command_source, command_id,
       CASE WHEN version = last_version THEN data END AS data
FROM events
JOIN unnest($1::int[], $2::text[], $3::int[], $4::int[])
    AS wanted (place, invoice_id, first_version, last_version) USING (invoice_id)
WHERE version BETWEEN wanted.first_version AND wanted.last_version
ORDER BY place, version
"""

INVOICES_WITHOUT_EVENTS: Final = """
SELECT id, 'version ' || version AS found FROM invoices
WHERE NOT EXISTS (SELECT FROM events WHERE events.invoice_id = invoices.id)
UNION ALL
SELECT invoice_id, 'labels alone' FROM invoice_labels
WHERE NOT EXISTS (SELECT FROM events WHERE events.invoice_id = invoice_labels.invoice_id)
    AND NOT EXISTS (SELECT FROM invoices WHERE id = invoice_id)
"""

# The feed's order is by transaction and then position.
FEED_DISORDERED: Final = """
SELECT invoice_id, version FROM (
    SELECT invoice_id, version, transaction_id, position,
           lag(transaction_id) OVER following AS transaction_before,
           lag(position) OVER following AS position_before
    FROM events WINDOW following AS (PARTITION BY invoice_id ORDER BY version)
) AS told
WHERE (transaction_id, position) < (transaction_before, position_before)
"""

FEED_HIDDEN: Final = """
SELECT count(*) FROM events WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot())
"""

LANES: Final = """
SELECT "partition", next_offset FROM lanes WHERE consumer_group = $1 AND topic = $2
"""

NUMBERS_COUNTED: Final = """
SELECT seller_id, kind, sum(next - 1)::bigint AS counted FROM number_series
GROUP BY seller_id, kind
"""

ROWS_ABOUT: Final = """
SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass($1)
"""


@asynccontextmanager
async def snapshot(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A connection on which every query sees the same moment. Raises `SchemaError`.

    It has no time limits, for a whole reading takes as long as it takes.
    """
    connection = await asyncpg.connect(
        settings.dsn, server_settings={"application_name": "invoicing-verify"}
    )
    try:
        await check_schema(connection)
        await connection.execute(f"SET ROLE {READER_ROLE}")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection
    finally:
        await connection.close()


async def homes_of(settings: Settings, watermarks: HighWatermarks) -> int:
    """Among how many lanes invoices are at home: all, before any worker has settled it.

    Raises `SchemaError`.
    """
    async with snapshot(settings) as connection:
        topic = settings.topic_commands
        homes: int | None = await connection.fetchval(LOAD_ROUTING_PARTITIONS, topic)
        return homes or watermarks.partitions(topic)


@dataclass(frozen=True, slots=True)
class InvoiceRows:
    """All that Postgres holds of one invoice that has events."""

    id: str
    events: Sequence[StoredEvent]
    current: CurrentState | None


async def invoices(connection: asyncpg.Connection) -> AsyncIterator[InvoiceRows]:
    """Every invoice that has events, with all of them."""
    begun: list[StoredEvent] = []
    async for page in _event_pages(connection):
        begun += page
        # The last one may go on on the next page.
        open_id = begun[-1].invoice_id
        whole = [event for event in begun if event.invoice_id != open_id]
        begun = [event for event in begun if event.invoice_id == open_id]
        for rows in await _with_state(connection, whole):
            yield rows
    for rows in await _with_state(connection, begun):
        yield rows


async def _event_pages(connection: asyncpg.Connection) -> AsyncIterator[list[StoredEvent]]:
    after: tuple[str, int] = ("", 0)
    while rows := await connection.fetch(EVENTS_PAGE, *after, PAGE_ROWS):
        yield [event_of(row) for row in rows]
        after = (rows[-1]["invoice_id"], rows[-1]["version"])


async def _with_state(
    connection: asyncpg.Connection, events: Sequence[StoredEvent]
) -> list[InvoiceRows]:
    by_invoice = {
        invoice_id: list(own) for invoice_id, own in groupby(events, attrgetter("invoice_id"))
    }
    states = {row["id"]: _state(row) for row in await connection.fetch(INVOICES, list(by_invoice))}
    return [InvoiceRows(id_, own, states.get(id_)) for id_, own in by_invoice.items()]


@dataclass(frozen=True, slots=True)
class AnswerRows:
    """A stored answer, its parsed `data`, and the stored events that it names."""

    answer: StoredReply
    claim: dict[str, Any]
    events: Sequence[EventOfAnswer]


async def answers(connection: asyncpg.Connection) -> AsyncIterator[AnswerRows]:
    """Every stored answer."""
    after = ("", "")
    while rows := await connection.fetch(ANSWERS_PAGE, *after, PAGE_ROWS):
        page = [reply_of(row) for row in rows]
        documents = [_parsed(answer.document) for answer in page]
        events = await _events_of_answers(connection, page, documents)
        for place, (answer, document) in enumerate(zip(page, documents, strict=True)):
            yield AnswerRows(answer, document["data"], events.get(place, ()))
        after = page[-1].command_key


async def _events_of_answers(
    connection: asyncpg.Connection,
    answers: Sequence[StoredReply],
    documents: Sequence[dict[str, Any]],
) -> dict[int, list[EventOfAnswer]]:
    wanted = [
        (place, answer.invoice_id, *(answer.versions or (told, told)))
        for place, (answer, document) in enumerate(zip(answers, documents, strict=True))
        if (told := document["data"].get("version")) or answer.versions
    ]
    rows = await connection.fetch(
        EVENTS_OF_ANSWERS, *([row[column] for row in wanted] for column in range(4))
    )
    return {
        place: [_event_of_answer(row) for row in own] for place, own in groupby(rows, itemgetter(0))
    }


def _event_of_answer(row: asyncpg.Record) -> EventOfAnswer:
    data = row["data"]
    return EventOfAnswer(
        row["version"],
        row["type"],
        (row["command_source"], row["command_id"]),
        _parsed(data)["data"].get("state") if data else None,
    )


def _parsed(document: str) -> dict[str, Any]:
    """A stored document; one that was damaged says nothing, which is what is found of it."""
    try:
        parsed = orjson.loads(document)
    except orjson.JSONDecodeError:
        parsed = None
    is_whole = isinstance(parsed, dict) and isinstance(parsed.get("data"), dict)
    return parsed if is_whole else {"data": {}}


def _state(row: asyncpg.Record) -> CurrentState:
    columns = dict(row)
    del columns["id"]
    snapshot = columns.pop("snapshot")
    columns["labels"] = sorted(columns["labels"] or ())
    return CurrentState(snapshot, columns)


async def lanes(connection: asyncpg.Connection, settings: Settings) -> dict[int, int]:
    """How far each lane has come, by the database's own marks."""
    rows = await connection.fetch(LANES, settings.consumer_group, settings.topic_commands)
    return {row["partition"]: row["next_offset"] for row in rows}


async def rows_about(connection: asyncpg.Connection, table: str) -> int:
    """How many rows a table has, as far as statistics tell: a progress bar needs no more."""
    rows: int = await connection.fetchval(ROWS_ABOUT, table)
    return rows
