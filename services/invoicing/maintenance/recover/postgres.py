"""Postgres, brought forward by what Kafka has published.

A database that was restored to an earlier point lacks events and answers that consumers have seen.
What was published has happened: to decide the commands anew would give other numbers and times to
invoices that people hold in their hands. So events and answers are put back byte for byte, and the
state, the number series and the lanes' marks follow from them; all in one transaction.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg
import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from invoicing.contracts.envelope import CommandEnvelope, read_command
from invoicing.contracts.replies import RejectionCode
from invoicing.domain.invoice import Invoice
from invoicing.domain.numbering import NumberSeries, sequence_of, series_for
from invoicing.domain.sellers import Sellers
from invoicing.maintenance.database import homes_of
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
from invoicing.store.errors import check_schema
from invoicing.store.history import replay_many
from invoicing.store.postgres import save_invoices
from invoicing.store.rows import StoredInvoice, stored_invoice

STATES_AT_ONCE: Final = 500

# What Kafka tells and Postgres does not know.
BEGIN: Final = """
LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE;
CREATE TEMPORARY TABLE told_events (
    invoice_id text, version int, type text, data text, command_source text, command_id text,
    recorded_at timestamptz, "partition" int, "offset" bigint, PRIMARY KEY (invoice_id, version)
) ON COMMIT DROP;
CREATE TEMPORARY TABLE told_answers (
    source text, id text, invoice_id text, answer text, recorded_at timestamptz,
    PRIMARY KEY (source, id)
) ON COMMIT DROP;
CREATE TEMPORARY TABLE told_records (
    source text, id text, body_hash bytea, is_home boolean, "partition" int, "offset" bigint
) ON COMMIT DROP;
"""

OTHER_EVENTS: Final = """
SELECT told.invoice_id, told.version
FROM unnest($1::text[], $2::int[], $3::text[]) AS told (invoice_id, version, data)
JOIN events USING (invoice_id, version)
WHERE events.data <> told.data LIMIT 1
"""

TELL_EVENTS: Final = """
INSERT INTO told_events
SELECT * FROM unnest(
    $1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
    $8::int[], $9::bigint[]) AS told (invoice_id, version)
WHERE NOT EXISTS (
    SELECT FROM events
    WHERE events.invoice_id = told.invoice_id AND events.version = told.version)
ON CONFLICT DO NOTHING
"""

TELL_ANSWERS: Final = """
INSERT INTO told_answers
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
    AS told (source, id)
WHERE NOT EXISTS (
    SELECT FROM commands WHERE commands.source = told.source AND commands.id = told.id)
ON CONFLICT DO NOTHING
"""

TELL_RECORDS: Final = """
INSERT INTO told_records
SELECT told.* FROM unnest(
    $1::text[], $2::text[], $3::bytea[], $4::boolean[], $5::int[], $6::bigint[])
    AS told (source, id, body_hash, is_home, "partition", "offset")
JOIN told_answers USING (source, id)
"""

COMMANDS_LOST: Final = """
SELECT count(*), min(id) FROM told_answers
WHERE NOT EXISTS (
    SELECT FROM told_records
    WHERE told_records.source = told_answers.source AND told_records.id = told_answers.id)
"""

EVENTS_LOST: Final = """
SELECT count(*), min(invoice_id) FROM (
    SELECT invoice_id FROM told_events AS told GROUP BY invoice_id
    HAVING max(version) - min(version) + 1 <> count(*)
        OR min(version) <> 1 + coalesce(
            (SELECT max(version) FROM events WHERE events.invoice_id = told.invoice_id), 0)
) AS broken
"""

ANSWERS_LOST: Final = """
SELECT count(*), min(command_id) FROM told_events
WHERE NOT EXISTS (
    SELECT FROM told_answers WHERE source = command_source AND id = command_id)
"""

STORE: Final = """
INSERT INTO events
    (invoice_id, version, type, data, command_source, command_id, recorded_at)
SELECT invoice_id, version, type, data, command_source, command_id, recorded_at
FROM told_events ORDER BY recorded_at, "partition", "offset"
"""

# The first record at home is the one that was answered; what came after it were repeats.
STORE_ANSWERS: Final = """
INSERT INTO commands
    (source, id, invoice_id, body_hash, answer, first_version, last_version, topic, "partition",
     "offset", recorded_at)
SELECT source, id, told.invoice_id, body_hash, answer, first_version, last_version, $1,
       first."partition", first."offset", told.recorded_at
FROM told_answers AS told
JOIN (
    SELECT DISTINCT ON (source, id) * FROM told_records
    ORDER BY source, id, is_home DESC, "partition", "offset"
) AS first USING (source, id)
LEFT JOIN (
    SELECT command_source AS source, command_id AS id,
           min(version) AS first_version, max(version) AS last_version
    FROM told_events GROUP BY 1, 2
) AS led_to USING (source, id)
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
    """What was put back."""

    events: int
    answers: int
    invoices: int


async def recover_postgres(
    settings: Settings, sellers: Sellers, progress: Progress
) -> RecoveredDatabase:
    """Store what was published and is not stored. The DSN's user must own the tables.

    Raises `RecoveryError` where the topics hold too little for it, or other things than the
    database; then nothing was changed. `TopicsError` and `SchemaError`, as everywhere.
    """
    await check_quiet(settings)
    watermarks = await read_watermarks(settings)
    async with _owner(settings.dsn) as connection, connection.transaction():
        await connection.execute(BEGIN)
        await _read_topics(settings, watermarks, connection, progress)
        await _check_complete(connection)
        await connection.execute(STORE)
        await connection.execute(STORE_ANSWERS, settings.topic_commands)
        changed = [
            row[0] for row in await connection.fetch("SELECT DISTINCT invoice_id FROM told_events")
        ]
        await _renew_states(connection, changed, sellers)
        await connection.executemany(SAVE_LANES, _marks(settings, watermarks))
        return RecoveredDatabase(
            events=await connection.fetchval("SELECT count(*) FROM told_events"),
            answers=await connection.fetchval("SELECT count(*) FROM told_answers"),
            invoices=len(changed),
        )


@asynccontextmanager
async def _owner(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(
        dsn, server_settings={"application_name": "invoicing-recover"}
    )
    try:
        await check_schema(connection)
        yield connection
    finally:
        await connection.close()


async def _read_topics(
    settings: Settings,
    watermarks: HighWatermarks,
    connection: asyncpg.Connection,
    progress: Progress,
) -> None:
    homes = await homes_of(settings, watermarks)
    async with topic_reader(settings) as consumer:
        async for records in _records(consumer, settings.topic_events, watermarks, progress):
            await _tell_events(connection, [_event_row(record) for record in records])
        async for records in _records(consumer, settings.topic_replies, watermarks, progress):
            await _tell(connection, TELL_ANSWERS, _answer_rows(records))
        # The commands come last: only of those whose answers are missing is anything kept.
        async for records in _records(consumer, settings.topic_commands, watermarks, progress):
            await _tell(connection, TELL_RECORDS, _record_rows(records, homes))


async def _records(
    consumer: AIOKafkaConsumer, topic: str, watermarks: HighWatermarks, progress: Progress
) -> AsyncIterator[Sequence[ConsumerRecord]]:
    retained = RetainedRange()
    async for records in read_topic(consumer, topic, watermarks, retained):
        yield records
        progress(topic, retained.records, retained.length)


async def _tell_events(connection: asyncpg.Connection, rows: Sequence[Row]) -> None:
    columns = list(zip(*rows, strict=True))
    other = await connection.fetchrow(OTHER_EVENTS, columns[0], columns[1], columns[3])
    if other is not None:
        raise RecoveryError(
            f"Invoice {other[0]} has another event at version {other[1]} in the database than in"
            " Kafka: somebody went on after the restore. Restore the same backup once more, and"
            " run this before any worker."
        )
    await connection.execute(TELL_EVENTS, *columns)


async def _tell(connection: asyncpg.Connection, statement: str, rows: Iterable[Row]) -> None:
    if columns := list(zip(*rows, strict=True)):
        await connection.execute(statement, *columns)


def _event_row(record: ConsumerRecord) -> Row:
    event = orjson.loads(record.value)
    return (
        event["subject"], event["version"], event["type"], record.value.decode(),
        event["causationsource"], event["causationid"], datetime.fromisoformat(event["time"]),
        record.partition, record.offset,
    )  # fmt: skip


def _answer_rows(records: Sequence[ConsumerRecord]) -> Iterator[Row]:
    for record in records:
        answer = orjson.loads(record.value)
        told = answer["data"]
        # It stands for another body under a taken id, and was never stored.
        if told.get("code") != RejectionCode.IDEMPOTENCY_CONFLICT:
            yield (
                told["command_source"], told["command_id"], told["invoice_id"],
                record.value.decode(), datetime.fromisoformat(answer["time"]),
            )  # fmt: skip


def _record_rows(records: Sequence[ConsumerRecord], homes: int) -> Iterator[Row]:
    for record in records:
        command = read_command(record.value, record.headers)
        if isinstance(command, CommandEnvelope):
            is_home = partition_of(command.subject.encode(), homes) == record.partition
            yield (
                command.source, command.id, command.body_hash, is_home,
                record.partition, record.offset,
            )  # fmt: skip


async def _check_complete(connection: asyncpg.Connection) -> None:
    for query, lost in (
        (COMMANDS_LOST, "answers whose commands the commands topic no longer holds, as of command"),
        (EVENTS_LOST, "invoices whose events the topic no longer holds without a gap, as of"),
        (ANSWERS_LOST, "events whose answers the replies topic no longer holds, as of command"),
    ):
        ((count, example),) = await connection.fetch(query)
        if count:
            raise RecoveryError(
                f"There are {count} {lost} {example}. The backup is older than what the topics"
                " hold: restore a later one. Nothing was changed."
            )


async def _renew_states(
    connection: asyncpg.Connection, invoice_ids: Sequence[str], sellers: Sellers
) -> None:
    following: dict[NumberSeries, int] = {}
    states: list[StoredInvoice] = []
    async for invoice in replay_many(connection, invoice_ids):
        for series, sequence in _numbers(invoice, sellers):
            following[series] = max(following.get(series, 1), sequence + 1)
        states.append(stored_invoice(invoice, document_changed=True))
        if len(states) == STATES_AT_ONCE:
            await save_invoices(connection, states)
            states = []
    await save_invoices(connection, states)
    await connection.executemany(
        SAVE_NUMBERS, [(s.seller_id, s.kind, s.period, next_) for s, next_ in following.items()]
    )


def _numbers(invoice: Invoice, sellers: Sellers) -> Iterator[tuple[NumberSeries, int]]:
    """The invoice's numbers, by series and place in it. Raises `RecoveryError`."""
    seller = sellers.find(invoice.seller_id)
    if seller is None:
        raise RecoveryError(
            f"Seller {invoice.seller_id!r} is not on the list of sellers, INVOICING_SELLERS_FILE."
        )
    day = invoice.document.document_date
    given = [(series_for(seller, "credit_note", note.document_date), note.credit_note_number)
             for note in invoice.credit_notes]  # fmt: skip
    if invoice.invoice_number is not None:
        given.append((series_for(seller, "invoice", day), invoice.invoice_number))
    for series, number in given:
        sequence = sequence_of(series, number, sellers)
        if sequence is None:
            raise RecoveryError(
                f"Number {number} of invoice {invoice.invoice_id} is not written as its seller's"
                " are. Run this with the INVOICING_SELLERS_FILE that it was given under."
            )
        yield series, sequence


def _marks(settings: Settings, watermarks: HighWatermarks) -> list[Row]:
    return [
        (settings.consumer_group, settings.topic_commands, partition, offset)
        for partition, offset in watermarks.committed.items()
        if offset
    ]
