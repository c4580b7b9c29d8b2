"""At a million invoices, every list is found by indexes, and a deep page costs no more."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from api.cursors import Place
from api.database import SEE_SELLER, SELLER_READER_ROLE
from api.filters import ListQuery
from api.lists import statement_of
from api.tokens import LOCAL_CLIENT, Client
from invoicing.history import READER_ROLE
from ops.scratch.databases import Databases

INVOICES = 1_000_000
# Ten invoices of a page, what it takes to find them, and as much again.
BLOCKS_MAX = 500
pytestmark = pytest.mark.timeout(300)  # whoever asks first waits for the million

SELLER = Client("tests", "seller_7", frozenset(), expires_at=None)

# Apart from their documents, which no plan looks at.
MANY_INVOICES = f"""
INSERT INTO invoices (
    id, version, state, standing, archived, seller_id, customer_id, invoice_number, total,
    amount_due, attempt_count, snapshot, created_at, updated_at, document_date, due_date, live_mode)
SELECT 'inv_' || n, 2, state, CASE state WHEN 'open' THEN 'upcoming' ELSE state END, n % 500 = 0,
    'seller_' || n % 20, 'cus_' || n % 5000, 'INV-' || n, total,
    CASE state WHEN 'paid' THEN 0 ELSE total END, CASE n % 100 WHEN 0 THEN 1 ELSE 0 END, '{{}}',
    time, time + make_interval(mins => n % 1000), time::date, time::date + n % 60, n % 1000 <> 0
FROM generate_series(1, {INVOICES}) AS n, LATERAL (
    SELECT timestamptz '2024-01-01' + make_interval(secs => n * 90) AS time,
        (n % 99991) / 100.0 AS total,
        CASE WHEN n % 10000 = 0 THEN 'void'
            ELSE (ARRAY['open', 'paid', 'paid', 'paid'])[1 + n % 4] END AS state) AS made
"""
MANY_LABELS = f"""
INSERT INTO invoice_labels
SELECT 'inv_' || n, ARRAY[
    'currency=' || CASE WHEN n % 100000 = 0 THEN 'KWD'
        ELSE (ARRAY['USD', 'USD', 'EUR'])[1 + n % 3] END,
    'sku_id=sku_' || n % 3000, 'upstream_id=up_' || n, 'order_id=ord_' || n,
    'application_id=app_' || n % 2000, 'metadata.8.campaign=' || n % 4000]
FROM generate_series(1, {INVOICES}) AS n
"""
SECONDARY_INDEXES = """
SELECT indexname AS name, indexdef AS definition FROM pg_indexes
WHERE schemaname = 'public' AND tablename IN ('invoices', 'invoice_labels')
  AND indexdef NOT LIKE '%UNIQUE%'
"""


@pytest.fixture(scope="module")
async def million(databases: Databases) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a million invoices of 20 sellers and 5,000 customers."""
    async with databases.fresh() as dsn:
        connection = await asyncpg.connect(dsn)
        indexes = await connection.fetch(SECONDARY_INDEXES)
        for index in indexes:
            await connection.execute(f"DROP INDEX {index['name']}")
        await connection.execute(MANY_INVOICES)
        await connection.execute(MANY_LABELS)
        for index in indexes:
            await connection.execute(index["definition"])
        await connection.execute("VACUUM ANALYZE invoices, invoice_labels")
        yield connection
        await connection.close()


async def plan(
    million: asyncpg.Connection, client: Client, place: Place | None, **query: Any
) -> tuple[str, int]:
    """The plan of a page as text, and how many blocks it has looked at."""
    statement, values = statement_of(
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
    {"state": "open"},
    {"state": "void"},
    {"status": "overdue"},
    {"status": "upcoming", "as_of": "2024-01-15T00:00:00Z"},
    {"status": "archived"},
    {"created_at[gte]": "2026-06-01T00:00:00Z"},
    {"updated_at[lt]": "2024-02-01T00:00:00Z", "sort": ["updated_at.asc"]},
    {"due_date[gte]": "2025-01-01", "due_date[lt]": "2025-01-02", "sort": ["due_date.asc"]},
    {"document_date[eq]": "2025-01-01"},
    {"total[gt]": "999.80"},
    {"amount_due[gt]": "999.80"},
    {"attempt_count[gte]": "1"},
]


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
    place = Place((DEEP[column],), "inv_5")

    told, blocks = await plan(million, LOCAL_CLIENT, place, sort=[f"{column}.{direction}"])

    assert blocks <= BLOCKS_MAX, told
