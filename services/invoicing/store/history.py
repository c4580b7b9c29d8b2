"""Invoices' histories: their stored events, and what these add up to."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import orjson

from invoicing.contracts.events import EVENTS, DocumentEvent, EventData
from invoicing.contracts.invoice import Summary
from invoicing.contracts.lazy_document import LazyDocument
from invoicing.contracts.model import ModelT
from invoicing.domain.evolve import evolve
from invoicing.domain.invoice import Invoice
from invoicing.domain.upcast import has_one_schema, upcast
from invoicing.store.rows import StoredEvent, event_of

READER_ROLE: Final = "invoicing_reader"

# Where an event's data begin, and in them its document: each is last in what it stands in, and
# stands there once, for in JSON a text's quotes are escaped, and no other name there is given an
# object.
_DATA: Final = ',"data":{'
_INVOICE: Final = ',"invoice":{'

# Two workers' clocks differ a little: from the first event after the time on, all come after it.
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
"""All that is in memory at once, however many events an invoice has."""

EVENTS_OF_INVOICES: Final = """
SELECT invoice_id, version, type, data, recorded_at
FROM events WHERE invoice_id = ANY($1::text[])
ORDER BY invoice_id, version
"""


class ReplayError(Exception):
    """Events cannot be replayed. The message names the first, and what tells more about it."""


async def events_of(
    connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy,
    invoice_id: str,
    *,
    version: int | None = None,
    as_of: datetime | None = None,
) -> list[StoredEvent]:
    """The invoice's events in order, up to and with `version`, and what was recorded by `as_of`."""
    rows = await connection.fetch(EVENTS_OF, invoice_id, version, as_of)
    return [event_of(row) for row in rows]


def replay(events: Iterable[StoredEvent]) -> Sequence[Invoice]:
    """The invoice after each of its events, which must be all from the first on."""
    states: list[Invoice] = []
    for event in events:
        before = states[-1] if states else None
        states.append(evolve(before, data_of(event.type, event.document), event.recorded_at))
    return states


async def folded(
    connection: asyncpg.Connection, invoice_ids: Sequence[str]
) -> AsyncIterator[Invoice]:
    """These invoices, each as its events have left it. To be read within a transaction.

    Raises `ReplayError` where an event does not follow from those before it.
    """
    for place in range(0, len(invoice_ids), INVOICES_A_QUERY):
        some = invoice_ids[place : place + INVOICES_A_QUERY]
        folding = _Folding()
        # Iterated, not fetched from: only so is its portal given up at its end, with its sort.
        async for event in connection.cursor(EVENTS_OF_INVOICES, some, prefetch=EVENTS_A_FETCH):
            if (invoice := folding.take(event)) is not None:
                yield invoice
        if (invoice := folding.end()) is not None:
            yield invoice


class _Folding:
    """Folds the events of invoices as they come: by invoice, and then by version."""

    def __init__(self) -> None:
        self._invoice_id: str | None = None
        self._invoice: Invoice | None = None

    def take(self, event: asyncpg.Record) -> Invoice | None:
        """Fold it in. Returns the invoice before, which is whole, where it is another one's."""
        invoice_id, version, type_, document, recorded_at = event
        whole = self.end() if invoice_id != self._invoice_id else None
        self._invoice_id = invoice_id
        expected = 1 if self._invoice is None else self._invoice.version + 1
        try:
            if version != expected:
                raise ValueError(f"the event after version {expected - 1} is {version}")
            self._invoice = evolve(self._invoice, data_of(type_, document), recorded_at)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ReplayError(
                f"Invoice {invoice_id} cannot be replayed at version {expected}:"
                f" {type(error).__name__}. `invoicing verify` tells more. Nothing was changed."
            ) from error
        return whole

    def end(self) -> Invoice | None:
        """The last one, of which nothing follows."""
        last, self._invoice = self._invoice, None
        return last


def data_of(event_type: str, event_document: str) -> EventData:
    """What a stored event says, as its model; an event of an older schema, brought up to date.

    Raises `ValueError` and `LookupError` where it says nothing that we know.
    """
    model = EVENTS[event_type]
    _, _, data = event_document.removesuffix("}").partition(_DATA)
    if data and has_one_schema(event_type):
        return _told_whole(model, data) if issubclass(model, DocumentEvent) else _read(model, data)
    document = orjson.loads(event_document)
    _, _, schema_version = document["dataschema"].rpartition(":")
    return model.model_validate(upcast(event_type, int(schema_version), document["data"]))


def _told_whole(model: type[DocumentEvent], data: str) -> DocumentEvent:
    """With its document unread: a history is mostly documents, and most are overtaken at once."""
    summary, _, document = data.removesuffix("}").partition(_INVOICE)
    if not document:
        return _read(model, data)
    return model.computed_from(_read(Summary, summary + "}"), invoice=LazyDocument("{" + document))


def _read(model: type[ModelT], members: str) -> ModelT:
    # What `model_validate_json` does, without passing on a score of options.
    read: ModelT = model.__pydantic_validator__.validate_json("{" + members)
    return read
