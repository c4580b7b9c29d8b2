"""The command line as an operator uses it: each command its own process, beside a real worker."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from invoicing.tools.scratch.databases import Databases
from tests.conftest import PARTITIONS
from tests.support.service.commands import (
    Sent,
    create_invoice,
    invoice_id,
    record_payment,
    void_invoice,
)
from tests.support.service.service import running_service
from tests.support.stack.kafka import Kafka
from tests.support.stack.postgres import Postgres
from tests.support.stack.topics import Topics, fresh_topics

SECONDS_MAX = 60
NOWHERE = "localhost:1"


@dataclass(frozen=True)
class CommandLine:
    """The command `invoicing`, with these settings."""

    settings: dict[str, str]

    def run(
        self, *arguments: str, stdin: bytes = b"", **settings: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "invoicing.ops.main", *arguments],
            env=self._environment(settings),
            input=stdin.decode(),
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [sys.executable, "-m", "invoicing.ops.main", *arguments],
            env=self._environment({}),
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=_hear_ctrl_c,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def send(self, *commands: Sent) -> list[dict[str, Any]]:
        """Their replies' data, in the order of the commands."""
        sent = self.run("send", "-", "--json", stdin=lines(*commands))
        assert sent.returncode == 0, sent.stderr
        return [json.loads(line) for line in sent.stdout.splitlines()]

    def _environment(self, settings: dict[str, str]) -> dict[str, str]:
        return {**os.environ, **self.settings, **settings}


def _hear_ctrl_c() -> None:
    # A shell lets its background jobs ignore it, and so all that they start.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def lines(*commands: Sent) -> bytes:
    return b"".join(command.value + b"\n" for command in commands)


def settings_of(kafka: Kafka, topics: Topics, dsn: str) -> dict[str, str]:
    return {
        "INVOICING_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
        "INVOICING_POSTGRES_DSN": dsn,
        "INVOICING_TOPIC_COMMANDS": topics.commands,
        "INVOICING_TOPIC_EVENTS": topics.events,
        "INVOICING_TOPIC_REPLIES": topics.replies,
        "INVOICING_TOPIC_DEAD_LETTER": topics.dead_letter,
    }


@pytest.fixture(scope="module")
async def invoicing(
    kafka: Kafka, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[CommandLine]:
    """The command line beside a worker that is ready; every test has invoices of its own."""
    directory = tmp_path_factory.mktemp("command-line")
    async with (
        fresh_topics(kafka, PARTITIONS) as topics,
        databases.fresh() as dsn,
        running_service(
            kafka.bootstrap, dsn, topics, directory, transactions=kafka.real
        ) as service,
    ):
        await service.ready_worker()
        yield CommandLine(settings_of(kafka, topics, dsn))


@pytest.fixture(scope="module")
def paid_invoice(invoicing: CommandLine) -> str:
    """An invoice that was created, opened, paid in part, paid, and is at version 5."""
    id_ = invoice_id()
    invoicing.send(
        create_invoice(id_),
        record_payment(id_, amount="100.00"),
        record_payment(id_, amount="114.25"),
    )
    return id_


@pytest.fixture
def deserted(kafka: Kafka, topics: Topics, database: str) -> CommandLine:
    """The command line without any worker."""
    return CommandLine(settings_of(kafka, topics, database))


@pytest.fixture
async def empty_database(postgres: Postgres) -> AsyncIterator[str]:
    """The DSN of a database that nobody has migrated."""
    name = f"empty_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(postgres.dsn)
    await connection.execute(f"CREATE DATABASE {name}")
    yield urlunsplit(urlsplit(postgres.dsn)._replace(path=f"/{name}"))
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


def test_migrate_makes_an_empty_database_usable(empty_database: str) -> None:
    invoicing = CommandLine({"INVOICING_POSTGRES_DSN": empty_database})
    before = invoicing.run("show", "inv_1")

    migrated = invoicing.run("migrate", "--json")

    assert "`invoicing migrate`" in before.stderr
    assert json.loads(migrated.stdout)["before"] is None
    assert invoicing.run("show", "inv_1").stderr == "There is no invoice inv_1.\n"


def test_migrate_leaves_a_database_that_is_up_to_date(deserted: CommandLine) -> None:
    migrated = deserted.run("migrate")

    assert migrated.returncode == 0
    assert migrated.stdout.startswith("The database is up to date")


@pytest.mark.real_kafka
def test_topics_creates_what_is_missing_and_nothing_twice(kafka: Kafka) -> None:
    prefix = uuid.uuid4().hex
    names = [f"{prefix}.{name}" for name in ("commands", "events", "replies", "dead-letter")]
    invoicing = CommandLine(
        {
            "INVOICING_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "INVOICING_POSTGRES_DSN": "postgresql://nowhere",
            "INVOICING_TOPIC_PARTITIONS": "3",
            "INVOICING_TOPIC_COMMANDS": names[0],
            "INVOICING_TOPIC_EVENTS": names[1],
            "INVOICING_TOPIC_REPLIES": names[2],
            "INVOICING_TOPIC_DEAD_LETTER": names[3],
        }
    )

    first, second = (json.loads(invoicing.run("topics", "--json").stdout) for _ in range(2))

    assert first == [{"topic": name, "partitions": 3, "created": True} for name in names]
    assert second == [{"topic": name, "partitions": 3, "created": False} for name in names]


@pytest.mark.real_kafka
def test_topics_refuses_events_with_fewer_partitions_than_commands(
    kafka: Kafka, topics: Topics
) -> None:
    invoicing = CommandLine(settings_of(kafka, topics, "postgresql://nowhere"))

    checked = invoicing.run(
        "topics",
        INVOICING_TOPIC_EVENTS=f"{topics.events}.other",
        INVOICING_TOPIC_PARTITIONS=str(PARTITIONS - 1),
    )

    assert checked.returncode == 1
    assert "needs at least as many" in checked.stderr


def test_send_counts_outcomes_and_fails_where_a_command_is_rejected(
    invoicing: CommandLine, tmp_path: Path
) -> None:
    id_ = invoice_id()
    path = tmp_path / "commands.jsonl"
    path.write_bytes(lines(create_invoice(id_), void_invoice(id_), void_invoice(id_)))

    sent = invoicing.run("send", str(path))

    assert sent.returncode == 1
    counts = [line.split()[:2] for line in sent.stdout.splitlines()]
    assert ["accepted", "2"] in counts
    assert ["illegal_transition", "1"] in counts


def test_send_prints_every_commands_outcome_in_the_order_of_the_file(
    invoicing: CommandLine,
) -> None:
    first, second = invoice_id(), invoice_id()
    lives = [(create_invoice(id_), void_invoice(id_), void_invoice(id_)) for id_ in (first, second)]
    commands = [command for pair in zip(*lives, strict=True) for command in pair]

    sent = invoicing.run("send", "-", "--json", stdin=lines(*commands))

    printed = [json.loads(line) for line in sent.stdout.splitlines()]
    assert [line["command_id"] for line in printed] == [command.id for command in commands]
    assert [line["number"] for line in printed] == [1, 2, 3, 4, 5, 6]
    assert [line["outcome"] for line in printed] == ["accepted"] * 4 + ["rejected"] * 2
    assert sent.returncode == 1


def test_send_takes_a_pretty_printed_document(invoicing: CommandLine) -> None:
    id_ = invoice_id()
    pretty = json.dumps(json.loads(create_invoice(id_).value), indent=2)

    sent = invoicing.run("send", "-", "--json", stdin=pretty.encode())

    (reply,) = map(json.loads, sent.stdout.splitlines())
    assert (sent.returncode, reply["outcome"], reply["invoice_id"]) == (0, "accepted", id_)


def test_send_fills_in_what_a_line_leaves_out(invoicing: CommandLine) -> None:
    line = {"type": "VoidInvoice", "subject": invoice_id()}

    sent = invoicing.run("send", "-", "--json", stdin=json.dumps(line).encode())

    answer = json.loads(sent.stdout)
    assert answer["command_source"] == "/invoicing/cli"
    assert (answer["outcome"], answer["code"]) == ("rejected", "invoice_not_found")


def test_send_expects_an_answer_for_each_of_two_lines_with_one_id(invoicing: CommandLine) -> None:
    command = create_invoice(invoice_id())

    answers = invoicing.send(command, command)

    assert len(answers) == 2
    assert answers[0] | {"number": 2} == answers[1]


def test_send_sends_nothing_where_a_line_is_bad(invoicing: CommandLine) -> None:
    id_ = invoice_id()

    sent = invoicing.run("send", "-", stdin=lines(create_invoice(id_)) + b'{"type": "Open')

    assert sent.returncode == 1
    assert sent.stderr.startswith("Line 2: The record is not JSON")
    assert invoicing.run("show", id_).returncode == 1


def test_send_names_what_was_not_answered(deserted: CommandLine) -> None:
    command = create_invoice(invoice_id())

    sent = deserted.run("send", "-", "--wait", "0.5", stdin=lines(command))

    assert sent.returncode == 1
    assert sent.stderr.splitlines()[-1] == command.id


def test_send_prints_a_line_for_a_command_that_was_not_answered(deserted: CommandLine) -> None:
    command = create_invoice(invoice_id())

    sent = deserted.run("send", "-", "--wait", "0.5", "--json", stdin=lines(command))

    (line,) = map(json.loads, sent.stdout.splitlines())
    assert (line["outcome"], line["command_id"]) == ("unanswered", command.id)


async def test_watch_shows_events_from_now_on(invoicing: CommandLine) -> None:
    earlier, later = invoice_id(), invoice_id()
    await asyncio.to_thread(invoicing.send, create_invoice(earlier))

    with invoicing.running("watch", "--json", "--count", "1") as watch:
        # Nobody outside can tell from when on it watches, so it is given something again and again.
        await asyncio.to_thread(invoicing.send, create_invoice(later))
        while watch.poll() is None:
            await asyncio.to_thread(invoicing.send, record_payment(later, amount="0.01"))
        (event,) = map(json.loads, watch.stdout or ())

    assert watch.returncode == 0
    assert event["subject"] == later


def test_watch_shows_what_the_topic_holds(invoicing: CommandLine, paid_invoice: str) -> None:
    with invoicing.running("watch", "--from-beginning") as watch:
        assert watch.stdout is not None
        line = next(line for line in watch.stdout if paid_invoice in line)

    assert line.split()[2:5] == [paid_invoice, "1", "created"]
    assert line.endswith("draft, USD 214.25\n")


def test_watch_shows_only_the_invoices_and_types_that_are_asked_for(
    invoicing: CommandLine, paid_invoice: str
) -> None:
    other = invoice_id()
    invoicing.send(create_invoice(other))

    watched = invoicing.run(
        *("watch", "--from-beginning", "--json", "--count", "3"),
        *("--invoice", paid_invoice, "--type", "created", "--type", "invoice.payment_recorded"),
    )

    events = [json.loads(line) for line in watched.stdout.splitlines()]
    assert [(event["subject"], event["version"]) for event in events] == [
        (paid_invoice, 1),
        (paid_invoice, 3),
        (paid_invoice, 4),
    ]


def test_watch_names_the_types_where_one_is_unknown() -> None:
    invoicing = CommandLine({"INVOICING_KAFKA_BOOTSTRAP_SERVERS": NOWHERE})

    refused = invoicing.run("watch", "--type", "payed", COLUMNS="400")

    assert refused.returncode == 2
    assert "unknown type payed" in refused.stderr
    assert "payment_recorded" in refused.stderr


def test_watch_ends_well_by_ctrl_c(invoicing: CommandLine, paid_invoice: str) -> None:
    with invoicing.running("watch", "--from-beginning") as watch:
        assert watch.stdout is not None
        assert next(line for line in watch.stdout if paid_invoice in line)
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=10)

    assert watch.returncode == 0


def test_show_prints_parties_items_and_balance(invoicing: CommandLine, paid_invoice: str) -> None:
    page = invoicing.run("show", paid_invoice, "--version", "3").stdout

    expected = ("cus_42", "Pro plan", "14.25 (7.125%)", "Tax 7.125% on 200.00", "Due USD  114.25")
    assert [words for words in expected if words not in page] == []
    assert all(len(line) <= 80 for line in page.splitlines())


@pytest.mark.parametrize(
    ("options", "version", "state", "amount_due"),
    [
        ((), 5, "paid", "0.00"),
        (("--version", "3"), 3, "open", "114.25"),
        (("--version", "1"), 1, "draft", "0.00"),
    ],
)
def test_show_prints_the_invoice_now_and_after_any_event(
    invoicing: CommandLine,
    paid_invoice: str,
    options: tuple[str, ...],
    version: int,
    state: str,
    amount_due: str,
) -> None:
    invoice = json.loads(invoicing.run("show", paid_invoice, "--json", *options).stdout)

    assert (invoice["version"], invoice["state"]) == (version, state)
    assert invoice["amount_due"] == amount_due


def test_show_prints_the_invoice_at_a_time(invoicing: CommandLine) -> None:
    id_ = invoice_id()
    invoicing.send(create_invoice(id_))
    opened = json.loads(invoicing.run("history", id_, "--json").stdout.splitlines()[1])
    invoicing.send(void_invoice(id_))

    then = invoicing.run("show", id_, "--as-of", opened["time"], "--json")

    assert json.loads(then.stdout)["state"] == "open"


@pytest.mark.parametrize(
    ("options", "when"),
    [
        (("--as-of", "2020-01-01"), "as of 2020-01-01 00:00:00"),
        (("--version", "9"), "with version 9"),
    ],
)
def test_show_finds_nothing_before_the_first_event_or_after_the_last(
    invoicing: CommandLine, paid_invoice: str, options: tuple[str, ...], when: str
) -> None:
    shown = invoicing.run("show", paid_invoice, *options)

    assert shown.returncode == 1
    assert shown.stderr == f"There is no invoice {paid_invoice} {when}.\n"


def test_history_lists_what_changed(invoicing: CommandLine, paid_invoice: str) -> None:
    table = invoicing.run("history", paid_invoice).stdout

    expected = ("created", "opened", "payment_recorded", "amount: 100.00", "state: open -> paid")
    assert [words for words in expected if words not in table] == []
    assert all(len(line) <= 80 for line in table.splitlines())


def test_history_gives_the_events_as_they_are_stored(
    invoicing: CommandLine, paid_invoice: str
) -> None:
    listed = invoicing.run("history", paid_invoice, "--json").stdout.splitlines()

    events = [json.loads(line) for line in listed]
    assert [event["version"] for event in events] == [1, 2, 3, 4, 5]
    assert {event["subject"] for event in events} == {paid_invoice}


@pytest.mark.parametrize("command", [("topics",), ("watch",)])
def test_kafka_that_is_away_is_one_clear_line(command: tuple[str, ...]) -> None:
    invoicing = CommandLine(
        {
            "INVOICING_KAFKA_BOOTSTRAP_SERVERS": NOWHERE,
            "INVOICING_POSTGRES_DSN": f"postgresql://{NOWHERE}/x",
        }
    )

    failed = invoicing.run(*command)

    assert failed.returncode == 1
    assert failed.stderr.startswith("invoicing: Kafka cannot be reached")
    assert failed.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [("migrate",), ("show", "inv_1"), ("history", "inv_1")])
def test_postgres_that_is_away_is_one_clear_line(command: tuple[str, ...]) -> None:
    invoicing = CommandLine({"INVOICING_POSTGRES_DSN": f"postgresql://{NOWHERE}/x"})

    failed = invoicing.run(*command)

    assert failed.returncode == 1
    assert failed.stderr.startswith("invoicing: Postgres cannot be reached")
    assert failed.stderr.count("\n") == 1


@pytest.mark.parametrize("servers", ["localhost:9O92", "localhost:9092,,other:9092"])
def test_an_address_of_kafka_that_is_none_is_one_clear_line(servers: str) -> None:
    invoicing = CommandLine({"INVOICING_KAFKA_BOOTSTRAP_SERVERS": servers})

    failed = invoicing.run("topics")

    assert failed.returncode == 1
    assert failed.stderr.startswith("invoicing: INVOICING_KAFKA_BOOTSTRAP_SERVERS is wrong")
    # The value is not repeated: a password may have been pasted into the wrong variable.
    assert "must be host:port" in failed.stderr
    assert servers not in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_worker_logs_a_wrong_setting() -> None:
    invoicing = CommandLine({"INVOICING_POSTGRES_DSN": "x://", "INVOICING_LOG_FORMAT": "json"})

    failed = invoicing.run("worker", INVOICING_KAFKA_TRANSACTIONS="perhaps")

    line = json.loads(failed.stderr)
    assert failed.returncode == 1
    assert line["event"] == "worker_gave_up"
    assert line["message"].startswith("INVOICING_KAFKA_TRANSACTIONS is wrong")


def test_worker_logs_that_a_database_has_no_tables(kafka: Kafka, empty_database: str) -> None:
    invoicing = CommandLine(
        {
            "INVOICING_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "INVOICING_POSTGRES_DSN": empty_database,
            "INVOICING_METRICS_PORT": "0",
        }
    )

    failed = invoicing.run("worker")

    line = json.loads(failed.stderr.splitlines()[-1])
    assert failed.returncode == 1
    assert (line["event"], line["level"]) == ("worker_gave_up", "error")
    assert "`invoicing migrate`" in line["message"]


def test_settings_shows_what_is_in_force_and_no_secret() -> None:
    invoicing = CommandLine(
        {
            "INVOICING_POSTGRES_DSN": "postgresql://ada:canary-1@db/x",
            "INVOICING_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "INVOICING_KAFKA_SASL_USERNAME": "ada",
            "INVOICING_KAFKA_SASL_PASSWORD": "canary-2",
            "INVOICING_TOKEN_SIGNING_KEY": "canary-3",
            "INVOICING_TRACES_ENDPOINT": "http://ada:canary-4@traces:4318/v1/traces",
        }
    )

    shown = invoicing.run("settings", INVOICING_TOPIC_PARTITIONS="3")
    as_json = invoicing.run("settings", "--json", INVOICING_TOPIC_PARTITIONS="3")

    assert "canary" not in shown.stdout + shown.stderr + as_json.stdout
    lines_shown = shown.stdout.splitlines()
    assert "INVOICING_TOPIC_PARTITIONS=3" in lines_shown
    assert "INVOICING_POSTGRES_DSN=********" in lines_shown
    assert "INVOICING_TRACES_ENDPOINT=http://********@traces:4318/v1/traces" in lines_shown
    (port,) = (line for line in lines_shown if line.startswith("INVOICING_HTTP_PORT"))
    assert port.split() == ["INVOICING_HTTP_PORT=8000", "(default)"]
    by_name = {row["name"]: row for row in json.loads(as_json.stdout)}
    assert by_name["INVOICING_TOPIC_PARTITIONS"] == {
        "name": "INVOICING_TOPIC_PARTITIONS",
        "value": "3",
        "default": False,
    }


def test_settings_that_are_wrong_are_one_clear_line() -> None:
    failed = CommandLine({}).run("settings", INVOICING_HTTP_PORT="99999")

    assert failed.returncode == 1
    assert failed.stderr.startswith("invoicing: INVOICING_HTTP_PORT is wrong")


@pytest.mark.parametrize("arguments", [(), ("--all", "--reason", "not_json"), ("--limit", "5")])
def test_redrive_wants_to_know_which_letters(arguments: tuple[str, ...]) -> None:
    invoicing = CommandLine({"INVOICING_KAFKA_BOOTSTRAP_SERVERS": NOWHERE, "COLUMNS": "400"})

    refused = invoicing.run("dead-letters", "redrive", *arguments)

    assert refused.returncode == 2
    assert "--all" in refused.stderr


@pytest.mark.parametrize("arguments", [("3-17",), ("--reason", "broken"), ("--since", "then")])
def test_redrive_refuses_what_selects_nothing(arguments: tuple[str, ...]) -> None:
    invoicing = CommandLine({"INVOICING_KAFKA_BOOTSTRAP_SERVERS": NOWHERE, "COLUMNS": "400"})

    refused = invoicing.run("dead-letters", "redrive", *arguments)

    assert refused.returncode == 2
    assert repr(arguments[-1]) in refused.stderr
