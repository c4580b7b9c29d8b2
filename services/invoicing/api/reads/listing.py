"""Lists of invoices and of their items."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import Response

from invoicing.api.auth.access import Reader
from invoicing.api.auth.tokens import Client
from invoicing.api.http.routing import DirectRoute
from invoicing.api.reads.answers import json_response
from invoicing.api.reads.cursors import PagePosition, Sort, position_of, write_cursor
from invoicing.api.reads.expansion import shown_views
from invoicing.api.reads.filters import ItemListQuery, ListQuery
from invoicing.api.reads.lists import page_from, read_page, start_position
from invoicing.api.reads.queries import version_of_row
from invoicing.api.reads.views import InvoiceFields, InvoiceView, ItemView, View, items_of
from invoicing.api.state import AppStateOf

INVOICES_AT_ONCE: Final = 10
"""How many invoices are read at once for their lines; one may have a thousand."""

router = APIRouter(route_class=DirectRoute, tags=["Lists"])


class _Page(BaseModel):
    has_more: bool = Field(description="Whether there is more after this page.")
    has_previous: bool = Field(description="Whether there is more before this page.")
    start_cursor: str | None = Field(description="For `before`; null where the page is empty.")
    end_cursor: str | None = Field(description="For `after`; null where the page is empty.")


class InvoicePage(_Page):
    """A page of invoices."""

    data: tuple[InvoiceView | InvoiceFields, ...] = Field(description="The invoices.")


class ItemPage(_Page):
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
        page = await read_page(connection, client, query)
        found = [version_of_row(row, query.today) for row in page.rows]
        views = await shown_views(connection, found, query)
    places = [position_of(row, query.sort_keys) for row in page.rows]
    return _page(views, places, query.sort_keys, page.has_more, page.has_previous)


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
        return await _items_page(connection, client, query)


async def _items_page(
    connection: PoolConnectionProxy, client: Client, query: ItemListQuery
) -> Response:
    start, backwards = await start_position(connection, client, query)
    lines = await _walk(connection, client, query, start, backwards)
    is_cut, lines = len(lines) > query.limit, lines[: query.limit]
    if backwards:
        lines.reverse()
    return _page(
        [line for _, line in lines],
        [place for place, _ in lines],
        query.sort_keys,
        has_more=backwards or is_cut,
        has_previous=is_cut if backwards else start is not None,
    )


async def _walk(
    connection: PoolConnectionProxy,
    client: Client,
    query: ItemListQuery,
    start: PagePosition | None,
    backwards: bool,
) -> list[tuple[PagePosition, View]]:
    """One line more than the page holds, or all that there are, beginning beside the start."""
    lines: list[tuple[PagePosition, View]] = []
    at, is_over = start, False
    while not is_over and len(lines) <= query.limit:
        page = await page_from(
            connection,
            client,
            query,
            at,
            backwards=backwards,
            limit=INVOICES_AT_ONCE,
            inclusive=at is start,
        )
        for row in reversed(page.rows) if backwards else page.rows:
            lines += _lines(row, query, start, backwards)
            at = position_of(row, query.sort_keys)
        is_over = not (page.has_previous if backwards else page.has_more)
    return lines[: query.limit + 1]


def _lines(
    row: Record, query: ItemListQuery, start: PagePosition | None, backwards: bool
) -> list[tuple[PagePosition, View]]:
    """A row's lines in the walk's direction; of the row that it starts in, those beyond.

    A line's offset is its place among all lines of its invoice, whatever is asked for: a cursor
    means the same beside any filter.
    """
    items = items_of(version_of_row(row, query.today).view)
    places = [position_of(row, query.sort_keys, offset) for offset in range(len(items))]
    lines = list(zip(places, items, strict=True))
    if start is not None and row["id"] == start.id:
        lines = lines[: start.offset] if backwards else lines[start.offset + 1 :]
    if query.sku_id is not None:
        lines = [(place, item) for place, item in lines if item.get("sku_id") == query.sku_id]
    return lines[::-1] if backwards else lines


def _page(
    data: Sequence[View],
    places: Sequence[PagePosition],
    sort: Sort,
    has_more: bool,
    has_previous: bool,
) -> Response:
    document: dict[str, Any] = {
        "data": data,
        "has_more": has_more,
        "has_previous": has_previous,
        "start_cursor": write_cursor(places[0], sort) if places else None,
        "end_cursor": write_cursor(places[-1], sort) if places else None,
    }
    return json_response(document)
