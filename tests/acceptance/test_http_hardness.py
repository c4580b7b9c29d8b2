"""Slow, oversized and malformed requests, and shutdown with requests in flight."""

import asyncio
import json
import signal
import statistics
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from invoicing.api.http.connections import CONNECTIONS_MAX
from invoicing.api.reads.streams import STREAMS_OF_CLIENT_MAX
from tests.support.service.commands import create_invoice, invoice_id
from tests.support.service.http import Api, running_api
from tests.support.service.service import Service
from tests.support.stack.wait import eventually

# The server's own limit is 10 seconds; the rest is for a machine that has other things to do.
SLOW_SECONDS_MAX = 60
DRIP_SECONDS = 0.5


async def exchange(api: Api, *parts: bytes, drip: bytes = b"") -> tuple[int, dict[str, Any]]:
    """Send the parts, then the drip again and again; the response's status and document."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    dripping = asyncio.create_task(_drip(writer, drip))
    try:
        writer.write(b"".join(parts))
        async with asyncio.timeout(SLOW_SECONDS_MAX):
            return await response_of(reader)
    finally:
        dripping.cancel()
        writer.close()


async def _drip(writer: StreamWriter, drip: bytes) -> None:
    while drip:
        await asyncio.sleep(DRIP_SECONDS)
        writer.write(drip)


async def response_of(reader: StreamReader) -> tuple[int, dict[str, Any]]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    [length] = [line for line in lines if line.startswith("content-length:")]
    body = await reader.readexactly(int(length.partition(":")[2]))
    assert "content-type: application/problem+json" in lines
    return int(lines[0].split()[1]), json.loads(body)


def head_of(api: Api, *headers: bytes, method: bytes = b"GET") -> bytes:
    told = [method + b" /v1/invoices HTTP/1.1", b"Host: 127.0.0.1"]
    return b"\r\n".join(
        [*told, b"Authorization: Bearer " + api.token().encode(), *headers, b"", b""]
    )


SLOW: dict[str, Callable[[Api], Awaitable[tuple[int, dict[str, Any]]]]] = {
    "says nothing": exchange,
    "sends empty lines": lambda api: exchange(api, drip=b"\r\n"),
    "sends header after header": lambda api: exchange(
        api, head_of(api).removesuffix(b"\r\n"), drip=b"X-More: 1\r\n"
    ),
    "sends a body byte by byte": lambda api: exchange(
        api, head_of(api, b"Content-Length: 500", method=b"POST"), drip=b" "
    ),
    "begins a second request only": lambda api: after_a_good_one(api, b"GET /v1/in"),
}


async def after_a_good_one(api: Api, rest: bytes) -> tuple[int, dict[str, Any]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    await reader.readexactly(len(b'{"ok":true,"checks":{}}'))
    writer.write(rest)
    async with asyncio.timeout(SLOW_SECONDS_MAX):
        refused = await response_of(reader)
    writer.close()
    return refused


@pytest.fixture(scope="module")
async def answers_to_slow(api: Api) -> dict[str, tuple[int, dict[str, Any]]]:
    """All of them at once, for each takes as long as the limit."""
    answers = await asyncio.gather(*(ask(api) for ask in SLOW.values()))
    return dict(zip(SLOW, answers, strict=True))


@pytest.mark.parametrize("who", SLOW)
async def test_who_is_slow_is_not_waited_for(
    answers_to_slow: dict[str, tuple[int, dict[str, Any]]], who: str
) -> None:
    status, document = answers_to_slow[who]

    assert (status, document["code"]) == (408, "request_timeout")


NONSENSE: dict[str, tuple[int, tuple[bytes, ...], bytes]] = {
    "no HTTP": (400, (), b"\x16\x03\x01 hello\r\n\r\n"),
    "two lengths": (400, (b"Content-Length: 2", b"Content-Length: 20"), b"{}"),
    "a length and chunks": (
        400, (b"Content-Length: 2", b"Transfer-Encoding: chunked"), b"0\r\n\r\n"
    ),
    "a length below zero": (400, (b"Content-Length: -1",), b""),
    "a chunk of no size": (400, (b"Transfer-Encoding: chunked",), b"zz\r\n{}\r\n0\r\n\r\n"),
    "a bare line feed in a header": (400, (b"Idempotency-Key: a\rX-Forged: 1",), b""),
    "a zero in a header": (400, (b"Idempotency-Key: a\x00b",), b""),
    "two hundred headers": (431, tuple(b"X-%d: 1" % n for n in range(200)), b""),
    "a head without an end": (431, (b"X: " + b"x" * 100_000,), b""),
}  # fmt: skip


@pytest.mark.parametrize("what", NONSENSE)
async def test_nonsense_is_refused(api: Api, what: str) -> None:
    status, headers, rest = NONSENSE[what]
    head = b"" if what == "no HTTP" else head_of(api, *headers, method=b"POST")
    if what == "a head without an end":
        head = head.rstrip()

    told, document = await exchange(api, head, rest)

    assert told == status, document


async def test_more_connections_than_there_may_be_are_refused(api: Api) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(CONNECTIONS_MAX):
            _, writer = await asyncio.open_connection("127.0.0.1", api.port)
            stack.callback(writer.close)
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        stack.callback(writer.close)

        status, document = await response_of(reader)

    assert (status, document["code"]) == (503, "unavailable")

    async def answers_again() -> bool:
        async with httpx.AsyncClient(base_url=api.url) as http:
            return (await http.get("/health/live")).status_code == 200

    await eventually(answers_again, seconds=30)


STREAM = {"Accept": "text/event-stream"}


async def follow(stack: AsyncExitStack, http: httpx.AsyncClient) -> httpx.Response:
    """A stream that is open as long as the stack."""
    return await stack.enter_async_context(http.stream("GET", "/v1/events", headers=STREAM))


async def test_one_client_follows_the_feed_so_often_only(api: Api) -> None:
    async with AsyncExitStack() as stack:
        many = await stack.enter_async_context(api.connect(api.token("many", "seller_1")))
        other = await stack.enter_async_context(api.connect(api.token("other", "seller_1")))
        opened = [await follow(stack, many) for _ in range(STREAMS_OF_CLIENT_MAX)]

        refused = await follow(stack, many)
        of_another = await follow(stack, other)

    assert {response.status_code for response in opened} == {200}
    assert (refused.status_code, of_another.status_code) == (429, 200)
    assert int(refused.headers["retry-after"]) > 0


async def test_a_stream_that_is_left_makes_room_for_another(api: Api) -> None:
    async with api.connect(api.token("leaving", "seller_1")) as http:
        async with AsyncExitStack() as stack:
            for _ in range(STREAMS_OF_CLIENT_MAX):
                await follow(stack, http)

        async def has_room() -> bool:
            async with AsyncExitStack() as stack:
                return (await follow(stack, http)).status_code == 200

        await eventually(has_room, seconds=30)


@pytest.fixture
async def ending(service: Service) -> AsyncIterator[Api]:
    """An API process of the test's own. There is no worker, so answers are late."""
    async with running_api(service) as made:
        yield made


async def test_a_stop_is_told_to_whoever_follows_or_waits(ending: Api) -> None:
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(ending.connect())
        stream = await follow(stack, http)
        waiting = asyncio.create_task(
            http.post(
                "/v1/commands",
                content=create_invoice(invoice_id()).value,
                headers={"Prefer": "wait=30", "Content-Type": "application/json"},
            )
        )
        await eventually(lambda: "commands_waiting 1.0" in ending.metrics(), seconds=30)

        ending.process.send_signal(signal.SIGTERM)

        async for _ in stream.aiter_bytes():
            pass  # it ends by itself, and whole: else this raises
        answer = await waiting
        code = await asyncio.to_thread(ending.process.wait, 60)

    assert answer.status_code == 202
    assert code == 0


async def test_another_sellers_invoice_takes_as_long_to_refuse_as_none(api: Api) -> None:
    other = invoice_id()
    await api.service.ask(create_invoice(other, seller_id="seller_2"))
    took: dict[str, list[float]] = {other: [], invoice_id(): []}

    async with api.connect(api.token(client="prying", seller="seller_1")) as http:
        for _ in range(60):
            for subject, times in took.items():
                began = time.perf_counter()
                response = await http.get(f"/v1/invoices/{subject}")
                times.append(time.perf_counter() - began)
                assert response.status_code == 404

    theirs, none = (statistics.median(times) for times in took.values())
    assert 0.5 < theirs / none < 2


async def test_another_sellers_cursor_shows_ones_own_invoices_only(api: Api) -> None:
    theirs, own = invoice_id(), invoice_id()
    await api.service.ask(create_invoice(own, seller_id="seller_1"))
    await api.service.ask(create_invoice(theirs, seller_id="seller_2"))
    async with api.connect(api.token(seller="seller_2")) as http:
        cursor = (await http.get("/v1/invoices")).json()["start_cursor"]

    async with api.connect(api.token(seller="seller_1")) as http:
        # The same request id, which is the one thing that would differ.
        http.headers["X-Request-Id"] = "same"
        page = await http.get("/v1/invoices", params={"after": cursor})
        after_theirs = await http.get("/v1/invoices", params={"starting_after": theirs})
        after_none = await http.get("/v1/invoices", params={"starting_after": invoice_id()})

    shown = page.json()["data"]
    assert own in {invoice["invoice_id"] for invoice in shown}
    assert {invoice["seller_id"] for invoice in shown} == {"seller_1"}
    assert (after_theirs.status_code, after_theirs.content) == (400, after_none.content)


SQL = "x'; DROP TABLE invoices; --"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"customer_id": SQL}, 200),
        ({"metadata[a]": SQL}, 200),
        ({"metadata[' OR 1=1 --]": "x"}, 200),
        ({"sku_id": "' OR '1'='1"}, 200),
        ({"ids": SQL}, 400),
        ({"sort": f"total.asc, {SQL}"}, 400),
        ({"fields": "total) FROM invoices --"}, 400),
        ({"total[gt]": "0 OR 1=1"}, 400),
        ({"after": SQL}, 400),
    ],
    ids=str,
)
async def test_sql_in_a_query_is_only_a_text(api: Api, query: dict[str, str], status: int) -> None:
    subject = invoice_id()
    await api.service.ask(create_invoice(subject))

    async with api.connect() as http:
        response = await http.get("/v1/invoices", params=query)
        still_there = await http.get(f"/v1/invoices/{subject}")

    assert response.status_code == status, response.text
    assert response.json().get("data", []) == []
    assert still_there.status_code == 200


async def test_whoever_has_written_reads_at_least_that(api: Api) -> None:
    async def write_and_read(writer: int) -> list[tuple[int, int]]:
        seen = []
        async with api.connect(api.token(client=f"writer-{writer}")) as http:
            created = await http.post(
                "/v1/invoices", json={"customer_id": "cus_1", "currency": "USD", "state": "draft"}
            )
            address = f"/v1/invoices/{created.json()['invoice_id']}"
            for number in range(5):
                written = await http.patch(address, json={"memo": str(number)})
                read = await http.get(address)
                seen.append((written.json()["version"], read.json()["version"]))
        return seen

    seen = await asyncio.gather(*map(write_and_read, range(6)))

    for versions in seen:
        assert [written for written, _ in versions] == [2, 3, 4, 5, 6]
        assert all(read >= written for written, read in versions)


async def test_the_feed_is_byte_for_byte_the_topic(api: Api) -> None:
    subjects = [invoice_id() for _ in range(5)]
    async with api.connect() as http:
        begin = (await http.get("/v1/events", params={"limit": 1000})).json()["end_cursor"]
        await api.service.ask(*map(create_invoice, subjects))
        page = await eventually(
            lambda: http.get("/v1/events", params={"after": begin}),
            until=lambda response: len(response.json()["data"]) == 10,
            seconds=30,
        )
    await api.service.events.until(
        lambda _: all(len(api.service.events_of(subject)) == 2 for subject in subjects)
    )

    records = [record.value for record in api.service.events.records]
    published = {(event["subject"], event["version"]): value for event, value in parsed(records)}
    in_order = [(event["subject"], event["version"]) for event in page.json()["data"]]
    assert {subject for subject, _ in in_order} == set(subjects)
    assert page.content.startswith(
        b'{"data":[' + b",".join(published[key] for key in in_order) + b"],"
    )


def parsed(records: list[bytes]) -> list[tuple[dict[str, Any], bytes]]:
    return [(json.loads(value), value) for value in records]
