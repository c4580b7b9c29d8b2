"""What a migration makes of what is there."""

import asyncio
from pathlib import Path

import asyncpg

from invoicing.domain.invoice import Invoice
from invoicing.store.migrations import migrate
from invoicing.store.rows import stored_invoice

GOLDEN_STATES = Path(__file__).parents[1] / "unit" / "golden" / "states_v1.jsonl"

INSERT_AS_BEFORE_LISTS = """
INSERT INTO invoices (id, version, state, seller_id, customer_id, snapshot, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
LISTED = """
SELECT id, standing, archived, total, amount_due, attempt_count, created_at, document_date,
       due_date, overdue_from, live_mode, labels
FROM invoices JOIN invoice_labels ON invoice_id = id ORDER BY id
"""


async def test_invoices_of_before_lists_are_listed_as_if_they_were_written_now(
    empty_database: str,
) -> None:
    states = GOLDEN_STATES.read_text().splitlines()
    invoices = [Invoice.model_validate_json(state) for state in states]
    await asyncio.to_thread(migrate, empty_database, "0001")
    connection = await asyncpg.connect(empty_database)
    for invoice in invoices:
        await connection.execute(
            INSERT_AS_BEFORE_LISTS,
            invoice.invoice_id, invoice.version, invoice.state, invoice.seller_id,
            invoice.customer_id, invoice.to_json(), invoice.updated_at,
        )  # fmt: skip

    await asyncio.to_thread(migrate, empty_database)

    rows = await connection.fetch(LISTED)
    await connection.close()
    assert [listed(row) for row in rows] == sorted(map(expected, invoices))


def listed(row: asyncpg.Record) -> tuple[object, ...]:
    *columns, labels = row.values()
    return (*columns, sorted(labels))


def expected(invoice: Invoice) -> tuple[object, ...]:
    stored = stored_invoice(invoice, document_changed=True)
    return (
        stored.id, stored.standing, stored.archived, stored.total, stored.amount_due,
        stored.attempt_count, stored.created_at, stored.document_date,
        stored.due_date, stored.overdue_from, stored.live_mode, sorted(stored.labels or ()),
    )  # fmt: skip
