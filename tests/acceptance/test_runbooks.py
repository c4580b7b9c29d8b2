"""The runbooks are true: what they tell an operator to type, to watch and to look for is there."""

import json
import re
import shlex
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import typer
from prometheus_client import REGISTRY

import invoicing.api.http.metrics
import invoicing.worker.app  # noqa: F401
from invoicing.ops.main import app
from invoicing.runtime.settings import Settings
from tests.support.service.command_line import Run, command_line, json_lines
from tests.support.service.commands import Sent, create_invoice, invoice_id, record_payment
from tests.support.service.promises import (
    assert_events_are_the_stored_ones,
    assert_versions_without_gap_or_repeat,
)
from tests.support.service.service import Service, Worker, running_service
from tests.support.stack.backups import backup_of, fail_over
from tests.support.stack.kafka import Kafka
from tests.support.stack.ports import free_port
from tests.support.stack.topics import delete_group, fresh_topics

ROOT = Path(__file__).parents[2]
RUNBOOKS = sorted((ROOT / "docs/runbooks").glob("*.md"))
CODE = "".join(path.read_text() for path in sorted((ROOT / "services").rglob("*.py")))
ALERTS = (ROOT / "deploy/helm/invoicing/rules/invoicing.yaml").read_text()

COMMAND = re.compile(r"^ *(invoicing [^#|>\n]*)|`(invoicing [^`]+)`", re.MULTILINE)
ALERT = re.compile(r"\bInvoicing[A-Z][A-Za-z]+")
SETTING = re.compile(r"\bINVOICING_([A-Z_]+)")
METRIC = re.compile(r"\binvoicing_[a-z_]+")
# Log events, findings, codes: names in code quotes that have an underscore in them.
NAME = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")
QUERY = re.compile(r'^psql -c "([^"]+)"$', re.MULTILINE)
LINK = re.compile(r"\]\(([^)]+\.md)\)")
# Schemas and roles in Postgres begin as our metrics do.
IN_POSTGRES = {"invoicing_rebuild", "invoicing_reader"}
OF_POSTGRES = {
    "max_connections",
    "pg_stat_activity",
    "pg_wal",
    "synchronous_commit",
    "synchronous_standby_names",
    "xact_start",
}

FAULTY = "tests.support.service.faulty_worker"

every_page = pytest.mark.parametrize("page", RUNBOOKS, ids=lambda path: path.stem)


def commands(page: Path) -> Iterator[list[str]]:
    for in_block, in_sentence in COMMAND.findall(page.read_text()):
        yield shlex.split(in_block or in_sentence)[1:]


def parse(words: list[str]) -> None:
    """As the command line does it; nothing is run. Raises where it could not be."""
    command: Any = typer.main.get_command(app)
    context = command.make_context(command.name, [], resilient_parsing=True)
    context.resilient_parsing = False
    while hasattr(command, "commands") and words:
        _, command, words = command.resolve_command(context, words)
    # A sentence may name a command without its arguments.
    command.make_context(command.name, words, resilient_parsing=not words)


@every_page
def test_every_command_in_it_can_be_typed(page: Path) -> None:
    for words in commands(page):
        parse(words)


def test_a_command_that_cannot_be_typed_is_found() -> None:
    with pytest.raises(Exception, match="everything"):
        parse(["recover", "everything"])
    with pytest.raises(Exception, match="--faster"):
        parse(["verify", "--faster"])


@every_page
def test_every_alert_metric_and_setting_in_it_exists(page: Path) -> None:
    text = page.read_text()
    metrics = {
        name for family in REGISTRY.collect() for name in (family.name, f"{family.name}_total")
    }

    assert {name for name in ALERT.findall(text) if f"alert: {name}\n" not in ALERTS} == set()
    assert set(METRIC.findall(text)) - IN_POSTGRES - metrics == set()
    settings = {name.upper() for name in Settings.model_fields}
    assert set(SETTING.findall(text)) - settings - {"TOKEN_"} == set()


@every_page
def test_every_log_event_finding_and_code_in_it_is_in_the_code(page: Path) -> None:
    names = set(NAME.findall(page.read_text())) - OF_POSTGRES - IN_POSTGRES

    assert {name for name in names if not re.search(rf"\b{name}\b", CODE)} == set()


@every_page
def test_every_page_that_it_links_to_exists(page: Path) -> None:
    assert [
        link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()
    ] == []


async def test_every_query_in_them_can_be_run(database: str) -> None:
    queries = [query for page in RUNBOOKS for query in QUERY.findall(page.read_text())]
    connection = await asyncpg.connect(database)
    try:
        for query in queries:
            await connection.fetch(query)
    finally:
        await connection.close()
    assert len(queries) == sum(page.read_text().count("psql") for page in RUNBOOKS)


async def handle(service: Service, *commands: Sent) -> None:
    """A worker that handles these, and goes."""
    worker = await service.ready_worker()
    await service.ask(*commands)
    worker.signal(signal.SIGTERM)
    assert await worker.ended(seconds=30) == 0


async def last_words(service: Service, patience_seconds: int = 600) -> str:
    """Why a worker does not begin."""
    limit = str(patience_seconds)
    return await last_words_of(service.start_worker(INVOICING_RETRY_LIMIT_SECONDS=limit))


async def last_words_of(worker: Worker) -> str:
    """Why it does not go on."""
    assert await worker.ended(seconds=90) == 1
    line = json.loads(worker.log.splitlines()[-1])
    assert line["event"] == "worker_gave_up"
    return str(line["message"])


async def killed(invoicing: Run, *arguments: str, step: str) -> bool:
    """Whether the command was killed at that step."""
    run = await invoicing(*arguments, module=FAULTY, FAULT=f"{step}:0:SIGKILL")
    return run.returncode == -signal.SIGKILL


@pytest.mark.real_kafka
async def test_postgres_restored_to_a_point_before_kafkas(service: Service, invoicing: Run) -> None:
    kept, lost = invoice_id(), invoice_id()
    await handle(service, create_invoice(kept))
    async with backup_of(service.dsn) as backup:
        await handle(service, create_invoice(lost), record_payment(kept))
        service.dsn = backup

        assert "`invoicing recover postgres`" in await last_words(service)
        assert await killed(invoicing, "recover", "postgres", step="restored")
        (recovered,) = json_lines(await invoicing("recover", "postgres", "--json"))
        await handle(service, record_payment(lost))

        assert recovered == {"events": 4, "answers": 2, "invoices": 2}
        await service.verify()
        assert [event["version"] for event in service.events_of(lost)] == [1, 2, 3, 4]


@pytest.mark.real_kafka
async def test_a_standby_that_lacks_the_last_transactions_takes_over_from_postgres(
    service: Service, invoicing: Run
) -> None:
    lost = invoice_id()
    await handle(service, create_invoice(invoice_id()))
    async with backup_of(service.dsn) as standby:
        worker = await service.ready_worker()
        await service.ask(create_invoice(lost))
        await fail_over(service.dsn, standby)
        await service.send([record_payment(lost)])

        assert "has forgotten" in await last_words_of(worker)
        assert "knows only of what stands below" in await last_words(service)
        json_lines(await invoicing("recover", "postgres", "--json"))
        await service.verify()


@pytest.mark.real_kafka
async def test_kafka_behind_postgres(service: Service, invoicing: Run) -> None:
    first, second = invoice_id(), invoice_id()
    await handle(service, create_invoice(first))
    await delete_group(service.bootstrap, service.topics.group)

    assert "`invoicing recover kafka`" in await last_words(service, patience_seconds=1)
    (recovered,) = json_lines(await invoicing("recover", "kafka", "--json"))
    await handle(service, record_payment(first), create_invoice(second))

    assert (recovered["events"], recovered["answers"]) == (0, 0)
    await service.verify()
    assert [event["version"] for event in service.events_of(first)] == [1, 2, 3, 4]


@pytest.fixture
async def made_anew(service: Service, kafka: Kafka, tmp_path: Path) -> AsyncIterator[Service]:
    """A service whose topics of events and answers are new and empty, and whose history is not."""
    invoices = [invoice_id() for _ in range(20)]
    await handle(service, *map(create_invoice, invoices), *map(record_payment, invoices))
    async with fresh_topics(kafka, service.topics.partitions) as anew:
        topics = replace(service.topics, events=anew.events, replies=anew.replies)
        async with running_service(service.bootstrap, service.dsn, topics, tmp_path) as made:
            yield made


@pytest.mark.real_kafka
async def test_a_recovery_of_kafka_that_is_killed_again_and_again_publishes_everything_once(
    made_anew: Service,
) -> None:
    invoicing = command_line(made_anew)

    # The first one leaves a transaction open.
    for step in ("sending", "recovered_some", "recovered_events", "recovered_answers"):
        assert await killed(invoicing, "recover", "kafka", step=step), step
    json_lines(await invoicing("recover", "kafka", "--json"))

    await made_anew.verify()
    await assert_events_are_the_stored_ones(made_anew)
    assert_versions_without_gap_or_repeat(made_anew)


@pytest.mark.real_kafka
async def test_a_worker_starts_while_one_of_the_brokers_that_it_is_told_of_is_away(
    service: Service,
) -> None:
    service.start_worker(
        INVOICING_KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{free_port()},{service.bootstrap}"
    )

    await service.ask(create_invoice(invoice_id()))
