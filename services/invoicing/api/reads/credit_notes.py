"""Lists of credit notes: of one invoice, and of all that a client may see.

They are read from the events that issued them, by partial indexes, and not from invoices: a page
costs the same however many payments or lines their invoices have.
"""

from datetime import datetime
from typing import Annotated, Final

import orjson
from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy
from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import Response

from invoicing.api.auth.access import Reader
from invoicing.api.auth.tokens import Client
from invoicing.api.http.query import Query
from invoicing.api.http.routing import DirectRoute
from invoicing.api.reads.answers import json_response
from invoicing.api.reads.cursors import PagePosition, SortKey, read_cursor
from invoicing.api.reads.filters import PAGE_DEFAULT, PAGE_MAX, Cursor
from invoicing.api.reads.invoices import InvoiceId
from invoicing.api.reads.pages import Page, cut, given_start
from invoicing.api.reads.queries import get_current
from invoicing.api.reads.views import View
from invoicing.api.state import AppStateOf
from invoicing.contracts.types.money import Currency
from invoicing.contracts.types.texts import Identifier, Instant, Text, rfc3339
from invoicing.domain.invoice import RecordedCreditNote

FIND_CREDIT_NOTES: Final = """
SELECT credited.invoice_id, credited.version, credited.recorded_at, credited.data,
    voided.recorded_at AS voided_at, voided.data AS voided_data
FROM events AS credited
JOIN invoices ON invoices.id = credited.invoice_id
LEFT JOIN LATERAL (
    SELECT later.recorded_at, later.data FROM events AS later
    WHERE later.invoice_id = credited.invoice_id AND later.version > credited.version
      AND later.type = 'invoice.credit_note_voided'
      AND later.data::json #>> '{{data,credit_note,credit_note_id}}'
        = credited.data::json #>> '{{data,credit_note,credit_note_id}}'
    LIMIT 1
) AS voided ON true
WHERE credited.type = 'invoice.credited'
  AND ($1 = '*' OR invoices.seller_id = $1)
  AND ($2::text IS NULL OR credited.invoice_id = $2)
  AND ($3::text IS NULL OR invoices.customer_id = $3)
  AND ($4::text IS NULL OR invoices.seller_id = $4)
  AND ($5::boolean IS NULL OR coalesce(invoices.live_mode, true) = $5)
  AND ($6::timestamptz IS NULL OR
    (credited.recorded_at, credited.invoice_id, credited.version) {beyond} ($6, $7, $8))
ORDER BY credited.recorded_at {order}, credited.invoice_id {order}, credited.version {order}
LIMIT $9
"""

_NEWEST_FIRST: Final = (SortKey("created_at", descending=True),)

router = APIRouter(route_class=DirectRoute, tags=["Lists"])


class CreditNotesOfInvoiceQuery(Query):
    """A page of the credit notes of one invoice."""

    limit: int = Field(PAGE_DEFAULT, ge=1, le=PAGE_MAX, description="How many at most.")
    after: Cursor | None = Field(None, description="The page after this cursor.")
    before: Cursor | None = Field(None, description="The page before this cursor.")


class CreditNotesQuery(CreditNotesOfInvoiceQuery):
    """A page of credit notes, of those that all filters choose."""

    customer_id: Identifier | None = Field(None, description="The customer.")
    seller_id: Identifier | None = Field(None, description="The seller.")
    live_mode: bool = Field(
        True, description="False for those of test invoices, which have no real money."
    )


class CreditNoteView(RecordedCreditNote):
    """A credit note and its invoice."""

    invoice_id: Text = Field(description="The invoice.")
    invoice_number: Text = Field(description="The invoice's number.")
    seller_id: Text = Field(description="The seller.")
    customer_id: Text = Field(description="The customer.")
    currency: Currency = Field(description="ISO 4217 code of the amounts.")
    live_mode: bool = Field(description="False if the invoice is for testing.")
    created_at: Instant = Field(description="When it was issued.")


class CreditNotePage(Page):
    """A page of credit notes."""

    data: tuple[CreditNoteView, ...] = Field(description="The credit notes.")


@router.get("/v1/credit-notes", response_model=CreditNotePage)
async def list_credit_notes(
    client: Reader,
    state: AppStateOf,
    query: Annotated[CreditNotesQuery, Depends(CreditNotesQuery.of)],
) -> Response:
    """A page of credit notes, the newest first; void ones have `voided_at`."""
    async with state.database.reading(client) as connection:
        filters = (query.customer_id, query.seller_id, query.live_mode)
        return await _page(connection, client, query, (None, *filters))


@router.get("/v1/invoices/{invoice_id}/credit-notes", response_model=CreditNotePage)
async def list_credit_notes_of_invoice(
    invoice_id: InvoiceId,
    client: Reader,
    state: AppStateOf,
    query: Annotated[CreditNotesOfInvoiceQuery, Depends(CreditNotesOfInvoiceQuery.of)],
) -> Response:
    """A page of an invoice's credit notes, the newest first; void ones have `voided_at`."""
    async with state.database.reading(client) as connection:
        await get_current(connection, invoice_id, client)
        return await _page(connection, client, query, (invoice_id, None, None, None))


async def _page(
    connection: PoolConnectionProxy,
    client: Client,
    query: CreditNotesOfInvoiceQuery,
    filters: tuple[object, ...],
) -> Response:
    given = given_start(query, "after", "before")
    start = None if given is None else read_cursor(given[1], _NEWEST_FIRST)
    backwards = given is not None and given[0] == "before"
    statement, values = credit_notes_statement(client, filters, start, backwards, query.limit + 1)
    rows = await connection.fetch(statement, *values)
    page = cut(rows, query.limit, start, backwards=backwards)
    views = [_view_of(row) for row in page.rows]
    positions = [_position_of(row) for row in page.rows]
    return json_response(page.document(views, positions, _NEWEST_FIRST))


def credit_notes_statement(
    client: Client,
    filters: tuple[object, ...],
    start: PagePosition | None,
    backwards: bool,
    limit: int,
) -> tuple[str, list[object]]:
    """The SQL of a page from a position on, and its arguments.

    `filters` are invoice, customer, seller and live mode; None filters nothing.
    """
    beyond, order = (">", "ASC") if backwards else ("<", "DESC")
    position = (*start.values, start.id, start.offset) if start else (None, None, None)
    statement = FIND_CREDIT_NOTES.format(beyond=beyond, order=order)
    return statement, [client.seller_id, *filters, *position, limit]


def _position_of(row: Record) -> PagePosition:
    return PagePosition((row["recorded_at"],), row["invoice_id"], row["version"])


def _view_of(row: Record) -> View:
    view = credit_note_view(row["data"], row["recorded_at"])
    if row["voided_at"] is not None:
        view["voided_at"] = rfc3339(row["voided_at"])
        reason = orjson.loads(row["voided_data"])["data"].get("reason")
        view |= {} if reason is None else {"void_reason": reason}
    return view


def credit_note_view(document: str, recorded_at: datetime) -> View:
    """The view of a credit note, from the event that issued it."""
    event: View = orjson.loads(document)["data"]
    invoice = ("invoice_id", "invoice_number", "seller_id", "customer_id", "currency")
    return {
        **event["credit_note"],
        **{name: event[name] for name in invoice},
        "live_mode": event.get("live_mode", True),
        "created_at": rfc3339(recorded_at),
    }
