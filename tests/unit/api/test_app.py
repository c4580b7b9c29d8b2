"""What the application says when something fails that is not the client's fault."""

from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest

from tests.support.service.application import client_of


def answering(error: Exception) -> httpx.AsyncClient:
    """A client of an application whose database does nothing but fail."""

    class Failing:
        @asynccontextmanager
        async def reading(self, _client: object) -> Any:
            raise error
            yield

    return client_of(database=Failing())


async def test_a_mistake_of_ours_is_told_without_its_words() -> None:
    async with answering(RuntimeError("the secret is 1234")) as http:
        response = await http.get("/v1/invoices")

    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "1234" not in response.text


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.InterfaceError("connection is closed"),
        ConnectionRefusedError(),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_outage_of_postgres_is_told_as_one_that_passes(error: Exception) -> None:
    async with answering(error) as http:
        response = await http.get("/v1/invoices")

    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert response.headers["retry-after"] == "1"
