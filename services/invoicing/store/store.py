"""The store: events, answers and current state in Postgres, written together or not at all.

A batch is loaded in two queries and appended in one transaction. Two unique keys are the last line
of defence against a second writer: (invoice, version) of events and (source, id) of commands.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

import asyncpg
import orjson
import structlog

from invoicing.domain.list_index import Listing
from invoicing.domain.numbering import NumberRequest, NumberSeries
from invoicing.store.placeholders import fill

log = structlog.get_logger()

WRITER_ROLE: Final = "invoicing_writer"

MIGRATE_FIRST: Final = "The database has no invoicing tables. Run `invoicing migrate` first."

EVENT_COLUMNS = (
    "invoice_id", "version", "type", "data", "command_source", "command_id", "recorded_at",
)  # fmt: skip
INVOICE_COLUMNS = (
    "id", "version", "state", "standing", "archived", "seller_id", "customer_id", "invoice_number",
    "total", "amount_due", "attempt_count", "snapshot", "created_at", "updated_at",
    "document_date", "due_date", "live_mode",
)  # fmt: skip
COMMAND_COLUMNS = (
    "source", "id", "invoice_id", "body_hash", "answer", "first_version", "last_version",
    "topic", "partition", "offset", "recorded_at",
)  # fmt: skip

LOAD_INVOICES = """
SELECT id, snapshot FROM invoices WHERE id = ANY($1::text[])
"""

LOAD_ANSWERS = """
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

# In the order of the key, so that two batches never wait for each other in a ring.
TAKE_NUMBERS = """
INSERT INTO number_series AS series (seller_id, kind, period, next)
SELECT seller_id, kind, period, count + 1
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
    AS taken (seller_id, kind, period, count)
ORDER BY seller_id, kind, period
ON CONFLICT (seller_id, kind, period) DO UPDATE SET next = series.next + excluded.next - 1
RETURNING seller_id, kind, period, next
"""

# What is null of the document stays as it is: most commands leave the document alone.
SAVE_INVOICES = f"""
INSERT INTO invoices AS stored ({", ".join(INVOICE_COLUMNS)})
SELECT * FROM unnest(
    $1::text[], $2::int[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[],
    $8::text[], $9::numeric[], $10::numeric[], $11::int[], $12::text[], $13::timestamptz[],
    $14::timestamptz[], $15::date[], $16::date[], $17::boolean[])
ON CONFLICT (id) DO UPDATE SET
    version = excluded.version, state = excluded.state, standing = excluded.standing,
    archived = excluded.archived, seller_id = excluded.seller_id,
    customer_id = excluded.customer_id, invoice_number = excluded.invoice_number,
    total = excluded.total, amount_due = excluded.amount_due,
    attempt_count = excluded.attempt_count, snapshot = excluded.snapshot,
    created_at = excluded.created_at, updated_at = excluded.updated_at,
    document_date = coalesce(excluded.document_date, stored.document_date),
    due_date = coalesce(excluded.due_date, stored.due_date),
    live_mode = coalesce(excluded.live_mode, stored.live_mode)
"""  # noqa: S608 (constants of ours)

# Each invoice's labels are a JSON array: unnest would make one of all arrays.
SAVE_LABELS = """
INSERT INTO invoice_labels AS stored (invoice_id, labels)
SELECT id, ARRAY(SELECT jsonb_array_elements_text(labels::jsonb))
FROM unnest($1::text[], $2::text[]) AS told (id, labels)
ON CONFLICT (invoice_id) DO UPDATE SET labels = excluded.labels
WHERE stored.labels <> excluded.labels
"""

# Postgres by itself ends a session that idles in a transaction, and a statement that takes too
# long; but not one that waits in the midst of a COPY for a client that has stopped.
END_SLEEPERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = session_user
    AND application_name = current_setting('application_name')
    AND state = 'active' AND wait_event = 'ClientRead'
    AND query_start < clock_timestamp() - current_setting('lock_timeout')::interval
"""

# Nothing, where the row knows less than the lane has stored before: see `DatabaseBehindError`.
SAVE_LANE = """
INSERT INTO lanes (consumer_group, topic, "partition", next_offset)
SELECT $1, $2, $3, $4 WHERE $5 = 0 OR EXISTS (
    SELECT FROM lanes WHERE consumer_group = $1 AND topic = $2 AND "partition" = $3)
ON CONFLICT (consumer_group, topic, "partition")
    DO UPDATE SET next_offset = GREATEST(lanes.next_offset, excluded.next_offset)
    WHERE lanes.next_offset >= $5
RETURNING next_offset
"""

# Whatever the group: one that was given another name must not begin at the beginning.
LOAD_LANES = """
SELECT "partition", max(next_offset) AS next_offset FROM lanes WHERE topic = $1 GROUP BY "partition"
"""

SETTLE_HOMES = """
INSERT INTO homes (topic, partitions) VALUES ($1, $2) ON CONFLICT DO NOTHING
"""

LOAD_HOMES = """
SELECT partitions FROM homes WHERE topic = $1
"""

CommandKey = tuple[str, str]
"""A command's identity: its source and its id."""

FormatNumber = Callable[[NumberSeries, int], str]


class Position(NamedTuple):
    """Where a record stands in Kafka."""

    topic: str
    partition: int
    offset: int

    @property
    def next(self) -> "Position":
        """Where the lane goes on after it."""
        return Position(self.topic, self.partition, self.offset + 1)

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}@{self.offset}"


@dataclass(slots=True)
class StoredEvent:
    """One event: `document` is the whole CloudEvent as it is published."""

    invoice_id: str
    version: int
    type: str
    document: str
    command_key: CommandKey
    recorded_at: datetime


@dataclass(slots=True)
class StoredReply:
    """A command's one answer, and where the command stood that it was given to.

    `versions` are the first and the last of the events that it led to; None where there are none.
    """

    command_key: CommandKey
    invoice_id: str
    body_hash: bytes
    document: str
    versions: tuple[int, int] | None
    position: Position
    recorded_at: datetime


@dataclass(slots=True)
class StoredInvoice:
    """An invoice's current state: `document` is the domain's own snapshot of it, as JSON.

    `listing` is None where the stored one still holds.
    """

    id: str
    version: int
    state: str
    standing: str
    archived: bool
    seller_id: str
    customer_id: str
    number: str | None
    total: Decimal
    amount_due: Decimal
    attempt_count: int
    document: str
    created_at: datetime
    updated_at: datetime
    listing: Listing | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the store knows about a batch before it is decided.

    `events` are those of the answers that were given to this very record: a crash came before they
    were published, or before Kafka knew it.
    """

    snapshots: Mapping[str, str]
    answers: Mapping[CommandKey, StoredReply]
    events: Mapping[CommandKey, Sequence[StoredEvent]]


@dataclass(slots=True)
class WriteBatch:
    """What a batch adds. Until it is stored, placeholders stand where its numbers will.

    `next` is where its lane goes on after it; `handled` is how far the lane had come before, and
    what the database must know of.
    """

    next: Position
    handled: int = 0
    events: list[StoredEvent] = field(default_factory=list)
    answers: list[StoredReply] = field(default_factory=list)
    invoices: dict[str, StoredInvoice] = field(default_factory=dict)
    numbers: list[NumberRequest] = field(default_factory=list)

    def set_numbers(self, numbers: Mapping[str, str]) -> None:
        """Put each number in its placeholder's place."""
        if not numbers:
            return
        for event in self.events:
            event.document = fill(event.document, numbers)
        for invoice in self.invoices.values():
            invoice.document = fill(invoice.document, numbers)
            if invoice.number is not None:
                invoice.number = fill(invoice.number, numbers)


# SQLSTATE classes that speak of the values sent: https://www.postgresql.org/docs/current/errcodes-appendix.html
_FAULTS_OF_DATA: Final = ("22", "23", "54")
# Somebody else has stored an answer or an event of ours: reloading shows which, and what to do.
_OVERTAKEN: Final = frozenset({"commands_pkey", "events_pkey"})


def is_infrastructure_error(error: BaseException) -> bool:
    """Whether an error is the infrastructure's, and no command's own fault."""
    if isinstance(error, asyncpg.UniqueViolationError):
        return error.constraint_name in _OVERTAKEN
    if isinstance(error, asyncpg.PostgresError):
        return not (error.sqlstate or "").startswith(_FAULTS_OF_DATA)
    if isinstance(error, asyncpg.InterfaceError):
        # asyncpg's own DataError: a value that cannot be sent.
        return not isinstance(error, ValueError)
    # InternalClientError: a connection that was cut while in use, and the client lost its thread.
    return isinstance(
        error, DatabaseBehindError | asyncpg.InternalClientError | OSError | TimeoutError
    )


def is_transient(error: BaseException) -> bool:
    """Whether an error is an outage that may pass: what a database forgot does not come back."""
    return is_infrastructure_error(error) and not isinstance(error, DatabaseBehindError)


class DatabaseBehindError(Exception):
    """The database knows less than it did: restored, or a standby without its last took over.

    To go on would give the same versions and numbers to other events. The message says what to do.
    """


class SchemaError(Exception):
    """The database is not migrated. The message says what to do."""


async def check_schema(pool: asyncpg.Pool) -> None:
    """Raises `SchemaError` where the worker's tables are missing."""
    try:
        async with pool.acquire() as connection:
            table = await connection.fetchval("SELECT to_regclass('number_series')")
    except asyncpg.InvalidParameterValueError:  # there is no such role
        table = None
    if table is None:
        raise SchemaError(MIGRATE_FIRST)


class Store:
    """The write side's only way to Postgres."""

    def __init__(
        self, pool: asyncpg.Pool, format_number: FormatNumber, consumer_group: str
    ) -> None:
        self._pool = pool
        self._format_number = format_number
        self._consumer_group = consumer_group

    async def next_offsets(self, topic: str) -> dict[int, int]:
        """Where lanes go on, as far as the database knows: Kafka is told later, never before."""
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(LOAD_LANES, topic)
        return {row["partition"]: row["next_offset"] for row in rows}

    async def settle_homes(self, topic: str, partitions: int) -> int:
        """Among how many of the topic's lanes invoices are at home: those that it had at first."""
        async with self._pool.acquire() as connection:
            await connection.execute(SETTLE_HOMES, topic, partitions)
        return await self.homes(topic)

    async def homes(self, topic: str) -> int:
        """Among how many lanes invoices are at home. `settle_homes` comes first."""
        async with self._pool.acquire() as connection:
            return int(await connection.fetchval(LOAD_HOMES, topic))

    async def load(
        self, invoice_ids: Sequence[str], commands: Mapping[CommandKey, Sequence[Position]]
    ) -> Loaded:
        """The current state of these invoices, and the answers that these commands already have."""
        async with self._pool.acquire() as connection:
            invoices = await connection.fetch(LOAD_INVOICES, invoice_ids)
            rows = await connection.fetch(
                LOAD_ANSWERS, [source for source, _ in commands], [id_ for _, id_ in commands]
            )
            answers = {answer.command_key: answer for answer in map(answer_of, rows)}
            redelivered = [
                a for k, a in answers.items() if a.versions and a.position in commands[k]
            ]
            events = await _load_events(connection, redelivered) if redelivered else {}
        return Loaded({row["id"]: row["snapshot"] for row in invoices}, answers, events)

    async def append(self, write_batch: WriteBatch) -> None:
        """Write it all in one transaction, and put the numbers in their places."""
        try:
            await self._append(write_batch)
        except asyncpg.LockNotAvailableError:
            await self._end_sleepers()
            raise

    async def _append(self, write_batch: WriteBatch) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await self._save_lane(connection, write_batch.next, write_batch.handled)
            if write_batch.answers:
                await connection.copy_records_to_table(
                    "commands", records=_answer_rows(write_batch.answers), columns=COMMAND_COLUMNS
                )
            # As late as can be: until the commit, nobody else can number for these sellers.
            write_batch.set_numbers(await self._take_numbers(connection, write_batch.numbers))
            if write_batch.events:
                await connection.copy_records_to_table(
                    "events", records=_event_rows(write_batch.events), columns=EVENT_COLUMNS
                )
            await save_states(connection, write_batch.invoices.values())

    async def _save_lane(
        self, connection: asyncpg.pool.PoolConnectionProxy, place: Position, handled: int
    ) -> None:
        known = await connection.fetchval(
            SAVE_LANE, self._consumer_group, place.topic, place.partition, place.offset, handled
        )
        if known is None:
            raise DatabaseBehindError(
                f"The database has forgotten what {place.topic}-{place.partition} stored below"
                f" {handled}: a standby that lacked it took over, or a backup was restored."
                " `invoicing recover postgres` brings it forward."
            )

    async def _end_sleepers(self) -> None:
        """End the sessions of workers that fell asleep while they copied, and hold locks."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL ROLE NONE")  # the one that they logged in by, too
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
        following = {
            NumberSeries(row["seller_id"], row["kind"], row["period"]): row["next"] for row in rows
        }
        return {
            placeholder: self._format_number(series, following[series] - len(placeholders) + place)
            for series, placeholders in wanted.items()
            for place, placeholder in enumerate(placeholders)
        }


async def save_states(
    connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy,
    invoices: Collection[StoredInvoice],
) -> None:
    """Write invoices' current state over what is there."""
    if invoices:
        columns = map(list, zip(*_invoice_rows(invoices), strict=True))
        await connection.execute(SAVE_INVOICES, *columns)
    if labels := _labels(invoices):
        await connection.execute(SAVE_LABELS, list(labels), list(labels.values()))


async def copy_states(
    connection: asyncpg.Connection, invoices: Collection[StoredInvoice], schema: str
) -> None:
    """Write the state of invoices that are not there yet, into the tables of this schema."""
    await connection.copy_records_to_table(
        "invoices", records=_invoice_rows(invoices), columns=INVOICE_COLUMNS, schema_name=schema
    )
    labels = [(told.id, told.listing.labels) for told in invoices if told.listing is not None]
    await connection.copy_records_to_table(
        "invoice_labels", records=labels, columns=("invoice_id", "labels"), schema_name=schema
    )


async def _load_events(
    connection: asyncpg.pool.PoolConnectionProxy, answers: Sequence[StoredReply]
) -> dict[CommandKey, list[StoredEvent]]:
    spans = [(answer.invoice_id, *answer.versions) for answer in answers if answer.versions]
    rows = await connection.fetch(LOAD_EVENTS, *map(list, zip(*spans, strict=True)))
    events: dict[CommandKey, list[StoredEvent]] = {answer.command_key: [] for answer in answers}
    for row in rows:
        event = event_of(row)
        events[event.command_key].append(event)
    return events


def event_of(row: asyncpg.Record) -> StoredEvent:
    """An event's row, with its columns by name but position and transaction."""
    return StoredEvent(
        invoice_id=row["invoice_id"],
        version=row["version"],
        type=row["type"],
        document=row["data"],
        command_key=(row["command_source"], row["command_id"]),
        recorded_at=row["recorded_at"],
    )


def answer_of(row: asyncpg.Record) -> StoredReply:
    """A command's row."""
    led_to_events = row["first_version"] is not None
    return StoredReply(
        command_key=(row["source"], row["id"]),
        invoice_id=row["invoice_id"],
        body_hash=row["body_hash"],
        document=row["answer"],
        versions=(row["first_version"], row["last_version"]) if led_to_events else None,
        position=Position(row["topic"], row["partition"], row["offset"]),
        recorded_at=row["recorded_at"],
    )


def _event_rows(events: Sequence[StoredEvent]) -> Iterator[tuple[object, ...]]:
    for event in events:
        yield (
            event.invoice_id, event.version, event.type, event.document,
            *event.command_key, event.recorded_at,
        )  # fmt: skip


def _answer_rows(answers: Sequence[StoredReply]) -> Iterator[tuple[object, ...]]:
    for answer in answers:
        position = answer.position
        yield (
            *answer.command_key, answer.invoice_id, answer.body_hash, answer.document,
            *(answer.versions or (None, None)),
            position.topic, position.partition, position.offset, answer.recorded_at,
        )  # fmt: skip


def _invoice_rows(invoices: Iterable[StoredInvoice]) -> Iterator[tuple[object, ...]]:
    for invoice in invoices:
        yield (
            invoice.id, invoice.version, invoice.state, invoice.standing, invoice.archived,
            invoice.seller_id, invoice.customer_id, invoice.number, invoice.total,
            invoice.amount_due, invoice.attempt_count, invoice.document, invoice.created_at,
            invoice.updated_at, *_listing_columns(invoice.listing),
        )  # fmt: skip


def _listing_columns(listing: Listing | None) -> tuple[object, object, object]:
    if listing is None:
        return (None, None, None)
    return (listing.document_date, listing.due_date, listing.live_mode)


def _labels(invoices: Iterable[StoredInvoice]) -> dict[str, str]:
    """The labels of the invoices whose document was told, as JSON."""
    return {
        invoice.id: orjson.dumps(invoice.listing.labels).decode()
        for invoice in invoices
        if invoice.listing is not None
    }
