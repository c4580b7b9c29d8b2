"""Lists of invoices and of their items, page by page."""

from typing import Annotated, Final

from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy
from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import Response

from invoicing.api.auth.access import Reader
from invoicing.api.auth.tokens import Client
from invoicing.api.http.problems import ProblemCode, ProblemError
from invoicing.api.http.routing import DirectRoute
from invoicing.api.reads.answers import json_response
from invoicing.api.reads.cursors import OFFSET_MAX, PagePosition, position_of, read_cursor
from invoicing.api.reads.expansion import shown_views
from invoicing.api.reads.filters import AnyListQuery, ItemListQuery, ListQuery
from invoicing.api.reads.list_sql import (
    COUNT_MAX,
    FIND_SORT_VALUES,
    count_statement,
    page_statement,
)
from invoicing.api.reads.pages import Page, PageRows, cut, given_start
from invoicing.api.reads.queries import version_of_row, versions_of_rows
from invoicing.api.reads.views import InvoiceFields, InvoiceView, ItemView, View, items_of
from invoicing.api.state import AppStateOf

INVOICES_AT_ONCE: Final = 10
"""How many invoices are read at once for their items; one may have a thousand."""

router = APIRouter(route_class=DirectRoute, tags=["Lists"])


class InvoicePage(Page):
    """A page of invoices."""

    data: tuple[InvoiceView | InvoiceFields, ...] = Field(description="The invoices.")
    total_count: int | None = Field(
        None,
        description="With `total_count=true`: how many invoices match the filters, on all pages;"
        f" null if there are more than {COUNT_MAX:,}.",
    )


class ItemPage(Page):
    """A page of lines."""

    data: tuple[ItemView, ...] = Field(description="The lines.")


@router.get("/v1/invoices", response_model=InvoicePage)
async def list_invoices(
    client: Reader,
    state: AppStateOf,
    query: Annotated[ListQuery, Depends(ListQuery.of)],
) -> Response:
    """A page of invoices, the newest first unless it is sorted otherwise."""
    async with state.database.reading(client) as connection:
        start, backwards = await _start_position(connection, client, query)
        page = await _read_rows(
            connection, client, query, start, backwards=backwards, limit=query.limit
        )
        versions = await versions_of_rows(connection, page.rows, query.status_at)
        views = await shown_views(connection, versions, query)
        counted: dict[str, int | None] = {}
        if query.total_count:
            statement, values = count_statement(query, client)
            count: int = await connection.fetchval(statement, *values)
            counted["total_count"] = count if count <= COUNT_MAX else None
    sort = query.sort_keys
    positions = [position_of(row, sort) for row in (*page.rows[:1], *page.rows[-1:])]
    return json_response(page.document(views, positions, sort) | counted)


@router.get("/v1/items", response_model=ItemPage)
async def list_items(
    client: Reader,
    state: AppStateOf,
    query: Annotated[ItemListQuery, Depends(ItemListQuery.of)],
) -> Response:
    """A page of the lines of all invoices that the filters choose, in the invoices' order.

    With `sku_id`, of their lines only those of this article.
    """
    async with state.database.reading(client) as connection:
        start, backwards = await _start_position(connection, client, query)
        lines = await _read_lines(connection, client, query, start, backwards)
    page = cut(lines, query.limit, start, backwards=backwards)
    shown = [line for _, line in page.rows]
    positions = [position for position, _ in page.rows]
    return json_response(page.document(shown, positions, query.sort_keys))


async def _start_position(
    connection: PoolConnectionProxy, client: Client, query: AnyListQuery
) -> tuple[PagePosition | None, bool]:
    """Where the page starts, and whether it goes back from there. Raises `ProblemError`."""
    given = given_start(query, "after", "before", "starting_after", "ending_before")
    if given is None:
        return None, False
    name, value = given
    backwards = name in ("before", "ending_before")
    if name in ("after", "before"):
        return read_cursor(value, query.sort_keys), backwards
    row = await connection.fetchrow(FIND_SORT_VALUES, value, client.seller_id)
    if row is None:
        raise ProblemError(
            ProblemCode.INVALID_CURSOR, f"{name} must be the id of an invoice in the list."
        )
    return position_of(row, query.sort_keys, 0 if backwards else OFFSET_MAX), backwards


async def _read_rows(
    connection: PoolConnectionProxy,
    client: Client,
    query: AnyListQuery,
    start: PagePosition | None,
    *,
    backwards: bool,
    limit: int,
    inclusive: bool = False,
) -> PageRows[Record]:
    """The rows after (or before) a position, or from the start of the list.

    `inclusive` adds the row at the position.
    """
    statement, values = page_statement(query, client, start, backwards, limit + 1, inclusive)
    rows = await connection.fetch(statement, *values)
    return cut(rows, limit, start, backwards=backwards)


async def _read_lines(
    connection: PoolConnectionProxy,
    client: Client,
    query: ItemListQuery,
    start: PagePosition | None,
    backwards: bool,
) -> list[tuple[PagePosition, View]]:
    """One line more than the page holds, or all that are left, in the direction of the walk."""
    lines: list[tuple[PagePosition, View]] = []
    position, is_over = start, False
    while not is_over and len(lines) <= query.limit:
        page = await _read_rows(
            connection,
            client,
            query,
            position,
            backwards=backwards,
            limit=INVOICES_AT_ONCE,
            inclusive=position is start,
        )
        for row in reversed(page.rows) if backwards else page.rows:
            lines += _lines_of(row, query, start, backwards)
            position = position_of(row, query.sort_keys)
        is_over = not (page.has_previous if backwards else page.has_more)
    return lines[: query.limit + 1]


def _lines_of(
    row: Record, query: ItemListQuery, start: PagePosition | None, backwards: bool
) -> list[tuple[PagePosition, View]]:
    """A row's lines in the walk's direction; of the row that it starts in, those beyond.

    A line's offset counts all lines of its invoice, filtered or not, so that a cursor means the
    same with any filter.
    """
    items = items_of(version_of_row(row, query.status_at).view)
    sort = query.sort_keys
    positions = [position_of(row, sort, offset) for offset in range(len(items))]
    lines = list(zip(positions, items, strict=True))
    if start is not None and row["id"] == start.id:
        lines = lines[: start.offset] if backwards else lines[start.offset + 1 :]
    if query.sku_id is not None:
        lines = [(at, item) for at, item in lines if item.get("sku_id") == query.sku_id]
    return lines[::-1] if backwards else lines
