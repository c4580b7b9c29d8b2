"""A wrong setting ends every process at once, with one sentence and without a secret in it."""

import asyncio
import json
import os
import subprocess
import sys
import time
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.support.stack.kafka import Kafka
from tests.support.stack.ports import free_port
from tests.support.stack.postgres import Postgres
from tests.support.stack.topics import fresh_topics

PASSWORD = "Canary7Tail"
RETRY_LIMIT_SECONDS = 60
# Far below the limit of retries; Python itself starts slowly on a busy machine.
SECONDS_MAX = 40

each_service = pytest.mark.parametrize("service", ["worker", "api"])


def changed(dsn: str, user: str | None = None, database: str | None = None) -> str:
    """The DSN with another user, or another database; always with the canary as password."""
    parts = urlsplit(dsn)
    login = f"{user or parts.username}:{PASSWORD}"
    hosts = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{login}@{hosts}", f"/{database or 'postgres'}", "", ""))


def run(*arguments: str, **settings: str) -> tuple[int, str]:
    """Exit code and output of the command, which has to end by itself."""
    environment = {
        "INVOICING_HTTP_PORT": str(free_port()),
        "INVOICING_METRICS_PORT": str(free_port()),
        "INVOICING_RETRY_LIMIT_SECONDS": str(RETRY_LIMIT_SECONDS),
        **settings,
    }
    ended = subprocess.run(
        [sys.executable, "-m", "invoicing.ops.main", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


def gave_up(service: str, log: str) -> str:
    """The message of the last log line."""
    line = json.loads(log.splitlines()[-1])
    assert line["event"] == f"{service}_gave_up"
    return str(line["message"])


@each_service
async def test_a_wrong_password_ends_the_start_at_once(
    kafka: Kafka, postgres: Postgres, service: str
) -> None:
    await refuse_passwords_of("invoicing_stranger", postgres)

    code, log = await asyncio.to_thread(
        run,
        service,
        INVOICING_KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap,
        INVOICING_POSTGRES_DSN=changed(postgres.dsn, user="invoicing_stranger"),
    )

    assert code == 1
    assert "Postgres refuses the user or database of INVOICING_POSTGRES_DSN" in gave_up(
        service, log
    )
    assert PASSWORD not in log


@each_service
async def test_a_database_that_does_not_exist_ends_the_start_at_once(
    kafka: Kafka, postgres: Postgres, service: str
) -> None:
    parts = urlsplit(postgres.dsn)

    code, log = await asyncio.to_thread(
        run,
        service,
        INVOICING_KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap,
        INVOICING_POSTGRES_DSN=urlunsplit(parts._replace(path="/nowhere")),
    )

    assert code == 1
    assert 'database "nowhere" does not exist' in gave_up(service, log)


@pytest.mark.parametrize("command", [["worker"], ["api"], ["migrate"], ["verify"], ["show", "x"]])
def test_a_password_that_is_not_encoded_is_one_sentence_of_every_command(
    command: list[str],
) -> None:
    code, output = run(
        *command,
        INVOICING_POSTGRES_DSN=f"postgresql://invoicing:{PASSWORD}/more@localhost/invoicing",
    )

    assert code == 1
    assert len(output.splitlines()) == 1
    assert "INVOICING_POSTGRES_DSN is wrong: it cannot be read." in output
    assert "percent-encoded" in output
    assert PASSWORD not in output
    assert "more@" not in output


@pytest.mark.parametrize("command", [["worker"], ["api"], ["topics"], ["watch"]])
def test_a_setting_that_does_not_exist_is_named_by_every_command(command: list[str]) -> None:
    code, output = run(*command, INVOICING_KAFKA_BOOTSTRAP_SERVER="kafka:9092")

    assert code == 1
    assert "Did you mean INVOICING_KAFKA_BOOTSTRAP_SERVERS?" in output


def test_a_dependency_that_was_never_there_is_logged_at_the_first_failure() -> None:
    began = time.monotonic()

    code, log = run(
        "worker",
        INVOICING_KAFKA_BOOTSTRAP_SERVERS=f"localhost:{free_port()}",
        INVOICING_POSTGRES_DSN=f"postgresql://invoicing@localhost:{free_port()}/invoicing",
        INVOICING_RETRY_LIMIT_SECONDS="2",
    )

    assert code == 1
    assert time.monotonic() - began < SECONDS_MAX
    lines = [json.loads(line) for line in log.splitlines()]
    down = {line["dependency"] for line in lines if line["event"] == "dependency_down"}
    assert down == {"kafka", "postgres"}


async def test_topics_with_other_partitions_than_the_setting_says_are_named(kafka: Kafka) -> None:
    async with fresh_topics(kafka, partitions=2) as topics:
        settings = {
            "INVOICING_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "INVOICING_TOPIC_COMMANDS": topics.commands,
            "INVOICING_TOPIC_EVENTS": topics.events,
            "INVOICING_TOPIC_REPLIES": topics.replies,
            "INVOICING_TOPIC_DEAD_LETTER": topics.dead_letter,
        }
        unset, _ = await asyncio.to_thread(run, "topics", **settings)
        same, _ = await asyncio.to_thread(run, "topics", **settings, INVOICING_TOPIC_PARTITIONS="2")
        code, output = await asyncio.to_thread(
            run, "topics", **settings, INVOICING_TOPIC_PARTITIONS="4"
        )

    assert (unset, same, code) == (0, 0, 1)
    assert f"{topics.commands} has 2 partitions, and INVOICING_TOPIC_PARTITIONS is 4" in output


async def refuse_passwords_of(user: str, postgres: Postgres) -> None:
    """Make sure of a user without a password: every one is refused then, where one is asked for."""
    connection = await asyncpg.connect(postgres.dsn)
    try:
        exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", user)
        if not exists:
            await connection.execute(f"CREATE ROLE {user} LOGIN")
    finally:
        await connection.close()
    try:
        stranger = await asyncpg.connect(changed(postgres.dsn, user=user))
    except asyncpg.InvalidPasswordError:
        return
    await stranger.close()
    pytest.skip("this Postgres lets everybody in without a password")
