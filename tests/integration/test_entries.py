"""Invoices with many entries on a real database: read, fenced, rebuilt, safe from old workers."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import asyncpg
import httpx
import pytest

from invoicing.domain import entries
from invoicing.domain.numbering import format_number
from invoicing.domain.sellers import Sellers
from invoicing.maintenance.rebuild.rebuild import Rebuilt
from invoicing.runtime.settings import read_settings
from invoicing.store.entries import EntryKey, StoredEntry
from invoicing.store.memory import MemoryStore
from invoicing.store.postgres import PostgresStore, open_writer_pool
from invoicing.store.rows import Position, StoredInvoice, WriteBatch
from tests.integration.test_lists import Connect, Write, connect, write
from tests.integration.test_rebuild import Books, books
from tests.support.service.commands import Sent, create_invoice

__all__ = ["books", "connect", "write"]

ENTRIES = "SELECT * FROM invoice_entries ORDER BY invoice_id, kind, position, id"
NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(autouse=True)
def inline_max(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third entry of a kind moves all of them to rows."""
    monkeypatch.setattr(entries, "INLINE_MAX", 2)


def sent(command: str, subject: str = "inv_1", **data: Any) -> Sent:
    return Sent(command, subject, data)


def busy(subject: str = "inv_1") -> list[Sent]:
    """An invoice with four payments, three credit notes, three mails, and parts of payments."""
    paid = [
        sent("RecordPayment", subject, payment_id=f"pay_{n}", amount="30.00", currency="USD")
        for n in range(4)
    ]
    credited = [
        sent("IssueCreditNote", subject, credit_note_id=f"cn_{n}", amount="1.00") for n in range(3)
    ]
    mailed = [
        sent("RecordInvoiceSent", subject, send_id=f"send_{n}", to="ada@example.com")
        for n in range(3)
    ]
    part = {"payment_id": "pay_1", "amount": "2.00"}
    return [
        create_invoice(subject),
        *paid,
        *credited,
        *mailed,
        sent("RefundPayment", subject, refund_id="ref_1", **part),
        sent("ReturnPayment", subject, return_id="ret_1", code="x", **part),
        sent("OpenDispute", subject, dispute_id="dis_1", **part),
        sent("CloseDispute", subject, dispute_id="dis_1", outcome="won"),
        sent("VoidCreditNote", subject, credit_note_id="cn_1"),
    ]


async def shown(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    response = await client.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def test_http_shows_all_entries(write: Write, connect: Connect) -> None:
    await write(create_invoice("inv_0"), *busy())
    client = connect()

    invoice = await shown(client, "/v1/invoices/inv_1")

    assert [payment["payment_id"] for payment in invoice["payments"]] == [
        "pay_0", "pay_1", "pay_2", "pay_3",
    ]  # fmt: skip
    assert [note["credit_note_id"] for note in invoice["credit_notes"]] == ["cn_0", "cn_1", "cn_2"]
    assert [sending["send_id"] for sending in invoice["sendings"]] == ["send_0", "send_1", "send_2"]
    # What is replayed from events has never been in rows.
    replayed = await client.get("/v1/invoices/inv_1", params={"version": invoice["version"]})
    current = await client.get("/v1/invoices/inv_1")
    assert current.content == replayed.content
    listed = await shown(client, "/v1/invoices")
    assert listed["data"][0] == invoice
    assert [one["invoice_id"] for one in listed["data"]] == ["inv_1", "inv_0"]
    expanded = await shown(client, "/v1/invoices/inv_1", expand="available_commands")
    assert "RefundPayment" in expanded["available_commands"]
    assert len((await shown(client, "/v1/items"))["data"]) == 2


async def test_a_seller_sees_the_entries_of_its_own_invoices_alone(
    write: Write, connect: Connect, database: str
) -> None:
    await write(*busy())

    assert len((await shown(connect("default"), "/v1/invoices/inv_1"))["payments"]) == 4
    assert (await connect("other").get("/v1/invoices/inv_1")).status_code == 404
    connection = await asyncpg.connect(database)
    await connection.execute("SET ROLE invoicing_seller_reader")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.fetch("SELECT FROM invoice_entries")
    seen = "SELECT count(*) FROM invoicing_of_seller.invoice_entries"
    await connection.execute("SET invoicing.seller_id = 'other'")
    assert await connection.fetchval(seen) == 0
    await connection.execute("SET invoicing.seller_id = 'default'")
    assert await connection.fetchval(seen) == 4 + 3 + 3 + 3
    await connection.close()


async def test_a_correct_state_is_left_as_it_is(books: Books) -> None:
    for command in [*busy("inv_1"), *busy("inv_2")]:
        await books.handle(command)
    state, rows = await books.state(), await books.fetch(ENTRIES)
    assert len(rows) == 26

    rebuilt = await books.rebuild()

    assert (rebuilt.invoices, rebuilt.differed) == (2, 0)
    assert await books.state() == state
    assert await books.fetch(ENTRIES) == rows


@pytest.mark.parametrize(
    "fault",
    [
        "DELETE FROM invoice_entries WHERE id = 'pay_2' AND invoice_id = 'inv_1'",
        "DELETE FROM invoice_entries WHERE kind = 'dispute' AND invoice_id = 'inv_1'",
        "UPDATE invoice_entries SET document = '{}' WHERE id = 'cn_1' AND invoice_id = 'inv_1'",
        "UPDATE invoice_entries SET position = 9 WHERE id = 'pay_1' AND invoice_id = 'inv_1'",
        "INSERT INTO invoice_entries VALUES ('inv_1', 'payment', 'x', 7, '{}')",
    ],
)
async def test_a_wrong_entry_is_repaired(books: Books, fault: str) -> None:
    for command in [*busy("inv_1"), *busy("inv_2")]:
        await books.handle(command)
    state, rows = await books.state(), await books.fetch(ENTRIES)
    await books.fetch(fault)

    rebuilt = await books.rebuild()

    assert rebuilt.differed == 1
    assert await books.state() == state
    assert await books.fetch(ENTRIES) == rows


async def test_a_rebuild_moves_the_entries_of_an_older_snapshot_and_keeps_old_workers_out(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(entries, "INLINE_MAX", 1_000)
        for command in busy():
            await books.handle(command)
    assert await books.fetch(ENTRIES) == []
    await books.fetch("TRUNCATE event_rules")

    rebuilt = await books.rebuild()

    assert isinstance(rebuilt, Rebuilt)
    assert rebuilt.differed == 1
    assert len(await books.fetch(ENTRIES)) == 13
    assert [row["rules"] for row in await books.fetch("SELECT rules FROM event_rules")] == [3]
    await books.handle(sent("RefundPayment", refund_id="r", payment_id="pay_1", amount="1.00"))
    assert (await books.rebuild()).differed == 0


async def test_a_state_that_an_older_release_rebuilt_is_whole_again(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in busy():
        await books.handle(command)
    state, rows = await books.state(), await books.fetch(ENTRIES)
    with monkeypatch.context() as patched:
        patched.setattr(entries, "INLINE_MAX", 1_000)
        assert (await books.rebuild()).differed == 1
    await books.fetch("INSERT INTO invoice_entries VALUES ('inv_1', 'payment', 'pay_0', 0, '{}')")

    await books.handle(sent("ArchiveInvoice"), sent("RestoreInvoice"))

    assert await books.fetch(ENTRIES) == rows
    assert (await books.state())[0]["version"] == state[0]["version"] + 2
    assert (await books.rebuild()).differed == 0


@pytest.mark.parametrize(("rules", "is_refused"), [(None, True), ("2", True), ("3", False)])
async def test_a_session_that_does_not_know_entries_writes_nothing_once_there_are_some(
    write: Write, database: str, rules: str | None, is_refused: bool
) -> None:
    await write(*busy())

    settings = {"invoicing.rules": rules} if rules else {}
    connection = await asyncpg.connect(database, server_settings=settings)
    for columns in ("homes (topic)", "events (invoice_id)", "commands (id)"):
        statement = f"INSERT INTO {columns} SELECT 'x' WHERE false"
        if is_refused:
            with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="newer"):
                await connection.execute(statement)
        else:
            await connection.execute(statement)
    await connection.close()


async def test_an_invoice_with_few_entries_keeps_nobody_out(write: Write, database: str) -> None:
    payments = [
        sent("RecordPayment", payment_id=f"pay_{n}", amount="1.00", currency="USD")
        for n in range(2)
    ]
    await write(create_invoice("inv_1"), *payments)

    connection = await asyncpg.connect(database)
    assert await connection.fetch("SELECT FROM event_rules") == []
    assert await connection.fetch(ENTRIES) == []
    await connection.close()


@pytest.mark.parametrize("kind", ["postgres", "memory"])
async def test_a_store_loads_the_entries_that_are_wanted(database: str, kind: str) -> None:
    numbered = partial(format_number, sellers=Sellers())
    pool = await open_writer_pool(read_settings({}, postgres_dsn=database))
    store = MemoryStore(numbered) if kind == "memory" else PostgresStore(pool, numbered, "group")
    rows = {
        invoice_id: tuple(
            StoredEntry(invoice_id, *row)
            for row in (
                ("payment", "b", 0, "1"), ("payment", "a", 1, "2"), ("payment", "c", 2, "3"),
                ("refund", "r", 0, "c"), ("sending", "a", 0, "4"),
            )
        )
        for invoice_id in ("inv_1", "inv_2")
    }  # fmt: skip
    made = WriteBatch(Position("commands", 0, 1))
    for invoice_id, own in rows.items():
        invoice: dict[str, Any] = dict.fromkeys(StoredInvoice._fields[:12], "x")
        invoice |= {"id": invoice_id, "version": 1, "archived": False, "entries": own}
        invoice |= {"total": 1, "amount_due": 1, "attempt_count": 0, "invoice_number": invoice_id}
        made.invoices[invoice_id] = StoredInvoice(created_at=NOW, updated_at=NOW, **invoice)
    await store.append(made)
    b, a, c, refund, sending = rows["inv_1"]

    async def loaded(*wanted: tuple[str, str | None]) -> list[StoredEntry]:
        return list(await store.load_entries({EntryKey("inv_1", *key) for key in wanted}))

    assert await loaded(("payment", "a"), ("payment", "none")) == [a]
    assert await loaded(("payment", None), ("payment", "a")) == [b, a, c]
    assert await loaded(("refund", "r")) == [c, refund]
    assert await loaded(("sending", "a"), ("refund", "none")) == [sending]
    assert await loaded() == []
    await pool.close()
