"""What the API is measured beside: uvicorn, Starlette and asyncpg, with the same SQL and bytes.

It has neither clients nor limits, filters, request ids, metrics, traces or error documents. Run as
`python -m tests.bench.http_bare`, with the API's settings in the environment; it listens on
INVOICING_HTTP_PORT.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from invoicing.api.auth.tokens import LOCAL_CLIENT
from invoicing.api.reads.cursors import position_of
from invoicing.api.reads.database import PLANNED
from invoicing.api.reads.filters import ListQuery
from invoicing.api.reads.list_sql import page_statement
from invoicing.api.reads.pages import cut
from invoicing.api.reads.queries import FIND_INVOICE, version_of_row
from invoicing.runtime import clock
from invoicing.runtime.postgres import open_pool
from invoicing.runtime.settings import read_settings
from invoicing.store.history import READER_ROLE

QUERY = ListQuery(customer_id="any")
STATEMENT, _ = page_statement(QUERY, LOCAL_CLIENT, None, backwards=False, limit=QUERY.limit + 1)
JSON = "application/json"


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Open the pool that requests take connections from."""
    app.state.pool = await open_pool(read_settings(), READER_ROLE, plan_cache_mode=PLANNED)
    yield


async def get_invoice(request: Request) -> Response:
    """GET /v1/invoices/{id}."""
    async with request.app.state.pool.acquire() as connection:
        row = await connection.fetchrow(FIND_INVOICE, request.path_params["invoice_id"], "*")
    assert row is not None
    view = version_of_row(row, clock.now()).view
    return Response(orjson.dumps(view), headers={"ETag": f'"{row["version"]}"'}, media_type=JSON)


async def list_invoices(request: Request) -> Response:
    """GET /v1/invoices?customer_id=..., ten of them."""
    customer = request.query_params["customer_id"]
    async with request.app.state.pool.acquire() as connection:
        rows = await connection.fetch(STATEMENT, customer, QUERY.limit + 1)
    page = cut(rows, QUERY.limit, None, backwards=False)
    now = clock.now()
    views = [version_of_row(row, now).view for row in page.rows]
    positions = [position_of(row, QUERY.sort_keys) for row in page.rows]
    document = page.document(views, positions, QUERY.sort_keys)
    return Response(orjson.dumps(document), media_type=JSON)


app = Starlette(
    routes=[
        Route("/v1/invoices", list_invoices),
        Route("/v1/invoices/{invoice_id}", get_invoice),
        Route("/health/ready", lambda _: Response()),
    ],
    lifespan=lifespan,
)

if __name__ == "__main__":
    uvicorn.run(
        app, port=read_settings().http_port, loop="uvloop", http="httptools", access_log=False,
        log_level="warning",
    )  # fmt: skip
