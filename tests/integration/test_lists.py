"""Lists on a real database: pages, filters, fences; and their plans at a million invoices."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import httpx
import pytest

from invoicing.api.auth.keys import signing_key, token_keys
from invoicing.api.auth.tokens import Client, Tokens, issue
from invoicing.api.reads.database import Database, open_database
from invoicing.domain.numbering import format_number
from invoicing.domain.sellers import Sellers
from invoicing.runtime.settings import Settings, read_settings
from invoicing.store.postgres import PostgresStore, open_writer_pool
from invoicing.store.rows import Position
from invoicing.worker.batch import BatchHandler
from invoicing.worker.records import LaneState, Record
from tests.support.service.application import client_of
from tests.support.service.commands import Sent, create_invoice, record_payment, void_invoice
from tests.support.service.http import new_key

BEGIN = datetime(2026, 11, 20, 12, tzinfo=UTC)

Write = Callable[..., Awaitable[None]]
Connect = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def write(database: str) -> AsyncIterator[Write]:
    """Handles commands, one a minute."""
    pool = await open_writer_pool(read_settings({}, postgres_dsn=database))
    sellers = Sellers()
    times = (BEGIN + timedelta(minutes=minute) for minute in range(10_000))
    store = PostgresStore(pool, partial(format_number, sellers=sellers), "group")
    handler = BatchHandler(store, sellers, lambda: next(times))
    offsets = iter(range(10_000))
    lane = LaneState("commands", 0, checkpoint=0, routing_partitions=1)

    async def handle(*commands: Sent) -> None:
        for command in commands:
            position = Position("commands", 0, next(offsets))
            record = Record(position, command.subject.encode(), command.value, (), 0)
            outgoing = await handler.handle([record], lane)
            assert outgoing.outcomes["accepted"] == 1, outgoing.replies[0].document

    yield handle
    await pool.close()


@pytest.fixture
async def connect(database: str) -> AsyncIterator[Connect]:
    """Makes clients of an application in this process, of one seller or all."""
    settings = read_settings({}, postgres_dsn=database, token_signing_key=new_key())
    keys = token_keys(settings)
    assert keys is not None
    async with open_database(settings) as opened:
        yield partial(_client, settings, opened, Tokens(settings, keys))


def _client(
    settings: Settings, database: Database, tokens: Tokens, seller: str = "*"
) -> httpx.AsyncClient:
    key = signing_key(settings)
    assert key is not None
    client = Client("tests", seller, frozenset({"invoices:read"}), expires_at=None)
    token = issue(key, settings, client, lifetime_seconds=600)
    return client_of(database=database, tokens=tokens, bearer=token)


async def ids(client: httpx.AsyncClient, **query: Any) -> list[str]:
    response = await client.get("/v1/invoices", params=query)
    assert response.status_code == 200, response.text
    return [invoice["invoice_id"] for invoice in response.json()["data"]]


async def walk(client: httpx.AsyncClient, path: str, forward: str, **query: Any) -> list[Any]:
    """All pages one after the other: by `after` from the beginning, by `before` from the end."""
    seen: list[Any] = []
    backwards = forward == "before"
    more, cursor = (
        "has_previous" if backwards else "has_more",
        "start_cursor" if backwards else "end_cursor",
    )
    while True:
        page = (await client.get(path, params=query)).json()
        seen = page["data"] + seen if backwards else seen + page["data"]
        if not page[more]:
            return seen
        query[forward] = page[cursor]


def several(count: int, **data: Any) -> list[Sent]:
    return [create_invoice(f"inv_{number:03}", **data) for number in range(count)]


async def test_the_newest_comes_first(write: Write, connect: Connect) -> None:
    await write(*several(3))

    assert await ids(connect()) == ["inv_002", "inv_001", "inv_000"]


@pytest.mark.parametrize(
    "sort",
    [
        [],
        ["created_at.asc"],
        ["due_date.asc"],
        ["total.desc"],
        ["due_date.desc", "total.asc"],
        ["total.asc", "due_date.desc", "created_at.asc"],
    ],
)
async def test_pages_forward_and_back_hold_every_invoice_once(
    write: Write, connect: Connect, sort: list[str]
) -> None:
    commands = [
        create_invoice(
            f"inv_{number:03}",
            due_date=f"2026-12-{1 + number % 3:02}",
            items=[{"amount": str(number % 4)}],
        )
        for number in range(23)
    ]
    await write(*commands)
    whole = await ids(connect(), sort=sort, limit=100)

    forward = await walk(connect(), "/v1/invoices", "after", sort=sort, limit=4)
    beginning = (await connect().get("/v1/invoices", params={"sort": sort, "limit": 1})).json()
    last = (await connect().get("/v1/invoices", params={"sort": sort, "limit": 100})).json()
    back = await walk(
        connect(), "/v1/invoices", "before", sort=sort, limit=4, before=last["end_cursor"]
    )

    assert [invoice["invoice_id"] for invoice in forward] == whole
    assert [invoice["invoice_id"] for invoice in back] == whole[:-1]
    assert beginning["data"][0]["invoice_id"] == whole[0]
    assert len(set(whole)) == 23


async def test_what_comes_meanwhile_moves_no_page(write: Write, connect: Connect) -> None:
    await write(*several(4))
    first = (await connect().get("/v1/invoices", params={"limit": 2})).json()
    await write(create_invoice("inv_new"))

    second = await ids(connect(), limit=2, after=first["end_cursor"])

    assert second == ["inv_001", "inv_000"]


async def test_a_page_can_begin_beside_an_invoice(write: Write, connect: Connect) -> None:
    await write(*several(4))

    assert await ids(connect(), starting_after="inv_002") == ["inv_001", "inv_000"]
    assert await ids(connect(), ending_before="inv_001") == ["inv_003", "inv_002"]


async def test_a_list_shows_test_invoices_where_they_are_asked_for(
    write: Write, connect: Connect
) -> None:
    await write(create_invoice("inv_live"), create_invoice("inv_test", live_mode=False))
    reader = connect()

    assert await ids(reader) == await ids(reader, live_mode="true") == ["inv_live"]
    assert await ids(reader, live_mode="false") == ["inv_test"]
    assert set(await ids(reader, ids=["inv_live", "inv_test"])) == {"inv_live", "inv_test"}
    assert await ids(reader, ids=["inv_live", "inv_test"], live_mode="false") == ["inv_test"]
    assert (await reader.get("/v1/invoices/inv_test")).status_code == 200
    counted = await reader.get("/v1/invoices", params={"total_count": "true"})
    assert counted.json()["total_count"] == 1
    items = (await reader.get("/v1/items")).json()["data"]
    assert {item["invoice_id"] for item in items} == {"inv_live"}


WANTED = create_invoice(
    "inv_wanted",
    customer_id="cus_7",
    currency="EUR",
    upstream_id="up_7",
    application_id="app_7",
    order_id="ord_7",
    seller_id="seller_7",
    document_date="2026-11-01",
    due_date="2026-11-19",
    metadata={"a=b": "c=d", "e": ""},
    items=[{"amount": "7", "sku_id": "sku_7"}, {"amount": "1"}],
)


@pytest.mark.parametrize(
    "query",
    [
        {"ids": ["inv_wanted", "inv_unknown"]},
        {"upstream_ids": ["up_1", "up_7"]},
        {"customer_id": "cus_7"},
        {"seller_id": "seller_7"},
        {"application_id": "app_7"},
        {"order_id": "ord_7"},
        {"currency": "EUR"},
        {"sku_id": "sku_7"},
        {"metadata[a=b]": "c=d", "metadata[e]": ""},
        {"invoice_number": "INV-000001", "seller_id": "seller_7"},
        {"status": "overdue", "as_of": "2026-11-20T00:00:00Z"},
        {"created_at[eq]": "2026-11-20T12:01:00Z"},
        {"updated_at[gt]": "2026-11-20T12:00:30Z", "updated_at[lt]": "2026-11-20T12:01:30Z"},
        {"due_date[lte]": "2026-11-19"},
        {"document_date[lt]": "2026-11-20"},
        {"total[eq]": "8.00"},
        {"total[lt]": "100", "total[gte]": "8"},
        {"amount_due[lte]": "8", "amount_due[gt]": "0", "attempt_count[gte]": "0"},
    ],
    ids=lambda query: " ".join(query),
)
async def test_a_filter_finds_what_it_names(
    write: Write, connect: Connect, query: dict[str, Any]
) -> None:
    await write(create_invoice("inv_other"), WANTED, create_invoice("inv_last"))

    assert await ids(connect(), **query) == ["inv_wanted"]


async def test_labels_follow_when_a_draft_is_changed(write: Write, connect: Connect) -> None:
    await write(
        create_invoice("inv_1", state="draft", order_id="ord_1"),
        Sent("UpdateInvoice", "inv_1", {"order_id": "ord_2"}),
        Sent("ArchiveInvoice", "inv_1", {}),
    )

    assert await ids(connect(), order_id="ord_1") == []
    assert await ids(connect(), order_id="ord_2") == ["inv_1"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("upcoming", ["inv_upcoming"]),
        ("overdue", ["inv_overdue"]),
        ("partially_paid", ["inv_part"]),
        ("received", ["inv_received"]),
        ("paid", ["inv_paid"]),
        ("overpaid", ["inv_overpaid"]),
        ("void", ["inv_void"]),
        ("draft", ["inv_draft"]),
        ("archived", ["inv_archived"]),
    ],
)
async def test_every_status_can_be_asked_for(
    write: Write, connect: Connect, status: str, expected: list[str]
) -> None:
    await write_all_statuses(write)

    page = await connect().get(
        "/v1/invoices", params={"status": status, "as_of": "2026-12-01T00:00:00Z"}
    )

    found = page.json()["data"]
    assert [invoice["invoice_id"] for invoice in found] == expected
    assert [invoice["status"] for invoice in found] == [status]


async def write_all_statuses(write: Write) -> None:
    await write(
        create_invoice("inv_upcoming"),
        create_invoice("inv_overdue", due_date="2026-11-30"),
        create_invoice("inv_part"),
        record_payment("inv_part", "1.00"),
        create_invoice("inv_received"),
        record_payment("inv_received", settled=False),
        create_invoice("inv_paid"),
        record_payment("inv_paid"),
        create_invoice("inv_overpaid"),
        record_payment("inv_overpaid", "300.00"),
        create_invoice("inv_void"),
        void_invoice("inv_void"),
        create_invoice("inv_draft", state="draft"),
        create_invoice("inv_archived"),
        Sent("ArchiveInvoice", "inv_archived", {}),
    )


async def test_a_state_is_asked_for_whatever_it_is_called(write: Write, connect: Connect) -> None:
    await write_all_statuses(write)

    assert set(await ids(connect(), state="open", limit=100)) == {
        "inv_upcoming", "inv_overdue", "inv_part", "inv_received", "inv_archived",
    }  # fmt: skip
    assert set(await ids(connect(), state="paid")) == {"inv_paid", "inv_overpaid"}


async def test_archived_invoices_are_listed_unless_they_are_left_out(
    write: Write, connect: Connect
) -> None:
    await write_all_statuses(write)
    everything = set(await ids(connect(), limit=100))

    assert set(await ids(connect(), archived="true")) == {"inv_archived"}
    assert set(await ids(connect(), archived="false", limit=100)) == everything - {"inv_archived"}
    assert set(await ids(connect(), archived="all", limit=100)) == everything
    assert "inv_archived" in everything


async def test_an_archived_invoice_is_shown_with_the_status_that_it_would_have(
    write: Write, connect: Connect
) -> None:
    await write(
        create_invoice("inv_1", document_date="2020-01-01", due_date="2020-01-31"),
        record_payment("inv_1", "1.00"),
        Sent("ArchiveInvoice", "inv_1", {}),
    )

    async def statuses(path: str, **query: str) -> tuple[str, str]:
        view = (await connect().get(path, params=query)).json()
        view = view["data"][0] if "data" in view else view
        return view["status"], view["status_unarchived"]

    in_time, late = ("archived", "partially_paid"), ("archived", "overdue")
    assert await statuses("/v1/invoices", as_of="2020-01-31") == in_time
    assert await statuses("/v1/invoices", as_of="2020-02-01") == late
    assert await statuses("/v1/invoices/inv_1", version="3") == ("overdue", "overdue")


async def test_several_states_or_statuses_are_one_query(write: Write, connect: Connect) -> None:
    await write_all_statuses(write)
    day = "2026-12-01"

    by_state = await ids(connect(), state=["void", "paid"], limit=100)
    by_status = await ids(connect(), status=["overdue", "archived", "upcoming"], as_of=day)

    assert set(by_state) == {"inv_void", "inv_paid", "inv_overpaid"}
    assert set(by_status) == {"inv_overdue", "inv_archived", "inv_upcoming"}


async def test_all_matching_invoices_are_counted_on_request(write: Write, connect: Connect) -> None:
    await write(*several(3), create_invoice("inv_other", customer_id="cus_other"))
    query = {"customer_id": "cus_42", "limit": "1"}

    counted = await connect().get("/v1/invoices", params=query | {"total_count": "true"})
    uncounted = await connect().get("/v1/invoices", params=query)

    assert (counted.json()["total_count"], len(counted.json()["data"])) == (3, 1)
    assert "total_count" not in uncounted.json()


@pytest.mark.parametrize(
    ("operator", "day", "expected"),
    [
        ("eq", "2026-11-20", ["inv_000", "inv_001"]),
        ("lte", "2026-11-20", ["inv_000", "inv_001"]),
        ("lt", "2026-11-20", []),
        ("gte", "2026-11-20", ["inv_000", "inv_001"]),
        ("gt", "2026-11-20", []),
        ("gt", "2026-11-19", ["inv_000", "inv_001"]),
        ("lt", "2026-11-21", ["inv_000", "inv_001"]),
    ],
)
async def test_times_are_compared_with_whole_days(
    write: Write, connect: Connect, operator: str, day: str, expected: list[str]
) -> None:
    await write(*several(2))

    found = await ids(connect(), **{f"created_at[{operator}]": day, "sort": "created_at.asc"})

    assert found == expected


async def test_an_invoice_is_shown_as_of_the_start_of_a_day(write: Write, connect: Connect) -> None:
    await write(create_invoice("inv_1"))

    next_day = await connect().get("/v1/invoices/inv_1", params={"as_of": "2026-11-21"})
    same_day = await connect().get("/v1/invoices/inv_1", params={"as_of": "2026-11-20"})

    assert next_day.json()["version"] == 2
    assert (same_day.status_code, same_day.json()["code"]) == (404, "version_not_found")


async def test_a_deleted_invoice_is_in_no_list(write: Write, connect: Connect) -> None:
    await write(create_invoice("inv_1", state="draft"), Sent("DeleteInvoice", "inv_1", {}))

    assert await ids(connect()) == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limt": "5"}, "invalid_query"),
        ({"limit": "101"}, "invalid_query"),
        ({"limit": ["5", "6"]}, "invalid_query"),
        ({"sort": "snapshot.asc"}, "invalid_query"),
        ({"sort": "total.asc; DROP TABLE invoices"}, "invalid_query"),
        ({"total[gt]": "1e5"}, "invalid_query"),
        ({"total[ne]": "1"}, "invalid_query"),
        ({"created_at[gt]": "yesterday"}, "invalid_query"),
        ({"currency": "XXX"}, "invalid_query"),
        ({"metadata": "x"}, "invalid_query"),
        ({"fields": "total,snapshot"}, "invalid_query"),
        ({"expand": "everything"}, "invalid_query"),
        ({"after": "abc", "before": "abc"}, "invalid_query"),
        ({"after": "abc"}, "invalid_cursor"),
        ({"after": "bnVsbA"}, "invalid_cursor"),
        ({"starting_after": "inv_unknown"}, "invalid_cursor"),
        ({"customer_id": "a\0b"}, "invalid_query"),
    ],
    ids=str,
)
async def test_a_query_that_makes_no_sense_is_refused_with_a_sentence(
    connect: Connect, query: dict[str, Any], code: str
) -> None:
    response = await connect().get("/v1/invoices", params=query)

    problem = response.json()
    assert (response.status_code, problem["code"]) == (400, code)
    assert problem["detail"].endswith(".") or problem["errors"]


async def test_a_cursor_of_another_sort_is_refused(write: Write, connect: Connect) -> None:
    await write(*several(2))
    page = (await connect().get("/v1/invoices", params={"limit": 1})).json()

    response = await connect().get(
        "/v1/invoices", params={"after": page["end_cursor"], "sort": "total.asc"}
    )

    assert response.json()["code"] == "invalid_cursor"


async def test_only_the_named_fields_are_shown(write: Write, connect: Connect) -> None:
    await write(create_invoice("inv_1"))

    page = await connect().get("/v1/invoices", params={"fields": ["invoice_id,total", "status"]})

    assert page.json()["data"][0].keys() == {"invoice_id", "total", "status"}


async def test_history_and_possibilities_are_shown_where_asked_for(
    write: Write, connect: Connect
) -> None:
    await write(*several(2))

    page = await connect().get("/v1/invoices", params={"expand": "events,available_commands"})

    for invoice in page.json()["data"]:
        assert [event["type"] for event in invoice["events"]] == [
            "invoice.created", "invoice.opened",
        ]  # fmt: skip
        assert "VoidInvoice" in invoice["available_commands"]


async def test_items_are_listed_with_their_invoices_filters(write: Write, connect: Connect) -> None:
    lines = [{"amount": str(number), "description": f"line {number}"} for number in range(7)]
    await write(
        create_invoice("inv_1", items=lines),
        create_invoice("inv_2", items=lines[:2], customer_id="cus_9"),
        create_invoice("inv_3", items=[], state="draft"),
        create_invoice("inv_4", items=lines[:3]),
    )
    expected = [
        ("inv_4", "1"), ("inv_4", "2"), ("inv_4", "3"), ("inv_1", "1"), ("inv_1", "2"),
        ("inv_1", "3"), ("inv_1", "4"), ("inv_1", "5"), ("inv_1", "6"), ("inv_1", "7"),
    ]  # fmt: skip

    forward = await walk(connect(), "/v1/items", "after", limit=2, customer_id="cus_42")
    last = (await connect().get("/v1/items", params={"limit": 50, "customer_id": "cus_42"})).json()
    back = await walk(
        connect(), "/v1/items", "before",
        limit=3, customer_id="cus_42", before=last["end_cursor"],
    )  # fmt: skip

    assert [(item["invoice_id"], item["id"]) for item in forward] == expected
    assert [(item["invoice_id"], item["id"]) for item in back] == expected[:-1]
    assert (await connect().get("/v1/items", params={"starting_after": "inv_2"})).json()["data"][0][
        "invoice_id"
    ] == "inv_1"


async def test_items_of_an_article_are_its_own_lines_page_by_page(
    write: Write, connect: Connect
) -> None:
    mixed = [{"amount": "1", "sku_id": f"sku_{number % 3}"} for number in range(9)]
    await write(
        create_invoice("inv_1", items=mixed),
        create_invoice("inv_2", items=[{"amount": "1"}]),
        create_invoice("inv_3", items=mixed[:5]),
    )
    expected = [("inv_3", "2"), ("inv_3", "5"), ("inv_1", "2"), ("inv_1", "5"), ("inv_1", "8")]
    article = {"sku_id": "sku_1"}

    whole = (await connect().get("/v1/items", params={"limit": 5, **article})).json()
    forward = await walk(connect(), "/v1/items", "after", limit=2, **article)
    back = await walk(
        connect(), "/v1/items", "before", limit=2, before=whole["end_cursor"], **article
    )

    assert [(item["invoice_id"], item["id"]) for item in whole["data"]] == expected
    assert whole["has_more"] is False
    assert [(item["invoice_id"], item["id"]) for item in forward] == expected
    assert [(item["invoice_id"], item["id"]) for item in back] == expected[:-1]


async def test_a_seller_sees_its_own_invoices_only(write: Write, connect: Connect) -> None:
    await write(create_invoice("inv_a", seller_id="a"), create_invoice("inv_b", seller_id="b"))

    assert await ids(connect("a")) == ["inv_a"]
    assert await ids(connect("a"), seller_id="b") == []
    assert await ids(connect("a"), ids=["inv_a", "inv_b"]) == ["inv_a"]


async def test_a_cursor_of_another_seller_shows_nothing_of_him(
    write: Write, connect: Connect
) -> None:
    for number in range(2):
        await write(
            create_invoice(f"inv_a{number}", seller_id="a"),
            create_invoice(f"inv_b{number}", seller_id="b"),
        )
    cursor = (await connect("b").get("/v1/invoices", params={"limit": 1})).json()["end_cursor"]

    assert await ids(connect("a"), after=cursor) == ["inv_a1", "inv_a0"]
    response = await connect("a").get("/v1/invoices", params={"starting_after": "inv_b0"})
    assert response.json()["code"] == "invalid_cursor"


async def test_another_sellers_invoice_is_as_if_it_were_not(write: Write, connect: Connect) -> None:
    await write(create_invoice("inv_b", seller_id="b"))
    same_id = {"X-Request-Id": "req_1"}

    for part in ("", "/items", "/events", "/diff?from=1", "?version=1"):
        other = await connect("a").get(f"/v1/invoices/inv_b{part}", headers=same_id)
        missing = await connect("a").get(f"/v1/invoices/inv_x{part}", headers=same_id)
        assert (other.status_code, other.content) == (404, missing.content)


async def test_postgres_itself_fences_a_sellers_reader(write: Write, database: str) -> None:
    created = create_invoice("inv_b", seller_id="b")
    await write(create_invoice("inv_a", seller_id="a"), created)
    settings = read_settings({}, postgres_dsn=database)
    client = Client("tests-of-a", "a", frozenset(), expires_at=None)

    async with open_database(settings) as opened, opened.reading(client) as connection:
        invoices = await connection.fetch("SELECT id FROM invoices")
        events = await connection.fetch("SELECT DISTINCT invoice_id FROM events")
        answers = await connection.fetch("SELECT invoice_id FROM commands")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT invoice_id FROM public.events")

    assert [row["id"] for row in invoices] == ["inv_a"]
    assert [row["invoice_id"] for row in events] == ["inv_a"]
    assert [row["invoice_id"] for row in answers] == ["inv_a"]


async def test_a_sellers_reader_without_a_seller_sees_nothing(write: Write, database: str) -> None:
    await write(create_invoice("inv_a", seller_id="a"))
    connection = await asyncpg.connect(database)

    await connection.execute("SET ROLE invoicing_seller_reader")
    rows = await connection.fetch("SELECT id FROM invoices")
    await connection.close()

    assert rows == []
