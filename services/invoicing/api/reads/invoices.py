"""One invoice: current or past, its items, its history, and the difference of two versions."""

from typing import Annotated, Final

from asyncpg.pool import PoolConnectionProxy
from fastapi import APIRouter, Depends, Path, Request
from pydantic import ConfigDict, Field
from starlette.responses import Response

from invoicing.api.auth.access import Reader
from invoicing.api.auth.tokens import Client
from invoicing.api.http.bodies import Body
from invoicing.api.http.problems import ProblemCode, ProblemError
from invoicing.api.http.query import Query
from invoicing.api.http.routing import DirectRoute, header
from invoicing.api.reads.answers import (
    ETAG_HEADER,
    entity_tag,
    invoice_response,
    is_known,
    json_response,
    not_modified,
    raw_documents,
)
from invoicing.api.reads.cloud_events import EventPage
from invoicing.api.reads.expansion import shown_views
from invoicing.api.reads.filters import AsOf, Shown
from invoicing.api.reads.queries import (
    HISTORY_PAGE,
    InvoiceVersion,
    find_row,
    get_as_of,
    get_current,
)
from invoicing.api.reads.views import (
    Change,
    InvoiceFields,
    InvoiceView,
    ItemView,
    differences,
    items_of,
)
from invoicing.api.state import AppStateOf
from invoicing.contracts.types.texts import INVOICE_ID_PATTERN

VERSION_MAX: Final = 2**31 - 1

router = APIRouter(route_class=DirectRoute, tags=["Invoices"])

InvoiceId = Annotated[
    str,
    Path(pattern=INVOICE_ID_PATTERN, description="The invoice.", examples=["inv_1001"]),
]


class When(Query):
    """A version or a time; by default now."""

    version: int | None = Field(
        None, ge=1, le=VERSION_MAX, description="As it was after so many of its events."
    )
    as_of: AsOf | None = Field(
        None, description="As it was at that time, RFC 3339; a day is its start in UTC."
    )


class ShownWhen(When, Shown):
    """A version, and the fields to return."""


class Between(Query):
    """Two versions to compare."""

    before: int = Field(alias="from", ge=1, le=VERSION_MAX, description="The version before.")
    after: int | None = Field(
        None,
        alias="to",
        ge=1,
        le=VERSION_MAX,
        description="The version after; by default the newest.",
    )


class HistoryQuery(Query):
    """A part of a history."""

    after: int = Field(0, ge=0, le=VERSION_MAX, description="The events after this version.")
    limit: int = Field(100, ge=1, le=1_000, description="How many at most.")


class InvoiceItems(Body):
    """The lines of one invoice."""

    data: tuple[ItemView, ...] = Field(description="The lines, in order.")


class Difference(Body):
    """What changed from one version to another."""

    model_config = ConfigDict(populate_by_name=True)

    invoice_id: str = Field(description="The invoice.")
    before: int = Field(alias="from", description="The version before.")
    after: int = Field(alias="to", description="The version after.")
    changes: tuple[Change, ...] = Field(description="The fields that differ.")


@router.get(
    "/v1/invoices/{invoice_id}",
    response_model=InvoiceView | InvoiceFields,
    responses={304: {"description": "You have it.", "headers": {"ETag": ETAG_HEADER}}},
    openapi_extra=header("If-None-Match", "The version that you have, as its ETag.", '"2"'),
)
async def get_invoice(
    invoice_id: InvoiceId,
    request: Request,
    client: Reader,
    state: AppStateOf,
    query: Annotated[ShownWhen, Depends(ShownWhen.of)],
) -> Response:
    """One invoice, as it is or as it was."""
    async with state.database.reading(client) as connection:
        found = await _find(connection, invoice_id, client, query)
        if is_known(request, found.version):
            return not_modified(found.version)
        [view] = await shown_views(connection, [found], query)
    return invoice_response(view, found.version)


@router.get("/v1/invoices/{invoice_id}/items", response_model=InvoiceItems)
async def get_invoice_items(
    invoice_id: InvoiceId,
    client: Reader,
    state: AppStateOf,
    query: Annotated[When, Depends(When.of)],
) -> Response:
    """The lines of an invoice, as they are or as they were."""
    async with state.database.reading(client) as connection:
        found = await _find(connection, invoice_id, client, query)
    return json_response(
        {"data": items_of(found.view)}, headers={"ETag": entity_tag(found.version)}
    )


@router.get("/v1/invoices/{invoice_id}/events", response_model=EventPage)
async def get_invoice_events(
    invoice_id: InvoiceId,
    client: Reader,
    state: AppStateOf,
    query: Annotated[HistoryQuery, Depends(HistoryQuery.of)],
) -> Response:
    """The history of an invoice, byte for byte as on Kafka; a deleted one has its history still."""
    async with state.database.reading(client) as connection:
        await find_row(connection, invoice_id, client)
        rows = await connection.fetch(HISTORY_PAGE, invoice_id, query.after, query.limit + 1)
    shown = rows[: query.limit]
    return json_response(
        {
            "data": raw_documents(row["data"] for row in shown),
            "has_more": len(rows) > len(shown),
            "end_cursor": str(shown[-1]["version"]) if shown else str(query.after),
        }
    )


@router.get("/v1/invoices/{invoice_id}/diff", response_model=Difference)
async def get_invoice_difference(
    invoice_id: InvoiceId,
    client: Reader,
    state: AppStateOf,
    query: Annotated[Between, Depends(Between.of)],
) -> Response:
    """What changed from one version to another, field by field."""
    async with state.database.reading(client) as connection:
        row = await find_row(connection, invoice_id, client)
        before = await get_as_of(connection, invoice_id, version=query.before)
        after = await get_as_of(connection, invoice_id, version=query.after or row["version"])
    changes = list(differences(before.view, after.view))
    return json_response(
        {
            "invoice_id": invoice_id,
            "from": before.version,
            "to": after.version,
            "changes": changes,
        }
    )


async def _find(
    connection: PoolConnectionProxy, invoice_id: str, client: Client, query: When
) -> InvoiceVersion:
    if query.version is None and query.as_of is None:
        return await get_current(connection, invoice_id, client)
    if query.version is not None and query.as_of is not None:
        raise ProblemError(ProblemCode.INVALID_QUERY, "Give version or as_of, not both.")
    await find_row(connection, invoice_id, client)
    return await get_as_of(connection, invoice_id, version=query.version, as_of=query.as_of)
