"""Bring Postgres forward by what Kafka has published.

A database that was restored to an earlier point lacks events and replies that consumers have seen.
Published invoices cannot be decided again: they would get other numbers and times. So events and
replies are stored again byte for byte, and the state, the number series and the lanes' checkpoints
are derived from them, all in one transaction.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import asyncpg
import orjson
from aiokafka import ConsumerRecord

from invoicing.contracts.envelope import CommandEnvelope, read_command
from invoicing.contracts.replies import RejectionCode
from invoicing.domain.invoice import Invoice
from invoicing.domain.numbering import DocumentKind, NumberSeries, sequence_of, series_of_number
from invoicing.domain.sellers import Sellers
from invoicing.maintenance.database import routing_partitions
from invoicing.maintenance.recover.preconditions import RecoveryError, check_quiet
from invoicing.maintenance.topics import (
    HighWatermarks,
    RetainedRange,
    read_topic,
    read_watermarks,
    topic_reader,
)
from invoicing.maintenance.verify.findings import Progress
from invoicing.runtime.kafka.topics import partition_of
from invoicing.runtime.settings import Settings
from invoicing.store import rules
from invoicing.store.history import replay_many
from invoicing.store.postgres import save_invoices
from invoicing.store.rows import StoredInvoice, stored_invoice

STATES_AT_ONCE: Final = 500

# What Kafka has published and Postgres has not stored.
CREATE_TABLES: Final = """
LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE;
CREATE TEMPORARY TABLE published_events (
    invoice_id text, version int, type text, data text, command_source text, command_id text,
    recorded_at timestamptz, "partition" int, "offset" bigint, PRIMARY KEY (invoice_id, version)
) ON COMMIT DROP;
CREATE TEMPORARY TABLE published_replies (
    source text, id text, invoice_id text, answer text, recorded_at timestamptz,
    PRIMARY KEY (source, id)
) ON COMMIT DROP;
CREATE TEMPORARY TABLE command_records (
    source text, id text, body_hash bytea, is_routed boolean, "partition" int, "offset" bigint
) ON COMMIT DROP;
"""

CONFLICTING_EVENT: Final = """
SELECT invoice_id, version
FROM unnest($1::text[], $2::int[], $3::text[]) AS published (invoice_id, version, data)
JOIN events USING (invoice_id, version)
WHERE events.data <> published.data LIMIT 1
"""

ADD_EVENTS: Final = """
INSERT INTO published_events
SELECT * FROM unnest(
    $1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
    $8::int[], $9::bigint[]) AS published (invoice_id, version)
WHERE NOT EXISTS (
    SELECT FROM events
    WHERE events.invoice_id = published.invoice_id AND events.version = published.version)
ON CONFLICT DO NOTHING
"""

ADD_REPLIES: Final = """
INSERT INTO published_replies
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
    AS published (source, id)
WHERE NOT EXISTS (
    SELECT FROM commands WHERE commands.source = published.source AND commands.id = published.id)
ON CONFLICT DO NOTHING
"""

ADD_RECORDS: Final = """
INSERT INTO command_records
SELECT record.* FROM unnest(
    $1::text[], $2::text[], $3::bytea[], $4::boolean[], $5::int[], $6::bigint[])
    AS record (source, id, body_hash, is_routed, "partition", "offset")
JOIN published_replies USING (source, id)
"""

COMMANDS_LOST: Final = """
SELECT count(*), min(id) FROM published_replies AS reply
WHERE NOT EXISTS (
    SELECT FROM command_records AS record
    WHERE record.source = reply.source AND record.id = reply.id)
"""

EVENTS_LOST: Final = """
SELECT count(*), min(invoice_id) FROM (
    SELECT invoice_id FROM published_events AS published GROUP BY invoice_id
    HAVING max(version) - min(version) + 1 <> count(*)
        OR min(version) <> 1 + coalesce(
            (SELECT max(version) FROM events WHERE events.invoice_id = published.invoice_id), 0)
) AS incomplete
"""

REPLIES_LOST: Final = """
SELECT count(*), min(command_id) FROM published_events
WHERE NOT EXISTS (
    SELECT FROM published_replies WHERE source = command_source AND id = command_id)
"""

STORE_EVENTS: Final = """
INSERT INTO events
    (invoice_id, version, type, data, command_source, command_id, recorded_at)
SELECT invoice_id, version, type, data, command_source, command_id, recorded_at
FROM published_events ORDER BY recorded_at, "partition", "offset"
"""

# Of a command's records, the first in the invoice's partition was replied to; others are repeats.
STORE_REPLIES: Final = """
INSERT INTO commands
    (source, id, invoice_id, body_hash, answer, first_version, last_version, topic, "partition",
     "offset", recorded_at)
SELECT source, id, reply.invoice_id, body_hash, answer, first_version, last_version, $1,
       first."partition", first."offset", reply.recorded_at
FROM published_replies AS reply
JOIN (
    SELECT DISTINCT ON (source, id) * FROM command_records
    ORDER BY source, id, is_routed DESC, "partition", "offset"
) AS first USING (source, id)
LEFT JOIN (
    SELECT command_source AS source, command_id AS id,
           min(version) AS first_version, max(version) AS last_version
    FROM published_events GROUP BY 1, 2
) AS versions USING (source, id)
"""

SAVE_NUMBERS: Final = """
INSERT INTO number_series AS series (seller_id, kind, period, next) VALUES ($1, $2, $3, $4)
ON CONFLICT (seller_id, kind, period) DO UPDATE SET next = GREATEST(series.next, excluded.next)
"""

SAVE_LANES: Final = """
INSERT INTO lanes (consumer_group, topic, "partition", next_offset) VALUES ($1, $2, $3, $4)
ON CONFLICT (consumer_group, topic, "partition")
    DO UPDATE SET next_offset = GREATEST(lanes.next_offset, excluded.next_offset)
"""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class RecoveredDatabase:
    """How much was stored again."""

    events: int
    answers: int
    invoices: int


async def recover_postgres(
    settings: Settings, sellers: Sellers, progress: Progress
) -> RecoveredDatabase:
    """Store what was published and is not stored. The DSN's user must own the tables.

    Raises `RecoveryError` if the topics hold too little for it or contradict the database; nothing
    is changed then. Raises `TopicsError` and `SchemaError`.
    """
    await check_quiet(settings)
    watermarks = await read_watermarks(settings)
    partitions = await routing_partitions(settings, watermarks)
    connection = await asyncpg.connect(
        settings.dsn,
        server_settings={"application_name": "invoicing-recover", **rules.SESSION},
    )
    try:
        async with connection.transaction():
            await connection.execute(CREATE_TABLES)
            await _load_topics(settings, partitions, watermarks, connection, progress)
            await _check_complete(connection)
            await connection.execute(STORE_EVENTS)
            types = await connection.fetch("SELECT DISTINCT type FROM published_events")
            if rules.need_these_rules(row["type"] for row in types):
                await rules.require_these_rules(connection)
            await connection.execute(STORE_REPLIES, settings.topic_commands)
            changed = [
                row["invoice_id"]
                for row in await connection.fetch(
                    "SELECT DISTINCT invoice_id FROM published_events"
                )
            ]
            await rebuild_states(connection, changed, sellers)
            checkpoints = [
                (settings.consumer_group, settings.topic_commands, partition, offset)
                for partition, offset in watermarks.committed.items()
                if offset
            ]
            await connection.executemany(SAVE_LANES, checkpoints)
            return RecoveredDatabase(
                events=await connection.fetchval("SELECT count(*) FROM published_events"),
                answers=await connection.fetchval("SELECT count(*) FROM published_replies"),
                invoices=len(changed),
            )
    finally:
        await connection.close()


async def _load_topics(
    settings: Settings,
    partitions: int,
    watermarks: HighWatermarks,
    connection: asyncpg.Connection,
    progress: Progress,
) -> None:
    """Load what is not stored into the temporary tables."""
    async with topic_reader(settings) as consumer:

        async def read(topic: str) -> AsyncIterator[Sequence[ConsumerRecord]]:
            retained = RetainedRange()
            async for records in read_topic(consumer, topic, watermarks, retained):
                yield records
                progress(topic, retained.records, retained.length)

        async for records in read(settings.topic_events):
            await _add_events(connection, records)
        async for records in read(settings.topic_replies):
            await _add(connection, ADD_REPLIES, _reply_rows(records))
        # Last, since only the records of commands whose replies are missing are kept.
        async for records in read(settings.topic_commands):
            await _add(connection, ADD_RECORDS, _record_rows(records, partitions))


async def _add(connection: asyncpg.Connection, statement: str, rows: Iterable[Row]) -> None:
    if columns := list(zip(*rows, strict=True)):
        await connection.execute(statement, *columns)


async def _add_events(connection: asyncpg.Connection, records: Sequence[ConsumerRecord]) -> None:
    rows: list[Row] = []
    for record in records:
        event = orjson.loads(record.value)
        rows.append((
            event["subject"], event["version"], event["type"], record.value.decode(),
            event["causationsource"], event["causationid"], datetime.fromisoformat(event["time"]),
            record.partition, record.offset,
        ))  # fmt: skip
    invoice_ids, versions, _, documents, *_ = zip(*rows, strict=True)
    conflict = await connection.fetchrow(CONFLICTING_EVENT, invoice_ids, versions, documents)
    if conflict is not None:
        raise RecoveryError(
            f"Invoice {conflict['invoice_id']} has another event at version {conflict['version']}"
            " in the database than in Kafka: a worker has run since the restore. Restore the same"
            " backup again, and run this before any worker."
        )
    await _add(connection, ADD_EVENTS, rows)


def _reply_rows(records: Sequence[ConsumerRecord]) -> Iterator[Row]:
    for record in records:
        reply = orjson.loads(record.value)
        data = reply["data"]
        # A conflict rejects another body with a known id, and is never stored.
        if data.get("code") != RejectionCode.IDEMPOTENCY_CONFLICT:
            yield (
                data["command_source"], data["command_id"], data["invoice_id"],
                record.value.decode(), datetime.fromisoformat(reply["time"]),
            )  # fmt: skip


def _record_rows(records: Sequence[ConsumerRecord], partitions: int) -> Iterator[Row]:
    for record in records:
        command = read_command(record.value, record.headers)
        if isinstance(command, CommandEnvelope):
            is_routed = partition_of(command.subject.encode(), partitions) == record.partition
            yield (
                command.source, command.id, command.body_hash, is_routed,
                record.partition, record.offset,
            )  # fmt: skip


async def _check_complete(connection: asyncpg.Connection) -> None:
    for query, lost in (
        (COMMANDS_LOST, "replies whose commands the commands topic no longer holds, as of command"),
        (EVENTS_LOST, "invoices whose events the topic no longer holds without a gap, as of"),
        (REPLIES_LOST, "events whose replies the replies topic no longer holds, as of command"),
    ):
        ((count, example),) = await connection.fetch(query)
        if count:
            raise RecoveryError(
                f"There are {count} {lost} {example}. The backup is older than what the topics"
                " hold: restore a later one. Nothing was changed."
            )


async def rebuild_states(
    connection: asyncpg.Connection, invoice_ids: Sequence[str], sellers: Sellers
) -> None:
    """Save the current state of these invoices and the number series that they took numbers from.

    Raises `RecoveryError` for a number that cannot belong to its seller.
    """
    next_numbers: dict[NumberSeries, int] = {}
    states: list[StoredInvoice] = []
    async for invoice in replay_many(connection, invoice_ids):
        for series, sequence in _numbers(invoice, sellers):
            next_numbers[series] = max(next_numbers.get(series, 1), sequence + 1)
        states.append(stored_invoice(invoice, document_changed=True))
        if len(states) == STATES_AT_ONCE:
            await save_invoices(connection, states)
            states = []
    await save_invoices(connection, states)
    await connection.executemany(
        SAVE_NUMBERS, [(s.seller_id, s.kind, s.period, next_) for s, next_ in next_numbers.items()]
    )


def _numbers(invoice: Invoice, sellers: Sellers) -> Iterator[tuple[NumberSeries, int]]:
    """The series and sequence of each of the invoice's numbers. Raises `RecoveryError`."""
    seller = sellers.find(invoice.seller_id)
    if seller is None:
        raise RecoveryError(f"INVOICING_SELLERS_FILE has no seller {invoice.seller_id!r}.")
    given: list[tuple[DocumentKind, date, str]] = [
        ("credit_note", note.document_date, note.credit_note_number)
        for note in invoice.credit_notes
    ]
    if invoice.invoice_number is not None:
        day = invoice.document.document_date
        given.append(("invoice", day, invoice.invoice_number))
    for kind, day, number in given:
        series = series_of_number(seller, kind, day, number, live_mode=invoice.live_mode)
        sequence = sequence_of(series, number, sellers)
        if sequence is None:
            raise RecoveryError(
                f"Number {number} of invoice {invoice.invoice_id} does not have its seller's"
                " format. Run this with the INVOICING_SELLERS_FILE that it was assigned with."
            )
        yield series, sequence
