"""Each may do what its work needs and nothing else, and talks to whom it can trust only."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from invoicing.ops.support.kafka import producing, reading
from invoicing.runtime.kafka.connect import client_options, new_transactional_producer
from invoicing.runtime.kafka.topics import batch_limits, existing_topics
from invoicing.runtime.settings import Settings
from tests.deploy.certificates import Authority
from tests.deploy.secured import SECONDS_MAX, Secured
from tests.support.service.commands import Sent, create_invoice, invoice_id
from tests.support.service.http import Api
from tests.support.service.service import Worker
from tests.support.stack.wait import eventually

pytestmark = [pytest.mark.timeout(600)]

COMMANDS, EVENTS, REPLIES = "invoices.commands", "invoices.events", "invoices.replies"
DEAD_LETTERS = "invoices.commands.dead-letter"
INVOICE = {"customer_id": "cus_42", "currency": "USD", "items": [{"unit_price": "100.00"}]}


async def test_worker_and_api_do_their_work_with_their_own_rights_alone(
    secured: Secured, api: Api
) -> None:
    async with api.connect() as http:
        made = await http.post("/v1/invoices", json=INVOICE)
    assert made.status_code == 201, made.text

    subject = made.json()["invoice_id"]
    event = await asyncio.wait_for(
        first_event(secured.party("consumer").settings(), subject), SECONDS_MAX
    )

    assert event["type"] == "invoice.created"
    told = secured.party("operator").run("verify", "--json")
    assert json.loads(told.splitlines()[-1])["findings"] == 0


async def first_event(settings: Settings, subject: str) -> dict[str, Any]:
    """An invoice's, as a consumer reads it, in a group of its own."""
    consumer = AIOKafkaConsumer(
        EVENTS,
        **client_options(settings),
        group_id="invoicing-consumer-reports",
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        while True:
            event: dict[str, Any] = json.loads((await consumer.getone()).value)
            if event["subject"] == subject:
                return event
    finally:
        await consumer.stop()


async def write(settings: Settings, topic: str) -> None:
    async with producing(settings) as producer:
        await producer.send_and_wait(topic, b"{}")


async def read(settings: Settings, topic: str) -> None:
    consumer = AIOKafkaConsumer(topic, **client_options(settings), group_id=None)
    await consumer.start()
    try:
        await consumer.getone()
    finally:
        await consumer.stop()


async def join(settings: Settings, topic: str) -> None:
    consumer = AIOKafkaConsumer(topic, **client_options(settings), group_id="invoicing")
    try:
        await consumer.start()
        await consumer.getone()
    finally:
        await consumer.stop()


async def shut_out(settings: Settings, topic: str) -> None:
    """Take a lane from its worker."""
    producer = new_transactional_producer(settings, f"invoicing-{topic}-0")
    try:
        await producer.start()
    finally:
        await producer.stop()


@pytest.mark.parametrize(
    ("principal", "action", "topic", "refusal"),
    [
        ("producer", write, EVENTS, TopicAuthorizationFailedError),
        ("producer", write, REPLIES, TopicAuthorizationFailedError),
        ("producer", read, EVENTS, TopicAuthorizationFailedError),
        ("producer", shut_out, COMMANDS, TransactionalIdAuthorizationFailed),
        ("consumer", write, COMMANDS, ClusterAuthorizationFailedError),
        ("consumer", read, COMMANDS, TopicAuthorizationFailedError),
        ("api", write, EVENTS, TopicAuthorizationFailedError),
        ("api", read, DEAD_LETTERS, TopicAuthorizationFailedError),
        ("consumer", join, EVENTS, GroupAuthorizationFailedError),
        ("worker", read, DEAD_LETTERS, TopicAuthorizationFailedError),
        ("operator", write, EVENTS, TopicAuthorizationFailedError),
        ("operator", join, EVENTS, GroupAuthorizationFailedError),
        ("operator", shut_out, COMMANDS, TransactionalIdAuthorizationFailed),
        ("recovery", write, COMMANDS, TopicAuthorizationFailedError),
    ],
)
async def test_kafka_refuses_what_is_not_ones_own(
    secured: Secured,
    principal: str,
    action: Callable[[Settings, str], Awaitable[None]],
    topic: str,
    refusal: type[KafkaError],
) -> None:
    settings = secured.party(principal).settings()

    with pytest.raises(refusal):
        await asyncio.wait_for(action(settings, topic), SECONDS_MAX)


@pytest.fixture(scope="module")
async def sent(secured: Secured, worker: Worker) -> str:
    """An invoice that an operator has sent; beside it stands a dead letter."""
    assert worker.is_ready()
    operator, command = secured.party("operator"), create_invoice(invoice_id())
    async with reading(operator.settings(), DEAD_LETTERS) as dead_letters:
        async with producing(operator.settings()) as producer:
            await producer.send_and_wait(COMMANDS, b"{", key=b"k")
        await asyncio.wait_for(dead_letters.getone(), SECONDS_MAX)
    await asyncio.to_thread(operator.run, "send", file_of(secured, command))
    return command.subject


@pytest.mark.parametrize(
    ("login", "command", "told"),
    [
        ("api", "watch --from-beginning --count 1", "created"),
        ("api", "show {invoice}", "{invoice}"),
        ("api", "history {invoice}", "created"),
        ("api", "dead-letters list", "not_json"),
        ("migrator", "rebuild", "0 differed"),
        ("migrator", "verify", "Every promise is kept"),
    ],
)
def test_an_operator_does_it_with_the_rights_that_are_written_down(
    secured: Secured, sent: str, login: str, command: str, told: str
) -> None:
    arguments = command.format(invoice=sent).split()

    assert told.format(invoice=sent) in secured.party("operator", login).run(*arguments)


def test_a_command_without_its_right_says_where_rights_are_told(secured: Secured) -> None:
    refusal = secured.party("operator", "api").refused("rebuild")

    assert refusal.startswith("invoicing: Postgres denies permission")


async def test_an_operator_sends_dead_letters_back_with_the_rights_that_are_written_down(
    secured: Secured, sent: str
) -> None:
    assert sent
    operator = secured.party("operator")

    async with reading(operator.settings(), DEAD_LETTERS) as dead_letters:
        told = await asyncio.to_thread(
            operator.run, "dead-letters", "redrive", "--all", "--limit", "1"
        )
        # Nobody has mended it, so that it is set aside again.
        await asyncio.wait_for(dead_letters.getone(), SECONDS_MAX)

    assert "1 sent back" in told


async def test_either_side_is_recovered_with_the_rights_that_are_written_down(
    secured: Secured, sent: str, without_worker: None
) -> None:
    assert sent
    (stored,) = await statement(secured, "postgres", "SELECT count(*) FROM events")
    await secured.kafka.lose(EVENTS)

    secured.party("operator").run("topics")
    refusal = secured.party("operator", "migrator").refused("recover", "kafka")
    published = secured.party("recovery", "migrator").run("recover", "kafka", "--json")
    for side in ("postgres", "feed"):
        secured.party("operator", "migrator").run("recover", side)

    assert "docs/security.md lists the rights needed" in refusal
    assert json.loads(published)["events"] == stored["count"] > 0
    secured.party("operator").run("verify")


@pytest.fixture
async def without_worker(worker: Worker) -> AsyncIterator[None]:
    """The worker is told to stop, and is back afterwards."""
    worker.signal(signal.SIGTERM)
    await worker.ended(SECONDS_MAX)
    yield
    worker.start()
    await eventually(worker.is_ready, seconds=SECONDS_MAX)


def file_of(secured: Secured, command: Sent) -> str:
    """A file as `invoicing send` takes it."""
    path = secured.directory / f"{command.subject}.jsonl"
    path.write_bytes(command.value)
    return str(path)


async def test_a_right_that_is_missing_is_told_by_its_topic(secured: Secured) -> None:
    with pytest.raises(
        Exception, match=r"topic invoices\.commands: user invoicing-consumer has no right"
    ):
        await existing_topics(secured.party("consumer").settings())


@pytest.mark.parametrize(
    ("principal", "topics"),
    [("worker", {COMMANDS, DEAD_LETTERS}), ("operator", {COMMANDS, DEAD_LETTERS}), ("api", set())],
)
async def test_worker_and_operator_see_how_large_records_may_be(
    secured: Secured, principal: str, topics: set[str]
) -> None:
    assert (await batch_limits(secured.party(principal).settings())).keys() == topics


async def test_kafka_under_another_name_than_its_certificates_is_refused(secured: Secured) -> None:
    port = secured.kafka.bootstrap.rpartition(":")[2]
    settings = secured.party("worker").settings(kafka_bootstrap_servers=f"127.0.0.1:{port}")

    with pytest.raises(KafkaConnectionError, match=r"not valid for '127\.0\.0\.1'"):
        await existing_topics(settings)


async def test_kafka_that_no_authority_of_ours_vouches_for_is_refused(
    secured: Secured, stranger: Authority
) -> None:
    settings = secured.party("worker").settings(kafka_ssl_ca_path=stranger.path)

    with pytest.raises(KafkaConnectionError, match="certificate verify failed"):
        await existing_topics(settings)


async def test_a_wrong_password_is_told_as_such(secured: Secured) -> None:
    settings = secured.party("worker").settings(kafka_sasl_password="guessed")

    with pytest.raises(KafkaConnectionError, match="invalid credentials"):
        await existing_topics(settings)


async def test_a_worker_that_may_not_trust_kafka_ends_and_says_why(
    secured: Secured, stranger: Authority
) -> None:
    party = replace(secured.party("worker", "worker"), authority=stranger.path)
    settings = party.environment | {"INVOICING_RETRY_LIMIT_SECONDS": "0.5"}
    worker = Worker(
        "invoicing.ops.main", {**os.environ, **settings}, party.directory / "distrust.log"
    )

    try:
        code = await worker.ended(SECONDS_MAX)
    finally:
        worker.close()

    last = json.loads(worker.log.splitlines()[-1])
    assert (code, last["event"]) == (1, "worker_gave_up")
    assert "certificate verify failed" in last["message"]


@pytest.fixture
def stranger(secured: Secured) -> Authority:
    """One that nobody trusts."""
    return Authority(secured.directory, "stranger")


async def test_postgres_under_another_name_than_its_certificates_is_refused(
    secured: Secured,
) -> None:
    with pytest.raises(OSError, match=r"not valid for '127\.0\.0\.1'"):
        await asyncpg.connect(secured.postgres.dsn("worker", host="127.0.0.1"))


async def test_postgres_that_no_authority_of_ours_vouches_for_is_refused(
    secured: Secured, stranger: Authority
) -> None:
    with pytest.raises(OSError, match="certificate verify failed"):
        await asyncpg.connect(secured.postgres.dsn("worker", authority=stranger))


async def test_worker_and_api_speak_to_postgres_by_tls_only(secured: Secured, api: Api) -> None:
    assert api.is_ready()

    sessions = await statement(
        secured,
        "postgres",
        "SELECT usename::text, bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
        " WHERE usename LIKE 'invoicing%' GROUP BY usename ORDER BY usename",
    )

    assert [tuple(row) for row in sessions] == [("invoicing_api", True), ("invoicing_worker", True)]


@pytest.mark.parametrize(
    ("login", "sql"),
    [
        ("worker", "SET ROLE invoicing_writer; UPDATE events SET type = ''"),
        ("worker", "SET ROLE invoicing_writer; DELETE FROM events"),
        ("worker", "SET ROLE invoicing_writer; UPDATE commands SET answer = ''"),
        ("worker", "SET ROLE invoicing_writer; DELETE FROM invoices"),
        ("worker", "SET ROLE invoicing_writer; TRUNCATE lanes"),
        ("worker", "SET ROLE invoicing_writer; CREATE TABLE more (id int)"),
        ("worker", "CREATE TEMPORARY TABLE more (id int)"),
        ("worker", "SELECT * FROM events"),
        ("worker", "SET ROLE invoicing_migrator"),
        ("worker", "SET ROLE invoicing_reader"),
        ("api", "SET ROLE invoicing_reader; INSERT INTO lanes VALUES ('g', 't', 0, 0)"),
        ("api", "SET ROLE invoicing_reader; UPDATE invoices SET state = 'paid'"),
        ("api", "SET ROLE invoicing_seller_reader; SELECT * FROM public.events"),
        ("api", "SET ROLE invoicing_writer"),
        ("api", "SET ROLE invoicing_migrator"),
        ("migrator", "UPDATE events SET type = ''"),
        ("migrator", "CREATE ROLE another"),
        ("migrator", "CREATE DATABASE another"),
    ],
)
async def test_postgres_refuses_what_is_not_ones_own(
    secured: Secured, login: str, sql: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await statement(secured, login, sql)


async def statement(secured: Secured, login: str, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(secured.postgres.dsn(login))
    try:
        *before, last = sql.split("; ")
        for each in before:
            await connection.execute(each)
        return await connection.fetch(last)
    finally:
        await connection.close()
