"""The feed's order on a real database: by transaction as a number, and straight from its index."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from invoicing.api.reads.database import SEE_SELLER, SELLER_READER_ROLE
from invoicing.api.reads.feed import BEGINNING, READ_WINDOW
from invoicing.store.history import READER_ROLE

# As numbers the one before the other, as text the other way round.
TRANSACTIONS = ("9", "10", "99", "100")
END = (TRANSACTIONS[-1], 10**9)
SELLER_SEARCH_PATH = 'invoicing_of_seller, "$user", public'

STORE_INVOICE = """
INSERT INTO invoices (id, version, state, seller_id, customer_id, snapshot, updated_at)
VALUES ('inv_1', 4, 'open', 'north', 'cus_1', '{}', now())
"""
STORE_EVENT = """
INSERT INTO events (invoice_id, version, type, data, command_source, command_id, recorded_at,
                    transaction_id)
VALUES ('inv_1', $1, 'invoice.opened', '{}', '/tests', 'command', now(), $2::text::xid8)
"""


@pytest.fixture
async def told(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A database with an event of each of these transactions."""
    connection = await asyncpg.connect(database)
    await connection.execute(STORE_INVOICE)
    for version, transaction in enumerate(TRANSACTIONS, start=1):
        await connection.execute(STORE_EVENT, version, transaction)
    yield connection
    await connection.close()


async def act_as(connection: asyncpg.Connection, role: str) -> None:
    await connection.execute(f"SET ROLE {role}")
    if role == SELLER_READER_ROLE:
        await connection.execute(f"SET search_path = {SELLER_SEARCH_PATH}")
        await connection.execute(SEE_SELLER, "north", "tests")


@pytest.mark.parametrize("role", [READER_ROLE, SELLER_READER_ROLE])
async def test_a_page_goes_by_transactions_as_numbers_so_that_none_is_passed_over(
    told: asyncpg.Connection, role: str
) -> None:
    await act_as(told, role)

    seen, place = [], (BEGINNING.transaction_id, BEGINNING.number)
    while rows := await told.fetch(READ_WINDOW, *place, *END, None, 1, None, None):
        place = (rows[-1]["transaction_id"], rows[-1]["position"])
        seen += [row["transaction_id"] for row in rows]

    assert seen == list(TRANSACTIONS)


async def test_a_page_is_read_from_the_index_and_never_sorted(told: asyncpg.Connection) -> None:
    await act_as(told, READER_ROLE)
    # So few rows would be sorted faster than looked up.
    await told.execute("SET enable_seqscan = off")
    start = (BEGINNING.transaction_id, BEGINNING.number)

    rows = await told.fetch(f"EXPLAIN {READ_WINDOW}", *start, *END, None, 1, None, None)

    plan = "\n".join(row[0] for row in rows)
    assert "events_feed" in plan
    assert "Sort" not in plan
