"""Metrics: lag, durations, retries, counts."""

import re

import pytest

from invoicing.contracts.dead_letters import DeadLetterReason
from tests.support.service.commands import create_invoice, invoice_id, void_invoice
from tests.support.service.http import running_api
from tests.support.service.service import Service, Worker
from tests.support.stack.wait import eventually

SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")


def samples(page: str, name: str) -> dict[str, float]:
    """A metric's values by their labels, as they are written."""
    found = (SAMPLE.fullmatch(line) for line in page.splitlines())
    return {match[2] or "": float(match[3]) for match in found if match and match[1] == name}


def told(worker: Worker, name: str) -> dict[str, float]:
    return samples(worker.get("/metrics")[1], name)


async def test_counts_and_times_tell_what_happened(service: Service) -> None:
    worker = await service.ready_worker()
    subject = invoice_id()

    await service.ask(create_invoice(subject), void_invoice(subject), void_invoice(subject))

    answers = await eventually(
        lambda: told(worker, "invoicing_answers_total"),
        until=lambda answers: sum(answers.values()) >= 3,
    )
    assert answers == {'outcome="accepted"': 2, 'outcome="illegal_transition"': 1}
    assert told(worker, "invoicing_events_total")['type="invoice.voided"'] == 1
    assert told(worker, "invoicing_records_total") == {"": 3}
    assert set(told(worker, "invoicing_dependency_up").values()) == {1}
    batches = told(worker, "invoicing_batch_records_count")[""]
    stages = ("append", "decide", "decode", "load", "publish")
    expected = {f'stage="{stage}"': batches for stage in stages}
    assert told(worker, "invoicing_stage_seconds_count") == expected
    assert told(worker, "invoicing_batch_records_sum") == {"": 3}


async def test_an_idle_worker_owns_all_lanes_and_lags_in_none(service: Service) -> None:
    worker = await service.ready_worker()
    await service.ask(create_invoice(invoice_id()))
    partitions = service.topics.partitions

    def at_rest() -> bool:
        page = worker.get("/metrics")[1]
        lags = [
            samples(page, f"invoicing_{name}")
            for name in ("lag_records", "lag_seconds", "stalled_seconds")
        ]
        return all(len(lag) == partitions and set(lag.values()) == {0} for lag in lags)

    await eventually(at_rest)
    assert told(worker, "invoicing_lanes_owned") == {"": partitions}
    assert told(worker, "invoicing_lanes_open") == {"": partitions}
    assert told(worker, "invoicing_oldest_unanswered_command_seconds") == {"": 0}
    # One that began at one would not have grown, and woken nobody.
    reasons = {f'reason="{reason}"' for reason in DeadLetterReason}
    assert told(worker, "invoicing_dead_letters_total") == dict.fromkeys(reasons, 0)


@pytest.mark.real_kafka
async def test_lag_grows_in_records_and_in_seconds_while_a_table_is_locked(
    service: Service,
) -> None:
    worker = await service.ready_worker(INVOICING_BATCH_RECORDS_MAX="1")
    subject = invoice_id()
    await service.ask(create_invoice(subject))
    follow_up = [void_invoice(subject) for _ in range(20)]

    async with service.locked("invoices"):
        await service.send(follow_up)
        lags = await eventually(
            lambda: told(worker, "invoicing_lag_records"),
            until=lambda lags: max(lags.values(), default=0) == len(follow_up),
            seconds=30,
        )
        (behind,) = [labels for labels, lag in lags.items() if lag]
        await eventually(lambda: told(worker, "invoicing_lag_seconds")[behind] > 2, seconds=30)
        await eventually(lambda: told(worker, "invoicing_stalled_seconds")[behind] > 2, seconds=30)
        oldest = told(worker, "invoicing_oldest_unanswered_command_seconds")
        assert oldest[""] > 2

    await service.answered(follow_up)
    await eventually(lambda: set(told(worker, "invoicing_lag_records").values()) == {0})


async def test_an_api_tells_its_requests_streams_and_connections(service: Service) -> None:
    await service.ready_worker()
    async with running_api(service) as api, api.connect() as client:
        assert (await client.get("/v1/invoices/inv_none")).status_code == 404
        async with client.stream("GET", "/v1/events", headers={"accept": "text/event-stream"}):
            during = await eventually(
                api.metrics,
                until=lambda page: samples(page, "invoicing_http_event_streams")[""],
            )
        after = await eventually(
            api.metrics,
            until=lambda page: not samples(page, "invoicing_http_event_streams")[""],
        )

    requests = samples(after, "invoicing_http_request_seconds_count")
    assert requests['method="GET",route="/v1/invoices/{invoice_id}",status="404"'] == 1
    reader = 'role="invoicing_reader"'
    assert samples(during, "invoicing_postgres_pool_connections")[reader] >= 1
    assert samples(during, "invoicing_postgres_pool_waiting_requests")[reader] == 0
