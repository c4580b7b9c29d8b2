"""A bug in any process: its log has the place, and nothing of what was handled or who asked."""

import json

import pytest

from tests.support.service.command_line import Run
from tests.support.service.commands import create_invoice, invoice_id
from tests.support.service.http import READY_SECONDS_MAX, started_api
from tests.support.service.service import Service
from tests.support.stack.wait import eventually

MODULE = "tests.support.service.crashing"
CANARIES = ("Serinus Canaria", "tweety@canary.example", "yellow-feathers", "secret-of-ada")


async def test_a_worker_that_fails_logs_no_command(service: Service) -> None:
    worker = await service.ready_worker(MODULE, INVOICING_RETRY_LIMIT_SECONDS="3")
    name, email, note, _ = CANARIES

    await service.send(
        [create_invoice(invoice_id(), bill_to={"name": name}, email=email, metadata={"n": note})]
    )

    assert await worker.ended(READY_SECONDS_MAX) == 1
    assert "LookupError in handle (crashing.py:" in worker.log
    assert not [canary for canary in CANARIES if canary in worker.log]
    assert "a bug: " not in worker.log


async def test_an_api_that_fails_logs_neither_headers_nor_body(service: Service) -> None:
    await service.ready_worker()
    name, email, note, header = CANARIES
    body = {
        "customer_id": "cus_42",
        "currency": "USD",
        "items": [{"description": note, "unit_price": "1.00"}],
        "email": email,
        "bill_to": {"name": name},
    }
    with started_api(service, MODULE) as api:
        await eventually(api.is_ready, seconds=READY_SECONDS_MAX)
        token = api.token()
        async with api.connect(token) as http:
            response = await http.post("/v1/invoices", json=body, headers={"X-Customer": header})
        # The server logs the error once the response has gone out.
        log = await eventually(lambda: api.log, until=lambda log: '"exception"' in log)

    assert response.status_code == 500
    assert not [canary for canary in CANARIES if canary in response.text]
    assert token[:20] not in log
    assert token[-20:] not in log
    assert_located(log, "ask")


@pytest.mark.parametrize("command", [["show", "inv_1"], ["history", "inv_1"]])
async def test_an_operators_command_that_fails_prints_no_setting(
    service: Service, invoicing: Run, command: list[str]
) -> None:
    ended = await invoicing(*command, module=MODULE)

    assert ended.returncode == 1
    assert "LookupError raised at" in ended.stderr
    assert "in open_pool" in ended.stderr
    assert service.dsn not in ended.stderr
    assert "a bug: " not in ended.stderr


def assert_located(log: str, function: str) -> None:
    """The log says where it failed, and holds no canary."""
    lines = [json.loads(line) for line in log.splitlines()]
    failures = [line for line in lines if "exception" in line]
    assert failures, log
    names = {frame["name"] for one in failures[-1]["exception"] for frame in one["frames"]}
    assert function in names
    assert not [canary for canary in CANARIES if canary in log]
