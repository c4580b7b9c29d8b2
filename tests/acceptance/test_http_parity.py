"""docs/parity.md, row by row, over HTTP: `tests/parity` has the calls and what they must show."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.parity import TABLE
from tests.parity.case import ALL_SCOPES, Case, told
from tests.parity.lives import LIVES, lived, shelved
from tests.support.service.commands import Sent, invoice_id
from tests.support.service.http import Api

CASES = [
    pytest.param(case, id=f"{section}: {case.row}")
    for section, cases in TABLE.items()
    for case in cases
]


SELLERS = """
[sellers.default]
name = "Acme Cloud Inc."
"""


@pytest.fixture(scope="module")
def worker_settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A seller with a name, which invoices show."""
    path = tmp_path_factory.mktemp("sellers") / "sellers.toml"
    path.write_text(SELLERS)
    return {"INVOICING_SELLERS_FILE": str(path)}


@pytest.fixture(scope="module")
async def shelf(api: Api) -> Api:
    """The service with an invoice of each life."""
    await give(api, *(command for life in LIVES for command in shelved(life)))
    return api


@pytest.fixture(scope="module")
async def http(shelf: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with shelf.connect() as client:
        yield client


async def give(api: Api, *commands: Sent) -> None:
    answers = await api.service.ask(*commands)
    refused = [answer for answer in answers if "code" in answer]
    assert refused == []


async def subject_of(case: Case, api: Api) -> str:
    """The invoice that the case is about: one of its own where it is going to change."""
    if case.method == "GET" or not case.life:
        return f"inv_{case.life}"
    subject = invoice_id()
    await give(api, *lived(case.life, subject))
    return subject


def bearer(api: Api, scopes: frozenset[str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {api.token(scopes=scopes)}"}


async def ask(case: Case, api: Api, http: httpx.AsyncClient) -> httpx.Response:
    fields: dict[str, Any] = {"invoice_id": await subject_of(case, api)}
    if case.first:
        fields |= (await http.get(case.first)).json()
    method, _, address = case.call.partition(" ")
    token = {} if case.scopes == ALL_SCOPES else bearer(api, case.scopes)
    headers = {**token, **case.headers}
    return await http.request(method, address.format(**fields), json=case.body, headers=headers)


@pytest.mark.parametrize("case", CASES)
async def test_a_row_is_shown_through_http(case: Case, shelf: Api, http: httpx.AsyncClient) -> None:
    response = await ask(case, shelf, http)

    assert response.status_code == case.status, response.text
    answer = response.json() if response.content else {}
    assert {path: told(answer, path) for path in case.shows} == case.shows
