"""Reads over HTTP: invoices as they are and were, their history, and the feed."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from tests.support.service.commands import create_invoice, invoice_id, record_payment
from tests.support.service.http import Api

MOMENT = timedelta(microseconds=1)


@pytest.fixture
async def http(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.connect() as client:
        yield client


async def paid_in_two(api: Api) -> str:
    """An invoice of 5 events: created, opened, paid in part, paid, and said to be paid."""
    subject = invoice_id()
    commands = [
        create_invoice(subject),
        record_payment(subject, "100.00"),
        record_payment(subject, "114.25"),
    ]
    await api.service.ask(*commands)
    return subject


async def test_an_invoice_is_shown_after_any_of_its_events(
    http: httpx.AsyncClient, api: Api
) -> None:
    address = f"/v1/invoices/{await paid_in_two(api)}"

    shown = [(await http.get(address, params={"version": n})).json() for n in range(1, 6)]

    assert [invoice["version"] for invoice in shown] == [1, 2, 3, 4, 5]
    assert [invoice["amount_due"] for invoice in shown] == [
        "0.00", "214.25", "114.25", "0.00", "0.00",
    ]  # fmt: skip
    assert [invoice["status"] for invoice in shown] == [
        "draft", "upcoming", "partially_paid", "partially_paid", "paid",
    ]  # fmt: skip
    assert (await http.get(address)).json() == shown[4]


async def test_an_invoice_is_shown_as_of_a_time(http: httpx.AsyncClient, api: Api) -> None:
    subject = invoice_id()
    await api.service.ask(create_invoice(subject))
    await api.service.ask(record_payment(subject))
    created_at = (await http.get(f"/v1/invoices/{subject}")).json()["created_at"]
    before_it = (datetime.fromisoformat(created_at) - MOMENT).isoformat()

    then = await http.get(f"/v1/invoices/{subject}", params={"as_of": created_at})
    before = await http.get(f"/v1/invoices/{subject}", params={"as_of": before_it})

    assert (then.json()["version"], then.json()["amount_due"]) == (2, "214.25")
    assert (before.status_code, before.json()["code"]) == (404, "version_not_found")


async def test_a_version_to_come_is_not_found(http: httpx.AsyncClient, api: Api) -> None:
    address = f"/v1/invoices/{await paid_in_two(api)}"

    for part in ("?version=6", "/items?version=6", "/diff?from=1&to=6"):
        response = await http.get(address + part)
        assert (response.status_code, response.json()["code"]) == (404, "version_not_found")


async def test_who_has_a_version_is_not_told_it_again(http: httpx.AsyncClient, api: Api) -> None:
    address = f"/v1/invoices/{await paid_in_two(api)}"
    tag = (await http.get(address)).headers["etag"]

    known = await http.get(address, headers={"If-None-Match": f'"4", W/{tag}'})
    unknown = await http.get(address, headers={"If-None-Match": '"4"'})

    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
    assert unknown.status_code == 200


async def test_the_history_is_byte_for_byte_that_of_the_topic(
    http: httpx.AsyncClient, api: Api
) -> None:
    subject = await paid_in_two(api)
    await api.service.events.until(lambda _: len(api.service.events_of(subject)) == 5)
    published = [
        record.value
        for record in api.service.events.records
        if json.loads(record.value)["subject"] == subject
    ]

    whole = await http.get(f"/v1/invoices/{subject}/events")
    rest = await http.get(f"/v1/invoices/{subject}/events", params={"after": 3, "limit": 1})

    assert b'{"data":[' + b",".join(published) + b"]" in whole.content
    assert [event["version"] for event in rest.json()["data"]] == [4]
    assert (rest.json()["has_more"], rest.json()["end_cursor"]) == (True, "4")


async def test_what_changed_between_two_versions_is_told_field_by_field(
    http: httpx.AsyncClient, api: Api
) -> None:
    subject = await paid_in_two(api)

    response = await http.get(f"/v1/invoices/{subject}/diff", params={"from": 2, "to": 3})

    changes = {change["field"]: change for change in response.json()["changes"]}
    assert (changes["amount_due"]["before"], changes["amount_due"]["after"]) == (
        "214.25", "114.25",
    )  # fmt: skip
    assert changes["payments.0"]["before"] is None
    assert "total" not in changes


async def test_items_are_shown_as_they_were(http: httpx.AsyncClient, api: Api) -> None:
    subject = await paid_in_two(api)

    response = await http.get(f"/v1/invoices/{subject}/items", params={"version": 1})

    [item] = response.json()["data"]
    assert (item["invoice_id"], item["invoice_number"], item["total"]) == (
        subject, None, "214.25",
    )  # fmt: skip


async def feed(http: httpx.AsyncClient, **query: Any) -> tuple[list[dict[str, Any]], str]:
    """All of the feed from a cursor on, page by page, and the cursor at its end."""
    events: list[dict[str, Any]] = []
    while True:
        page = (await http.get("/v1/events", params=query)).json()
        events += page["data"]
        query["after"] = page["end_cursor"]
        if not page["has_more"]:
            return events, page["end_cursor"]


async def test_the_feed_tells_every_event_once_and_in_order(
    http: httpx.AsyncClient, api: Api
) -> None:
    _, begin = await feed(http)
    subjects = [await paid_in_two(api) for _ in range(3)]

    events, _ = await feed(http, after=begin, limit=4)

    for subject in subjects:
        versions = [event["version"] for event in events if event["subject"] == subject]
        assert versions == [1, 2, 3, 4, 5]
    assert len(events) == 15


async def test_the_feed_can_be_asked_for_some_types(http: httpx.AsyncClient, api: Api) -> None:
    _, begin = await feed(http)
    subject = await paid_in_two(api)

    events, _ = await feed(http, after=begin, type=["invoice.paid", "invoice.opened"])

    assert [(event["subject"], event["type"]) for event in events] == [
        (subject, "invoice.opened"), (subject, "invoice.paid"),
    ]  # fmt: skip


async def test_the_feed_can_start_now(http: httpx.AsyncClient, api: Api) -> None:
    await paid_in_two(api)
    nothing = (await http.get("/v1/events", params={"start": "now"})).json()
    subject = await paid_in_two(api)

    events, _ = await feed(http, after=nothing["end_cursor"])

    assert (nothing["data"], nothing["has_more"]) == ([], False)
    assert [(event["subject"], event["version"]) for event in events] == [
        (subject, version) for version in range(1, 6)
    ]


async def test_a_stream_from_now_on_has_a_cursor_before_its_first_event(
    http: httpx.AsyncClient, api: Api
) -> None:
    await paid_in_two(api)
    headers = {"Accept": "text/event-stream"}
    query = {"start": "now"}
    async with (
        asyncio.timeout(20),
        http.stream("GET", "/v1/events", params=query, headers=headers) as response,
    ):
        lines = response.aiter_lines()
        while not (line := await anext(lines)).startswith("id: "):
            pass
    subject = await paid_in_two(api)

    [event] = await stream(http, line.removeprefix("id: "), events=1)

    assert json.loads(event["data"])["subject"] == subject


async def test_the_feed_can_be_asked_for_invoices_or_a_customer(
    http: httpx.AsyncClient, api: Api
) -> None:
    _, begin = await feed(http)
    first, second, third = await paid_in_two(api), await paid_in_two(api), invoice_id()
    await api.service.ask(create_invoice(third, customer_id="cus_feed"))

    of_invoices, _ = await feed(http, after=begin, invoice_id=[first, third])
    of_customer, _ = await feed(http, after=begin, customer_id="cus_feed")
    everything, _ = await feed(http, after=begin)

    assert {event["subject"] for event in of_invoices} == {first, third}
    assert {event["subject"] for event in of_customer} == {third}
    assert {event["subject"] for event in everything} == {first, second, third}


async def test_the_feed_passes_no_slow_transaction_by(http: httpx.AsyncClient, api: Api) -> None:
    _, begin = await feed(http)
    slow = await asyncpg.connect(api.service.dsn)
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute(
        "INSERT INTO events (invoice_id, version, type, data, command_source, command_id,"
        " recorded_at) VALUES ('inv_slow', 1, 'invoice.paid', '{\"subject\": \"inv_slow\"}',"
        " '/', '-', now())"
    )
    await api.service.ask(create_invoice(invoice_id()))

    meanwhile, cursor = await feed(http, after=begin)
    await transaction.commit()
    await slow.close()
    afterwards, _ = await feed(http, after=cursor)

    assert meanwhile == []
    assert len(afterwards) == 3
    assert afterwards[0]["subject"] == "inv_slow"


async def test_the_feed_as_a_stream_goes_on_where_it_was_cut(
    http: httpx.AsyncClient, api: Api
) -> None:
    _, begin = await feed(http)
    subject = await paid_in_two(api)

    first = await stream(http, begin, events=2)
    waiting = asyncio.create_task(stream(http, first[-1]["id"], events=5))
    other = await paid_in_two(api)
    rest = await waiting

    told = [json.loads(event["data"]) for event in first + rest]
    assert [(event["subject"], event["version"]) for event in told] == [
        (subject, 1), (subject, 2), (subject, 3), (subject, 4), (subject, 5),
        (other, 1), (other, 2),
    ]  # fmt: skip
    assert [event["event"] for event in first] == ["invoice.created", "invoice.opened"]


async def stream(http: httpx.AsyncClient, after: str, events: int) -> list[dict[str, str]]:
    """So many events of the stream after a cursor."""
    headers = {"Accept": "text/event-stream", "Last-Event-ID": after}
    seen: list[dict[str, str]] = []
    async with asyncio.timeout(20), http.stream("GET", "/v1/events", headers=headers) as response:
        current: dict[str, str] = {}
        async for line in response.aiter_lines():
            name, _, value = line.partition(": ")
            if line:
                current[name] = value
            elif "data" in current:
                seen.append(current)
                current = {}
            if len(seen) == events:
                break
    return seen


async def test_a_seller_hears_of_its_own_invoices_only(api: Api) -> None:
    async with api.connect(api.token(seller="seller_1")) as http:
        _, begin = await feed(http)
        mine, others = invoice_id(), invoice_id()
        await api.service.ask(
            create_invoice(mine, seller_id="seller_1"),
            create_invoice(others, seller_id="seller_2"),
        )

        events, end = await feed(http, after=begin)

    assert {event["subject"] for event in events} == {mine}
    assert end != begin


async def test_health_is_told_without_a_token(api: Api) -> None:
    async with httpx.AsyncClient(base_url=api.url) as http:
        live = await http.get("/health/live")
        ready = await http.get("/health/ready")

    assert live.json() == {"ok": True, "checks": {}}
    assert ready.json() == {"ok": True, "checks": {"kafka": True, "postgres": True}}
