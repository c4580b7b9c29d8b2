"""Many invoices at once, inserted by SQL: 20 sellers, 5,000 customers, every state."""

import asyncpg

ID_IN_SNAPSHOT = "<invoice id>"

MANY_INVOICES = """
INSERT INTO invoices (
    id, version, state, standing, archived, seller_id, customer_id, invoice_number, total,
    amount_due, attempt_count, snapshot, created_at, updated_at, document_date, due_date, live_mode)
SELECT 'inv_' || n, 2, state, CASE state WHEN 'open' THEN 'upcoming' ELSE state END, n % 500 = 0,
    'seller_' || n % 20, 'cus_' || n % 5000, 'INV-' || n, total,
    CASE state WHEN 'paid' THEN 0 ELSE total END, CASE n % 100 WHEN 0 THEN 1 ELSE 0 END,
    replace($2, $3, 'inv_' || n),
    time, time + make_interval(mins => n % 1000), time::date, time::date + n % 60, n % 1000 <> 0
FROM generate_series(1, $1::int) AS n, LATERAL (
    SELECT timestamptz '2024-01-01' + make_interval(secs => n * 90) AS time,
        (n % 99991) / 100.0 AS total,
        CASE WHEN n % 10000 = 0 THEN 'void'
            ELSE (ARRAY['open', 'paid', 'paid', 'paid'])[1 + n % 4] END AS state) AS made
"""
MANY_LABELS = """
INSERT INTO invoice_labels
SELECT 'inv_' || n, ARRAY[
    'currency=' || CASE WHEN n % 100000 = 0 THEN 'KWD'
        ELSE (ARRAY['USD', 'USD', 'EUR'])[1 + n % 3] END,
    'sku_id=sku_' || n % 3000, 'upstream_id=up_' || n, 'order_id=ord_' || n,
    'application_id=app_' || n % 2000, 'metadata.8.campaign=' || n % 4000]
FROM generate_series(1, $1::int) AS n
"""
SECONDARY_INDEXES = """
SELECT indexname AS name, indexdef AS definition FROM pg_indexes
WHERE schemaname = 'public' AND tablename IN ('invoices', 'invoice_labels')
  AND indexdef NOT LIKE '%UNIQUE%'
"""


async def write_many_invoices(
    connection: asyncpg.Connection, invoices: int, snapshot: str = "{}"
) -> None:
    """Invoices `inv_1`, `inv_2`, ...; `snapshot` is each one's document, ID_IN_SNAPSHOT its id."""
    indexes = await connection.fetch(SECONDARY_INDEXES)
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    await connection.execute(MANY_INVOICES, invoices, snapshot, ID_IN_SNAPSHOT)
    await connection.execute(MANY_LABELS, invoices)
    for index in indexes:
        await connection.execute(index["definition"])
    await connection.execute("VACUUM ANALYZE invoices, invoice_labels")
