"""Every response can be quoted to support: by its request id."""

import json
import logging
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import structlog

from invoicing.api.http import request_ids
from invoicing.runtime.logs import configure_logs
from tests.support.service.application import client_of


async def get(path: str, given: str | None = None, **parts: Any) -> httpx.Response:
    async with client_of(**parts) as http:
        return await http.get(path, headers={} if given is None else {"X-Request-Id": given})


async def test_a_request_id_is_returned_as_it_was_sent() -> None:
    response = await get("/v1/nothing", "order-77/1")

    assert response.headers["x-request-id"] == "order-77/1"
    assert response.json()["request_id"] == "order-77/1"


@pytest.mark.parametrize("given", [None, "", "with space", "x" * 129])
async def test_a_request_without_a_usable_id_gets_a_new_one(given: str | None) -> None:
    first, second = await get("/health/live", given), await get("/health/live", given)

    ids = [response.headers.get_list("x-request-id") for response in (first, second)]
    assert [len(one) for one in ids] == [1, 1]
    assert ids[0] != ids[1]
    assert [given] not in ids


class Failing:
    """A database that fails in a way that nobody expects."""

    @asynccontextmanager
    async def reading(self, _client: object) -> Any:
        structlog.get_logger().warning("about_to_fail")
        raise RuntimeError
        yield


async def test_an_unhandled_exception_is_found_by_the_id_in_its_response_and_in_the_log(
    capfd: pytest.CaptureFixture[str],
) -> None:
    handlers, level = logging.root.handlers[:], logging.root.level
    configure_logs("json")
    try:
        response = await get("/v1/invoices", "req_1", database=Failing())
    finally:
        logging.root.handlers, logging.root.level = handlers, level
        structlog.reset_defaults()

    assert response.status_code == 500
    assert response.headers.get_list("x-request-id") == ["req_1"]
    assert response.json()["request_id"] == "req_1"
    [line] = [json.loads(text) for text in capfd.readouterr().err.splitlines() if "fail" in text]
    assert line["request_id"] == "req_1"


def test_outside_of_a_request_there_is_no_id() -> None:
    assert request_ids.current_request_id() is None
