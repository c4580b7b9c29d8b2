"""The feed: every event that a client may see, each exactly once."""

import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from asyncpg import Record
from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from invoicing.api.auth.access import Reader
from invoicing.api.auth.tokens import Client
from invoicing.api.http.metrics import EVENT_STREAMS
from invoicing.api.http.problems import ProblemCode, ProblemError
from invoicing.api.http.query import Query
from invoicing.api.http.routing import DirectRoute, header
from invoicing.api.reads.answers import json_response, raw_documents
from invoicing.api.reads.cloud_events import EventPage
from invoicing.api.reads.database import Database
from invoicing.api.reads.filters import VALUES_MAX, InvoiceIdText
from invoicing.api.reads.streams import Streams
from invoicing.api.state import AppStateOf
from invoicing.contracts.events import EVENTS
from invoicing.contracts.types.texts import Identifier
from invoicing.runtime.retry import wait_with_timeout

# The last of the next N settled events of all sellers.
FIND_WINDOW: Final = """
SELECT transaction_id::text, position, number FROM (
    SELECT transaction_id, position, row_number() OVER () AS number FROM (
        SELECT transaction_id, position FROM events
        WHERE (transaction_id, position) > ($1::text::xid8, $2)
          AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY transaction_id, position LIMIT $3
    ) AS following
) AS counted
ORDER BY number DESC LIMIT 1
"""

READ_WINDOW: Final = """
SELECT transaction_id::text, position, type, data FROM events
WHERE (transaction_id, position) > ($1::text::xid8, $2)
  AND (transaction_id, position) <= ($3::text::xid8, $4)
  AND ($5::text[] IS NULL OR type = ANY($5))
  AND ($7::text[] IS NULL OR invoice_id = ANY($7))
  AND ($8::text IS NULL OR invoice_id IN (SELECT id FROM invoices WHERE customer_id = $8))
-- The column: the bare name is the text above, which sorts 10 before 9.
ORDER BY events.transaction_id, position LIMIT $6
"""

# Later events follow it: their transactions were not settled yet.
FIND_END: Final = """
SELECT transaction_id::text, position FROM events
WHERE transaction_id < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY events.transaction_id DESC, position DESC LIMIT 1
"""

# A window bounds the search for a client that may see few of many events.
WINDOW_EVENTS_MAX: Final = 20_000
EVENTS_MAX: Final = 1_000
POLL_INTERVAL_SECONDS: Final = 0.5
KEEP_ALIVE_SECONDS: Final = 15.0
RECONNECT_MS: Final = 1_000
STREAM_MEDIA_TYPE: Final = "text/event-stream"

CURSOR_PATTERN: Final = r"^[0-9]{1,19}-[0-9]{1,18}$"

router = APIRouter(route_class=DirectRoute, tags=["Feed"])


class FeedQuery(Query):
    """A part of the feed."""

    after: str | None = Field(
        None,
        pattern=CURSOR_PATTERN,
        description="The events after this cursor; by default those from `start` on.",
        examples=["742-1042"],
    )
    start: Literal["beginning", "now"] = Field(
        "beginning",
        description="Where to start without a cursor: at the first event of all, or now. `now`"
        " returns no event, but the cursor to go on from.",
    )
    type: tuple[Literal[tuple(EVENTS)], ...] = Field(  # type: ignore[valid-type]
        (), max_length=len(EVENTS), description="Events of these types only."
    )
    invoice_id: tuple[InvoiceIdText, ...] = Field(
        (), max_length=VALUES_MAX, description="Events of these invoices only."
    )
    customer_id: Identifier | None = Field(
        None, description="Events of the invoices that are this customer's now."
    )
    limit: int = Field(100, ge=1, le=EVENTS_MAX, description="How many at most in a page.")


@dataclass(frozen=True, slots=True)
class Position:
    """An event's position in the feed."""

    transaction_id: str
    number: int

    def __str__(self) -> str:
        return f"{self.transaction_id}-{self.number}"


BEGINNING: Final = Position("0", 0)


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Some events, the end of the searched window, and whether there is more."""

    rows: Sequence[Record]
    end: Position
    has_more: bool


@router.get(
    "/v1/events",
    response_model=EventPage,
    responses={200: {"content": {STREAM_MEDIA_TYPE: {"schema": {"type": "string"}}}}},
    openapi_extra=header("Last-Event-ID", "For a stream: where it was cut."),
)
async def get_events(
    request: Request,
    client: Reader,
    state: AppStateOf,
    query: Annotated[FeedQuery, Depends(FeedQuery.of)],
) -> Response:
    """A page of the feed; or, with `Accept: text/event-stream`, all of it from there on.

    Events are byte for byte those on Kafka, and those of an invoice are in the order of their
    versions. A page may hold few events or none although there are more: go on at `end_cursor`.
    As a stream, each event's id is a cursor, so that `Last-Event-ID` continues where it was cut.
    The stream needs a bearer token as every call, which a browser's `EventSource` cannot send: use
    `fetch` and read the body there.
    """
    is_stream = STREAM_MEDIA_TYPE in request.headers.get("accept", "")
    cursor = (request.headers.get("last-event-id") if is_stream else None) or query.after
    if cursor is None and query.start == "now":
        last = await state.database.everything.fetchrow(FIND_END)
        after = BEGINNING if last is None else _of(last)
    else:
        after = _position(cursor)
    if is_stream:
        lines = _lines(state.database, state.streams, client, query, after)
        return _Stream(lines, state.streams, client)
    page = await _read(state.database, client, query, after)
    return json_response(
        {
            "data": raw_documents(row["data"] for row in page.rows),
            "has_more": page.has_more,
            "end_cursor": str(page.end),
        }
    )


async def _read(database: Database, client: Client, query: FeedQuery, after: Position) -> FeedPage:
    window = await database.everything.fetchrow(
        FIND_WINDOW, after.transaction_id, after.number, WINDOW_EVENTS_MAX
    )
    if window is None:
        return FeedPage([], after, has_more=False)
    end = _of(window)
    async with database.reading(client) as connection:
        rows = await connection.fetch(
            READ_WINDOW,
            after.transaction_id,
            after.number,
            end.transaction_id,
            end.number,
            list(query.type) or None,
            query.limit + 1,
            list(query.invoice_id) or None,
            query.customer_id,
        )
    if len(rows) > query.limit:
        shown = rows[: query.limit]
        return FeedPage(shown, _of(shown[-1]), has_more=True)
    return FeedPage(rows, end, has_more=window["number"] == WINDOW_EVENTS_MAX)


class _Stream(StreamingResponse):
    """A streaming response that counts against the limits of streams."""

    def __init__(self, lines: AsyncIterator[str], streams: Streams, client: Client) -> None:
        super().__init__(lines, media_type=STREAM_MEDIA_TYPE)
        self._streams = streams
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the client disconnects, its token expires, or the process stops."""
        with self._streams.one_more(self._client.id), EVENT_STREAMS.track_inprogress():
            await super().__call__(scope, receive, send)


async def _lines(
    database: Database, streams: Streams, client: Client, query: FeedQuery, after: Position
) -> AsyncIterator[str]:
    """https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    # The id comes first: a client that is cut off before any event goes on from here.
    yield f"retry: {RECONNECT_MS}\nid: {after}\n\n"
    sent_at = time.monotonic()
    expires_at = float("inf") if client.expires_at is None else client.expires_at
    while time.time() < expires_at and not streams.closing.is_set():
        page = await _read(database, client, query, after)
        for row in page.rows:
            # A document is one line: JSON escapes every line break.
            yield f"id: {_of(row)}\nevent: {row['type']}\ndata: {row['data']}\n\n"
        after = page.end
        if page.rows:
            sent_at = time.monotonic()
        elif time.monotonic() - sent_at > KEEP_ALIVE_SECONDS:
            yield f": still here\nid: {after}\n\n"
            sent_at = time.monotonic()
        if not page.has_more:
            await wait_with_timeout(streams.closing, POLL_INTERVAL_SECONDS)


def _of(row: Record) -> Position:
    return Position(row["transaction_id"], row["position"])


def _position(cursor: str | None) -> Position:
    if cursor is None:
        return BEGINNING
    if not re.fullmatch(CURSOR_PATTERN, cursor, re.ASCII):
        raise ProblemError(
            ProblemCode.INVALID_CURSOR,
            "The cursor is not valid. Use an `end_cursor` or event id of this feed.",
        )
    transaction_id, _, number = cursor.partition("-")
    return Position(transaction_id, int(number))
