"""At a million invoices, every list is found by indexes, and a deep page costs no more."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from invoicing.api.auth.tokens import LOCAL_CLIENT, Client
from invoicing.api.reads.cursors import PagePosition
from invoicing.api.reads.database import SEE_SELLER, SELLER_READER_ROLE
from invoicing.api.reads.filters import (
    COMPARED,
    INVOICE_STATES,
    INVOICE_STATUSES,
    OPERATORS,
    Filters,
    ListQuery,
)
from invoicing.api.reads.list_sql import page_statement
from invoicing.api.reads.reports import AgingQuery, aging_statement
from invoicing.store.history import READER_ROLE
from invoicing.tools.scratch.databases import Databases
from tests.support.stack.many_invoices import write_many_invoices

INVOICES = 1_000_000
# Ten invoices of a page, what it takes to find them, and as much again.
BLOCKS_MAX = 500
pytestmark = pytest.mark.timeout(300)  # whoever asks first waits for the million

SELLER = Client("tests", "seller_7", frozenset(), expires_at=None)


@pytest.fixture(scope="module")
async def million(databases: Databases) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a million invoices of 20 sellers and 5,000 customers."""
    async with databases.fresh() as dsn:
        connection = await asyncpg.connect(dsn)
        # Apart from their documents, which no plan looks at.
        await write_many_invoices(connection, INVOICES)
        yield connection
        await connection.close()


async def plan(
    million: asyncpg.Connection, client: Client, place: PagePosition | None, **query: Any
) -> tuple[str, int]:
    """The plan of a page as text, and how many blocks it has looked at."""
    statement, values = page_statement(
        ListQuery.model_validate(query), client, place, backwards=False, limit=11
    )
    async with million.transaction():
        role = READER_ROLE if client.sees_all else SELLER_READER_ROLE
        await million.execute(f"SET LOCAL ROLE {role}")
        if not client.sees_all:
            await million.execute(SEE_SELLER, client.seller_id, client.id)
        text = await million.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *values
        )
    [told] = json.loads(text)
    blocks = told["Plan"]["Shared Hit Blocks"] + told["Plan"]["Shared Read Blocks"]
    return json.dumps(told, indent=1), blocks


def scanned_whole(told: str) -> list[str]:
    return re.findall(r'"Node Type": "Seq Scan"', told)


# Comparisons that keep about half of the invoices, or as good as none.
MIDDLE = {
    "created_at": "2025-06-01T00:00:00Z",
    "updated_at": "2025-06-01T00:00:00Z",
    "document_date": "2025-06-01",
    "due_date": "2025-06-01",
    "total": "500.00",
    "amount_due": "500.00",
    "attempt_count": "1",
}
FILTERS: list[dict[str, Any]] = [
    {},
    {"ids": ["inv_77", "inv_78"]},
    {"upstream_ids": ["up_77", "up_78"]},
    {"customer_id": "cus_7"},
    {"invoice_number": "INV-77", "seller_id": "seller_17"},
    {"application_id": "app_7"},
    {"order_id": "ord_77"},
    {"currency": "EUR"},
    {"currency": "KWD"},
    {"sku_id": "sku_7"},
    {"metadata": {"campaign": "7"}},
    {"metadata": {"campaign": "7"}, "sku_id": "sku_7"},
    {"live_mode": False},
    {"archived": "true"},
    {"archived": "false"},
    *({"state": [state]} for state in INVOICE_STATES),
    {"state": ["open", "uncollectible"]},
    *({"status": [status]} for status in INVOICE_STATUSES),
    {"status": ["overdue", "partially_paid", "archived"]},
    {"status": ["upcoming"], "as_of": "2024-01-15T00:00:00Z"},
    {"created_at[gte]": "2026-06-01T00:00:00Z"},
    {"updated_at[lt]": "2024-02-01T00:00:00Z", "sort": ["updated_at.asc"]},
    {"due_date[gte]": "2025-01-01", "due_date[lt]": "2025-01-02", "sort": ["due_date.asc"]},
    *({f"{name}[{operator}]": MIDDLE[name]} for name in COMPARED for operator in OPERATORS),
]


def test_every_filter_is_among_them() -> None:
    named = {name for query in FILTERS for name in query}

    assert named >= Filters.model_fields.keys()


@pytest.mark.parametrize("query", FILTERS, ids=str)
async def test_every_filter_is_found_by_an_index(
    million: asyncpg.Connection, query: dict[str, Any]
) -> None:
    told, _ = await plan(million, LOCAL_CLIENT, None, **query)

    assert scanned_whole(told) == [], told


@pytest.mark.parametrize("query", FILTERS, ids=str)
async def test_every_filter_of_a_seller_is_found_by_an_index(
    million: asyncpg.Connection, query: dict[str, Any]
) -> None:
    told, _ = await plan(million, SELLER, None, **query)

    assert scanned_whole(told) == [], told


DEEP: dict[str, Any] = {
    "created_at": datetime(2025, 6, 1, tzinfo=UTC),
    "updated_at": datetime(2025, 6, 1, tzinfo=UTC),
    "document_date": datetime(2025, 6, 1, tzinfo=UTC).date(),
    "due_date": datetime(2025, 6, 1, tzinfo=UTC).date(),
    "total": Decimal("500.00"),
    "amount_due": Decimal("500.00"),
}


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("column", DEEP)
async def test_a_deep_page_costs_no_more_than_the_first(
    million: asyncpg.Connection, column: str, direction: str
) -> None:
    place = PagePosition((DEEP[column],), "inv_5")

    told, blocks = await plan(million, LOCAL_CLIENT, place, sort=[f"{column}.{direction}"])

    assert blocks <= BLOCKS_MAX, told


@pytest.mark.parametrize("client", [LOCAL_CLIENT, SELLER], ids=["all sellers", "one seller"])
async def test_receivables_are_found_by_an_index(
    million: asyncpg.Connection, client: Client
) -> None:
    for after in (None, (None, None), ("cus_7", "EUR")):
        statement, values = aging_statement(AgingQuery(), client, after)

        told = await million.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *values)

        assert scanned_whole(told) == []
        assert "invoices_receivable" in told, told
