"""An invoice's history: its stored events, and the invoice as it was after any of them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

import asyncpg
import orjson
from pydantic import TypeAdapter, create_model

from contracts.events import EVENTS, EventData, Whole
from contracts.filed import Filed
from contracts.invoice import Shape, Summary
from invoicing.domain.evolve import evolve
from invoicing.domain.invoice import Invoice
from invoicing.domain.upcast import is_as_ever, upcast
from invoicing.store import StoredEvent, event_of

READER_ROLE: Final = "invoicing_reader"

# Where an event's document begins: last in its data, and that is last in the event. It stands once,
# for in JSON a text's quotes are escaped, and the names that people choose are given no object.
_INVOICE: Final = ',"invoice":{'
_ENDS: Final = "}}"

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


def data_of(event_type: str, event_document: str) -> EventData:
    """What a stored event says, as its model; an event of an older schema, brought up to date.

    Raises `ValueError` and `LookupError` where it says nothing that we know.
    """
    model = EVENTS[event_type]
    if is_as_ever(event_type):
        return _told(model, event_document)
    document = orjson.loads(event_document)
    _, _, schema_version = document["dataschema"].rpartition(":")
    return model.model_validate(upcast(event_type, int(schema_version), document["data"]))


def _told(model: type[EventData], event_document: str) -> EventData:
    """Read and checked at once: a third less work than one after the other."""
    summary, _, document = event_document.partition(_INVOICE)
    if not (issubclass(model, Whole) and document.endswith(_ENDS)):
        told: EventData = _envelope_of(model).validate_json(event_document).data
        return told
    # A history is mostly documents, and most of them are overtaken before anybody looks at them.
    envelope = _envelope_of(Summary).validate_json(summary + _ENDS)
    return model.worked_out(envelope.data, invoice=Filed("{" + document.removesuffix(_ENDS)))


@cache
def _envelope_of(data: type[Shape]) -> TypeAdapter[Any]:
    """Reads the CloudEvent that this stands in."""
    return TypeAdapter(create_model("Envelope", data=(data, ...)))
