"""The store in Postgres: events, replies and current state, written together or not at all.

A batch is loaded in two queries and appended in one transaction, which it may share with batches of
other lanes (`group_commit`). Two unique keys are the last line of defence against a second writer:
(invoice, version) of events and (source, id) of commands.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Final

import asyncpg
import orjson
import structlog

from invoicing.domain.numbering import NumberRequest, NumberSeries
from invoicing.runtime.postgres import Pool, open_pool
from invoicing.runtime.settings import Settings
from invoicing.store import rules
from invoicing.store.entries import (
    ENTRY_COLUMNS,
    LOAD_ENTRIES,
    SAVE_ENTRIES,
    EntryKey,
    StoredEntry,
)
from invoicing.store.errors import DatabaseBehindError
from invoicing.store.group_commit import GroupCommit
from invoicing.store.protocol import FormatNumber
from invoicing.store.rows import (
    COMMAND_COLUMNS,
    DOCUMENT_COLUMNS,
    EVENT_COLUMNS,
    INVOICE_COLUMNS,
    CommandKey,
    Loaded,
    Position,
    StoredEvent,
    StoredInvoice,
    StoredReply,
    WriteBatch,
    event_of,
    event_rows,
    invoice_rows,
    reply_of,
    reply_rows,
)

log = structlog.get_logger()

WRITER_ROLE: Final = "invoicing_writer"

LOAD_INVOICES = """
SELECT id, snapshot FROM invoices WHERE id = ANY($1::text[])
"""

LOAD_REPLIES = """
SELECT source, id, invoice_id, body_hash, answer, first_version, last_version,
       topic, "partition", "offset", recorded_at
FROM commands JOIN unnest($1::text[], $2::text[]) AS wanted (source, id) USING (source, id)
"""

LOAD_EVENTS = """
SELECT invoice_id, version, type, data, command_source, command_id, recorded_at
FROM events
JOIN unnest($1::text[], $2::int[], $3::int[]) AS wanted (invoice_id, first_version, last_version)
    USING (invoice_id)
WHERE version BETWEEN wanted.first_version AND wanted.last_version
ORDER BY invoice_id, version
"""

# Ordered by key, so that two batches cannot deadlock.
TAKE_NUMBERS = """
INSERT INTO number_series AS series (seller_id, kind, period, next)
SELECT seller_id, kind, period, count + 1
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
    AS taken (seller_id, kind, period, count)
ORDER BY seller_id, kind, period
ON CONFLICT (seller_id, kind, period) DO UPDATE SET next = series.next + excluded.next - 1
RETURNING seller_id, kind, period, next
"""

_ARRAYS = ", ".join(f"${n}::{type_}[]" for n, type_ in enumerate(INVOICE_COLUMNS.values(), 1))
# Every document has a date: without one, the row was made without reading the document.
_UPDATES = ", ".join(
    f"{name} = CASE WHEN excluded.document_date IS NULL THEN stored.{name} ELSE excluded.{name} END"
    if name in DOCUMENT_COLUMNS
    else f"{name} = excluded.{name}"
    for name in INVOICE_COLUMNS
    if name != "id"
)
SAVE_INVOICES = f"""
INSERT INTO invoices AS stored ({", ".join(INVOICE_COLUMNS)})
SELECT * FROM unnest({_ARRAYS})
ON CONFLICT (id) DO UPDATE SET {_UPDATES}
"""  # noqa: S608 (constants of ours)

# Each invoice's labels are passed as a JSON array: unnest would flatten an array of arrays.
SAVE_LABELS = """
INSERT INTO invoice_labels AS stored (invoice_id, labels)
SELECT id, ARRAY(SELECT jsonb_array_elements_text(labels::jsonb))
FROM unnest($1::text[], $2::text[]) AS wanted (id, labels)
ON CONFLICT (invoice_id) DO UPDATE SET labels = excluded.labels
WHERE stored.labels <> excluded.labels
"""

# Postgres ends sessions that idle in a transaction and statements that run too long, but not a COPY
# that waits for a client that has stopped.
END_SLEEPERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = session_user
    AND application_name = current_setting('application_name')
    AND state = 'active' AND wait_event = 'ClientRead'
    AND query_start < clock_timestamp() - current_setting('lock_timeout')::interval
"""

# Returns no row if the database knows less than the lane has stored: see `DatabaseBehindError`.
SAVE_LANE = """
INSERT INTO lanes (consumer_group, topic, "partition", next_offset)
SELECT $1, $2, $3, $4 WHERE $5 = 0 OR EXISTS (
    SELECT FROM lanes WHERE consumer_group = $1 AND topic = $2 AND "partition" = $3)
ON CONFLICT (consumer_group, topic, "partition")
    DO UPDATE SET next_offset = GREATEST(lanes.next_offset, excluded.next_offset)
    WHERE lanes.next_offset >= $5
RETURNING "partition"
"""

# Of every group: one under a new name must not start from the beginning.
LOAD_LANES = """
SELECT "partition", max(next_offset) AS next_offset FROM lanes WHERE topic = $1 GROUP BY "partition"
"""

PIN_PARTITION_COUNT = """
INSERT INTO homes (topic, partitions) VALUES ($1, $2) ON CONFLICT DO NOTHING
"""

LOAD_ROUTING_PARTITIONS = """
SELECT partitions FROM homes WHERE topic = $1
"""


async def open_writer_pool(settings: Settings) -> Pool:
    """A pool of connections that act as the writer, and say by which rules."""
    return await open_pool(settings, WRITER_ROLE, asyncpg.Connection, **rules.SESSION)


class PostgresStore:
    """The write side's only way to Postgres."""

    def __init__(
        self, pool: asyncpg.Pool, format_number: FormatNumber, consumer_group: str
    ) -> None:
        self._pool = pool
        self._format_number = format_number
        self._consumer_group = consumer_group
        self._has_required_rules = False
        self._groups = GroupCommit(self._append_together)

    async def next_offsets(self, topic: str) -> dict[int, int]:
        """By partition, the offset after the last batch stored, whichever group stored it."""
        rows = await self._pool.fetch(LOAD_LANES, topic)
        return {row["partition"]: row["next_offset"] for row in rows}

    async def pin_partition_count(self, topic: str, partitions: int) -> int:
        """Settle how many partitions route invoices: those that the topic had at first."""
        await self._pool.execute(PIN_PARTITION_COUNT, topic, partitions)
        return await self.routing_partitions(topic)

    async def routing_partitions(self, topic: str) -> int:
        """How many partitions route invoices. `pin_partition_count` comes first."""
        return int(await self._pool.fetchval(LOAD_ROUTING_PARTITIONS, topic))

    async def load(
        self, invoice_ids: Sequence[str], commands: Mapping[CommandKey, Sequence[Position]]
    ) -> Loaded:
        """The state of these invoices, and the replies that these commands already have."""
        async with self._pool.acquire() as connection:
            invoices = await connection.fetch(LOAD_INVOICES, invoice_ids)
            rows = await connection.fetch(
                LOAD_REPLIES, [source for source, _ in commands], [id_ for _, id_ in commands]
            )
            replies = {reply.command_key: reply for reply in map(reply_of, rows)}
            redelivered = [
                reply
                for key, reply in replies.items()
                if reply.versions and reply.position in commands[key]
            ]
            events = await _load_events(connection, redelivered) if redelivered else {}
        return Loaded({row["id"]: row["snapshot"] for row in invoices}, replies, events)

    async def load_entries(self, wanted: Collection[EntryKey]) -> Sequence[StoredEntry]:
        """These entries, each part with the entry that it belongs to; in their order."""
        if not wanted:
            return ()
        named = [key for key in wanted if key.id is not None]
        kinds = [key for key in wanted if key.id is None]
        rows = await self._pool.fetch(
            LOAD_ENTRIES,
            *([key[column] for key in named] for column in range(3)),
            *([key[column] for key in kinds] for column in range(2)),
        )
        return [StoredEntry(*row) for row in rows]

    async def append(self, write_batch: WriteBatch) -> Sequence[StoredEvent]:
        """Write the batch in one transaction. Returns its events with their numbers."""
        return await self._groups.append(write_batch)

    async def _append_together(
        self, write_batches: Sequence[WriteBatch]
    ) -> Sequence[Sequence[StoredEvent]]:
        """Write batches of different lanes in one transaction. Returns the events of each."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                events = await self._append(connection, write_batches)
        except asyncpg.LockNotAvailableError:
            await self._end_sleepers()
            raise
        self._has_required_rules |= rules.need_these_rules(event.type for event in chain(*events))
        return events

    async def _append(
        self, connection: asyncpg.pool.PoolConnectionProxy, write_batches: Sequence[WriteBatch]
    ) -> Sequence[Sequence[StoredEvent]]:
        await self._save_lanes(connection, write_batches)
        replies = [reply for batch in write_batches for reply in batch.replies]
        if replies:
            await connection.copy_records_to_table(
                "commands", records=reply_rows(replies), columns=COMMAND_COLUMNS
            )
        # Labels have no numbers in them, so their statement is none of those under the lock.
        await _save_labels(
            connection, [row for batch in write_batches for row in batch.invoices.values()]
        )
        # As late as possible: until the commit, every other lane waits for these series.
        requests = [request for batch in write_batches for request in batch.numbers]
        numbers = await self._take_numbers(connection, requests)
        events_by_batch = [batch.numbered_events(numbers) for batch in write_batches]
        events = list(chain(*events_by_batch))
        if events:
            await connection.copy_records_to_table(
                "events", records=event_rows(events), columns=EVENT_COLUMNS
            )
        if not self._has_required_rules and rules.need_these_rules(e.type for e in events):
            await rules.require_these_rules(connection)
        invoices = [row for batch in write_batches for row in batch.numbered_invoices(numbers)]
        await _save_states(connection, invoices)
        return events_by_batch

    async def _save_lanes(
        self, connection: asyncpg.pool.PoolConnectionProxy, write_batches: Sequence[WriteBatch]
    ) -> None:
        # Sorted, so that two workers that both believe to own some lanes cannot deadlock.
        lanes = sorted((batch.next, batch.checkpoint) for batch in write_batches)
        rows = await connection.fetchmany(
            SAVE_LANE, [(self._consumer_group, *lane, checkpoint) for lane, checkpoint in lanes]
        )
        saved = {row["partition"] for row in rows}
        for lane, checkpoint in lanes:
            if lane.partition not in saved:
                raise DatabaseBehindError(
                    f"The database has forgotten what {lane.topic}-{lane.partition} stored below"
                    f" {checkpoint}: a standby without it took over, or a backup was restored."
                    " `invoicing recover postgres` brings it forward."
                )

    async def _end_sleepers(self) -> None:
        """End the sessions of workers that hold locks and stopped in the midst of a COPY."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL ROLE NONE")  # pg_terminate_backend: the login role
            ended = await connection.fetch(END_SLEEPERS)
        log.warning("sleepers_ended", sessions=len(ended))

    async def _take_numbers(
        self, connection: asyncpg.pool.PoolConnectionProxy, requests: Sequence[NumberRequest]
    ) -> dict[str, str]:
        wanted: dict[NumberSeries, list[str]] = {}
        for request in requests:
            wanted.setdefault(request.series, []).append(request.placeholder)
        if not wanted:
            return {}
        rows = await connection.fetch(
            TAKE_NUMBERS,
            [series.seller_id for series in wanted],
            [series.kind for series in wanted],
            [series.period for series in wanted],
            [len(placeholders) for placeholders in wanted.values()],
        )
        after_last = {
            NumberSeries(row["seller_id"], row["kind"], row["period"]): row["next"] for row in rows
        }
        assert after_last.keys() == wanted.keys()
        return {
            placeholder: self._format_number(series, after_last[series] - len(placeholders) + index)
            for series, placeholders in wanted.items()
            for index, placeholder in enumerate(placeholders)
        }


async def save_invoices(
    connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy,
    invoices: Collection[StoredInvoice],
) -> None:
    """Insert or update the state of invoices."""
    await _save_labels(connection, invoices)
    await _save_states(connection, invoices)


async def _save_labels(
    connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy,
    invoices: Collection[StoredInvoice],
) -> None:
    labels = {
        invoice.id: orjson.dumps(invoice.labels).decode()
        for invoice in invoices
        if invoice.labels is not None
    }
    if labels:
        await connection.execute(SAVE_LABELS, list(labels), list(labels.values()))


async def _save_states(
    connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy,
    invoices: Collection[StoredInvoice],
) -> None:
    if not invoices:
        return
    await connection.execute(SAVE_INVOICES, *zip(*invoice_rows(invoices), strict=True))
    entries = [entry for invoice in invoices for entry in invoice.entries]
    if entries:
        await rules.require_entry_rules(connection)
        await connection.execute(SAVE_ENTRIES, *zip(*entries, strict=True))


async def copy_invoices(
    connection: asyncpg.Connection, invoices: Collection[StoredInvoice], schema: str
) -> None:
    """Insert the state of invoices that have none yet, into the tables of this schema."""
    await connection.copy_records_to_table(
        "invoices",
        records=invoice_rows(invoices),
        columns=tuple(INVOICE_COLUMNS),
        schema_name=schema,
    )
    labels = [(invoice.id, invoice.labels) for invoice in invoices if invoice.labels is not None]
    await connection.copy_records_to_table(
        "invoice_labels", records=labels, columns=("invoice_id", "labels"), schema_name=schema
    )
    await connection.copy_records_to_table(
        "invoice_entries",
        records=(entry for invoice in invoices for entry in invoice.entries),
        columns=ENTRY_COLUMNS,
        schema_name=schema,
    )


async def _load_events(
    connection: asyncpg.pool.PoolConnectionProxy, replies: Sequence[StoredReply]
) -> dict[CommandKey, list[StoredEvent]]:
    spans = [(reply.invoice_id, *reply.versions) for reply in replies if reply.versions]
    rows = await connection.fetch(LOAD_EVENTS, *map(list, zip(*spans, strict=True)))
    events: dict[CommandKey, list[StoredEvent]] = {reply.command_key: [] for reply in replies}
    for event in map(event_of, rows):
        events[event.command_key].append(event)
    return events
