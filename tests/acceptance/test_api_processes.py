"""`invoicing api --workers N`: several processes behind one port."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psutil
import pytest

from tests.acceptance.test_metrics import samples
from tests.support.service.commands import create_invoice, invoice_id
from tests.support.service.http import Api, running_api, started_api
from tests.support.service.service import Service
from tests.support.stack.wait import eventually

WORKERS = 2
# Processes start and stop beside whatever else the machine does.
SECONDS = 60


@pytest.fixture
async def api(service: Service) -> AsyncIterator[Api]:
    """An API of several processes, of the test's own."""
    async with running_api(service, workers=WORKERS) as made:
        yield made


def processes_of(api: Api) -> list[psutil.Process]:
    return [child for child in psutil.Process(api.process.pid).children() if child.is_running()]


def events_of(api: Api) -> list[str]:
    return [json.loads(line)["event"] for line in api.log.splitlines() if line.startswith("{")]


async def requests_by_process(api: Api) -> dict[str, float]:
    """How many requests each process has answered, after one more on a connection of its own."""
    async with api.connect() as http:
        (await http.get("/v1/invoices")).raise_for_status()
    counts = samples(api.metrics(), "invoicing_http_request_seconds_count")
    return {
        number: sum(n for labels, n in counts.items() if f'process="{number}"' in labels)
        for number in ("1", "2")
    }


async def test_all_processes_answer_at_one_port_and_are_measured_apart(api: Api) -> None:
    answered = await eventually(
        lambda: requests_by_process(api),
        until=lambda counts: min(counts.values()) > 0,
        seconds=SECONDS,
    )

    assert len(processes_of(api)) == WORKERS
    assert set(answered) == {"1", "2"}
    # A family has its help and its type once, however many processes have it.
    assert api.metrics().count("# TYPE invoicing_http_request_seconds histogram") == 1


async def test_readiness_is_that_of_all_processes(api: Api) -> None:
    """The port is served as soon as one of them is ready."""

    async def report() -> tuple[int, Any]:
        async with httpx.AsyncClient(timeout=10) as http:
            page = await http.get(f"http://127.0.0.1:{api.metrics_port}/health/ready")
        return page.status_code, page.json()

    everything = {"process_1": True, "process_2": True}
    await eventually(
        report,
        until=lambda seen: seen == (200, {"ok": True, "checks": everything}),
        seconds=SECONDS,
    )


async def test_a_killed_process_is_replaced_while_the_others_answer(api: Api) -> None:
    killed, left = processes_of(api)

    killed.kill()

    async def answers() -> bool:
        async with api.connect() as http:
            (await http.get("/v1/invoices")).raise_for_status()
        now = [process.pid for process in processes_of(api) if process.status() != "zombie"]
        return len(now) == WORKERS and left.pid in now and killed.pid not in now

    await eventually(answers, seconds=SECONDS)
    await eventually(api.is_ready, seconds=SECONDS)
    assert "api_process_replaced" in events_of(api)


async def test_a_stop_lets_all_processes_answer_what_they_were_asked(api: Api) -> None:
    """There is no worker, so the reply is late."""
    processes = processes_of(api)
    async with api.connect() as http:
        waiting = asyncio.create_task(
            http.post(
                "/v1/commands",
                content=create_invoice(invoice_id()).value,
                headers={"Prefer": "wait=30", "Content-Type": "application/json"},
            )
        )
        await eventually(
            lambda: sum(samples(api.metrics(), "invoicing_http_commands_waiting").values()) == 1,
            seconds=SECONDS,
        )

        api.process.send_signal(signal.SIGTERM)
        answer = await waiting
        code = await asyncio.to_thread(api.process.wait, SECONDS)

    assert answer.status_code == 202
    assert code == 0
    assert not any(process.is_running() for process in processes)


async def test_if_one_process_gives_up_all_end_and_the_log_says_so(service: Service) -> None:
    with started_api(service, workers=WORKERS, INVOICING_TOKEN_SIGNING_KEY="no key") as api:
        code = await asyncio.to_thread(api.process.wait, SECONDS)

    assert code == 1
    lines = [json.loads(line) for line in api.log.splitlines()]
    messages = [line["message"] for line in lines if line["event"] == "api_gave_up"]
    assert any("TOKEN_SIGNING_KEY" in message for message in messages)
    assert any("API process" in message and "exit code 1" in message for message in messages)


async def test_no_process_outlives_its_supervisor(api: Api) -> None:
    processes = processes_of(api)

    api.process.kill()

    await eventually(
        lambda: not any(process.is_running() for process in processes), seconds=SECONDS
    )


async def test_a_port_that_is_taken_is_one_sentence(service: Service, api: Api) -> None:
    port = {"INVOICING_HTTP_PORT": str(api.port)}
    with started_api(service, workers=WORKERS, **port) as second:
        code = await asyncio.to_thread(second.process.wait, SECONDS)

    assert code == 1
    assert f"Port {api.port} of 127.0.0.1 is not available" in second.log
