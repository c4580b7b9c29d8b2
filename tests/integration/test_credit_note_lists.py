"""Lists of credit notes on a real database: pages, filters, fences, and what a page costs."""

import json
from typing import Any

import asyncpg
import httpx
import pytest

from invoicing.api.auth.tokens import LOCAL_CLIENT, Client
from invoicing.api.reads.credit_notes import credit_notes_statement
from invoicing.api.reads.cursors import PagePosition
from invoicing.api.reads.database import SEE_SELLER, SELLER_READER_ROLE
from tests.integration.test_lists import BEGIN, Connect, Write, connect, walk, write
from tests.support.service.commands import Sent, create_invoice, void_invoice

__all__ = ["connect", "write"]

TAX = {"rate": "0.2"}


def credit(subject: str, credit_note_id: str, **data: Any) -> Sent:
    data = {"amount": "12.00"} | data
    return Sent("IssueCreditNote", subject, {"credit_note_id": credit_note_id, **data})


def an_invoice(subject: str, **data: Any) -> Sent:
    return create_invoice(subject, items=[{"amount": "100.00", "tax": TAX}], **data)


async def listed(client: httpx.AsyncClient, path: str = "/v1/credit-notes", **query: Any) -> Any:
    response = await client.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()["data"]


async def ids(client: httpx.AsyncClient, path: str = "/v1/credit-notes", **query: Any) -> list[str]:
    return [note["credit_note_id"] for note in await listed(client, path, **query)]


async def test_a_credit_note_is_shown_with_its_invoice_and_tax_groups(
    write: Write, connect: Connect
) -> None:
    await write(an_invoice("inv_1", customer_id="cus_7"), credit("inv_1", "cn_1", reason="Late"))
    [note] = await listed(connect())
    assert note == {
        "credit_note_id": "cn_1",
        "credit_note_number": "CN-000001",
        "document_date": "2026-11-20",
        "amount": "12.00",
        "tax_amount": "2.00",
        "tax_groups": [{"category": "standard", "rate": "0.2", "net": "10.00", "tax": "2.00"}],
        "reason": "Late",
        "invoice_id": "inv_1",
        "invoice_number": "INV-000001",
        "seller_id": "default",
        "customer_id": "cus_7",
        "currency": "USD",
        "live_mode": True,
        "created_at": "2026-11-20T12:01:00.000000Z",
    }


async def test_a_void_note_shows_when_and_why_and_only_that_one(
    write: Write, connect: Connect
) -> None:
    await write(
        an_invoice("inv_1"),
        credit("inv_1", "cn_1"),
        credit("inv_1", "cn_2"),
        Sent("VoidCreditNote", "inv_1", {"credit_note_id": "cn_1", "reason": "Wrong"}),
    )
    second, first = await listed(connect())
    assert "voided_at" not in second
    assert (first["voided_at"], first["void_reason"]) == ("2026-11-20T12:03:00.000000Z", "Wrong")


@pytest.mark.parametrize("forward", ["after", "before"])
async def test_pages_show_every_note_once_the_newest_first(
    write: Write, connect: Connect, forward: str
) -> None:
    await write(an_invoice("inv_1"), an_invoice("inv_2"))
    for number in range(3):
        await write(credit("inv_1", f"cn_{number}"), credit("inv_2", f"cn_{number}"))
    expected = [(f"inv_{i}", f"cn_{n}") for n in (2, 1, 0) for i in (2, 1)]
    start = {}
    if forward == "before":
        whole = (await connect().get("/v1/credit-notes")).json()
        start = {"before": whole["end_cursor"]}
        expected.pop()
    notes = await walk(connect(), "/v1/credit-notes", forward, limit=2, **start)
    assert [(note["invoice_id"], note["credit_note_id"]) for note in notes] == expected


async def test_the_notes_of_one_invoice_are_listed_by_themselves(
    write: Write, connect: Connect
) -> None:
    await write(an_invoice("inv_1"), an_invoice("inv_2"), credit("inv_2", "cn_2"))
    await write(credit("inv_1", "cn_1"), credit("inv_1", "cn_3"))
    assert await ids(connect(), "/v1/invoices/inv_1/credit-notes") == ["cn_3", "cn_1"]
    assert (await connect().get("/v1/invoices/inv_9/credit-notes")).status_code == 404


async def test_notes_are_filtered_by_customer_seller_and_live_mode(
    write: Write, connect: Connect
) -> None:
    await write(
        an_invoice("inv_1", customer_id="cus_1", seller_id="one"),
        an_invoice("inv_2", customer_id="cus_2", seller_id="two"),
        an_invoice("inv_3", customer_id="cus_2", seller_id="two", live_mode=False),
        *(credit(f"inv_{n}", f"cn_{n}") for n in (1, 2, 3)),
    )
    client = connect()
    assert await ids(client) == ["cn_2", "cn_1"]
    assert await ids(client, customer_id="cus_2") == ["cn_2"]
    assert await ids(client, seller_id="one") == ["cn_1"]
    assert await ids(client, live_mode="false") == ["cn_3"]
    assert await ids(client, "/v1/invoices/inv_3/credit-notes") == ["cn_3"]


async def test_a_client_of_one_seller_sees_that_sellers_notes_only(
    write: Write, connect: Connect
) -> None:
    await write(
        an_invoice("inv_1", seller_id="one"),
        an_invoice("inv_2", seller_id="two"),
        credit("inv_1", "cn_1"),
        credit("inv_2", "cn_2"),
    )
    client = connect("one")
    assert await ids(client) == ["cn_1"]
    assert await ids(client, seller_id="two") == []
    assert (await client.get("/v1/invoices/inv_2/credit-notes")).status_code == 404


async def test_a_reversed_invoice_has_its_note_in_the_list(write: Write, connect: Connect) -> None:
    await write(an_invoice("inv_1"), Sent("ReverseInvoice", "inv_1", {}))
    await write(an_invoice("inv_2"), void_invoice("inv_2"))
    [note] = await listed(connect())
    assert (note["invoice_id"], note["amount"]) == ("inv_1", "120.00")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"after": "x"}, "invalid_cursor"),
        ({"limit": "0"}, "invalid_query"),
        ({"after": "WzFd", "before": "WzFd"}, "invalid_query"),
        ({"customer": "cus_1"}, "invalid_query"),
    ],
)
async def test_a_query_that_cannot_be_read_is_refused(
    connect: Connect, query: dict[str, str], code: str
) -> None:
    response = await connect().get("/v1/credit-notes", params=query)
    assert (response.status_code, response.json()["code"]) == (400, code)


EVENTS = 300_000
"""One in a hundred is a credit note, and one in a thousand voids one."""


async def write_many_events(connection: asyncpg.Connection) -> None:
    await connection.execute(
        """
        INSERT INTO invoices
            (id, version, state, seller_id, customer_id, snapshot, updated_at, live_mode)
        SELECT 'inv_' || n, 100, 'open', 'seller_' || n % 20, 'cus_' || n % 500, '{}',
               $1::timestamptz, true
        FROM generate_series(0, $2::integer / 100 - 1) AS n
        """,
        BEGIN, EVENTS,
    )  # fmt: skip
    await connection.execute(
        """
        INSERT INTO events
            (invoice_id, version, type, data, command_source, command_id, recorded_at)
        SELECT 'inv_' || n / 100, n % 100 + 1,
               CASE WHEN n % 100 = 50 THEN 'invoice.credited'
                    WHEN n % 1000 = 60 THEN 'invoice.credit_note_voided'
                    ELSE 'invoice.payment_recorded' END,
               '{"data": {"credit_note": {"credit_note_id": "cn_1"}}}', '/s', n::text,
               $1::timestamptz + n * interval '1 second'
        FROM generate_series(0, $2::integer - 1) AS n
        """,
        BEGIN, EVENTS,
    )  # fmt: skip
    await connection.execute("ANALYZE events")
    await connection.execute("ANALYZE invoices")


async def blocks(connection: asyncpg.Connection, client: Client, *filters: object) -> int:
    """How many blocks a page in the middle of the list looks at."""
    middle = PagePosition(
        (await connection.fetchval("SELECT max(recorded_at) FROM events"),), "", 0
    )
    statement, values = credit_notes_statement(client, filters, middle, False, 11)
    async with connection.transaction():
        if not client.sees_all:
            await connection.execute(f"SET LOCAL ROLE {SELLER_READER_ROLE}")
            await connection.execute("SET LOCAL search_path = invoicing_of_seller, public")
            await connection.execute(SEE_SELLER, client.seller_id, client.id)
        await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        assert await connection.fetch(statement, *values)
        told = await connection.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *values
        )
    plan = json.loads(told)[0]["Plan"]
    assert "Seq Scan" not in told, told
    looked_at: int = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return looked_at


@pytest.mark.timeout(180)
async def test_a_page_is_found_by_indexes(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await write_many_events(connection)
        seller = Client("tests", "seller_7", frozenset(), expires_at=None)
        assert await blocks(connection, LOCAL_CLIENT, None, None, None, True) < 500
        assert await blocks(connection, LOCAL_CLIENT, None, "cus_7", None, True) < 500
        assert await blocks(connection, LOCAL_CLIENT, "inv_8", None, None, None) < 100
        assert await blocks(connection, seller, None, None, None, True) < 5_000
    finally:
        await connection.close()
