"""Invoice histories: the stored events, and the states that replaying them gives."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import orjson

from invoicing.contracts.events import EVENTS, DocumentEvent, EventData
from invoicing.contracts.invoice import Summary
from invoicing.contracts.lazy_document import LazyDocument
from invoicing.contracts.model import ModelT
from invoicing.contracts.raw_member import split_first
from invoicing.domain.evolve import evolve
from invoicing.domain.invoice import Invoice
from invoicing.domain.upcast import has_one_schema, upcast
from invoicing.runtime.errors import OperatorError
from invoicing.store.rows import StoredEvent, event_of

READER_ROLE: Final = "invoicing_reader"

# Workers' clocks differ slightly, so everything from the first event after that time is left out.
EVENTS_OF: Final = """
SELECT invoice_id, version, type, data, command_source, command_id, recorded_at
FROM events
WHERE invoice_id = $1
  AND version <= coalesce($2::int, version)
  AND version < coalesce(
      (SELECT min(version) FROM events WHERE invoice_id = $1 AND recorded_at > $3::timestamptz),
      version + 1)
ORDER BY version
"""

INVOICES_A_QUERY: Final = 5_000
EVENTS_A_FETCH: Final = 10_000
"""The most that is in memory at once, however many events an invoice has."""

EVENTS_OF_INVOICES: Final = """
SELECT invoice_id, version, type, data, command_source, command_id, recorded_at
FROM events WHERE invoice_id = ANY($1::text[])
ORDER BY invoice_id, version
"""


class ReplayError(OperatorError):
    """Stored events cannot be replayed. The message names the invoice and the version."""


async def events_of(
    connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy,
    invoice_id: str,
    *,
    version: int | None = None,
    as_of: datetime | None = None,
) -> list[StoredEvent]:
    """The invoice's events in order, up to and including `version` and the time `as_of`."""
    rows = await connection.fetch(EVENTS_OF, invoice_id, version, as_of)
    return [event_of(row) for row in rows]


def next_state(
    before: Invoice | None, event: StoredEvent, *, check_version: bool = False
) -> Invoice:
    """The invoice after one more of its events: the first one is applied to None.

    Raises `ValueError`, `LookupError`, `TypeError` or `AttributeError` for an event that cannot be
    applied; with `check_version` also for one whose version does not follow.
    """
    expected = before.version + 1 if before else 1
    if check_version and event.version != expected:
        raise ValueError(f"expected version {expected}, found version {event.version}")
    return evolve(before, data_of(event.type, event.document), event.recorded_at)


def replay(events: Iterable[StoredEvent]) -> Sequence[Invoice]:
    """The invoice after each of its events, from the first one on."""
    states: list[Invoice] = []
    for event in events:
        states.append(next_state(states[-1] if states else None, event))
    return states


async def replay_many(
    connection: asyncpg.Connection, invoice_ids: Sequence[str]
) -> AsyncIterator[Invoice]:
    """Yield the current state of each of these invoices, replayed from all its events.

    Must be read within a transaction. Raises `ReplayError`.
    """
    for start in range(0, len(invoice_ids), INVOICES_A_QUERY):
        chunk = invoice_ids[start : start + INVOICES_A_QUERY]
        invoice_id, invoice = "", None
        # Iterating closes the cursor, and frees its sort, at the end; fetching from it would not.
        async for row in connection.cursor(EVENTS_OF_INVOICES, chunk, prefetch=EVENTS_A_FETCH):
            event = event_of(row)
            if event.invoice_id != invoice_id:
                if invoice is not None:
                    yield invoice
                invoice_id, invoice = event.invoice_id, None
            try:
                invoice = next_state(invoice, event, check_version=True)
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                raise ReplayError(
                    f"Invoice {invoice_id} cannot be replayed at version {event.version}:"
                    f" {type(error).__name__}. Nothing was changed. Run `invoicing verify` for"
                    " details."
                ) from error
        if invoice is not None:
            yield invoice


def data_of(event_type: str, event_document: str) -> EventData:
    """A stored event's data as its model, upcast if it was written with an older schema.

    Raises `ValueError` or `LookupError` for an unknown type or schema, or unreadable data.
    """
    model = EVENTS[event_type]
    _, data = split_first(event_document, "data")
    if data and has_one_schema(event_type):
        if issubclass(model, DocumentEvent):
            # Not parsed: documents are most of a history, and most are superseded.
            summary, invoice = split_first(data, "invoice")
            if invoice:
                read = _read(Summary, summary)
                return model.extended_from(read, invoice=LazyDocument(invoice))
        return _read(model, data)
    document = orjson.loads(event_document)
    _, _, schema_version = document["dataschema"].rpartition(":")
    return model.model_validate(upcast(event_type, int(schema_version), document["data"]))


def _read(model: type[ModelT], data: str) -> ModelT:
    # What `model_validate_json` does, without the cost of its options.
    read: ModelT = model.__pydantic_validator__.validate_json(data)
    return read
