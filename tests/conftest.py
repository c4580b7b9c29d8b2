"""The services that tests ask for by name: `kafka`, `postgres`, `topics`, `database`, and own ones.

Nothing is looked for or started that no collected test asks for.
"""

import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from invoicing.tools.scratch.databases import Databases, migrated_databases, unmigrated_database
from tests.support.service.service import Service, running_service
from tests.support.stack.choice import Choice
from tests.support.stack.kafka import Kafka, RestartableKafka, choose_kafka
from tests.support.stack.postgres import Postgres, RestartablePostgres, choose_postgres
from tests.support.stack.summary import (
    add_line,
    receive_from_worker,
    send_to_controller,
    write_summary,
)
from tests.support.stack.topics import Topics, fresh_topics

PARTITIONS = 8
# Whose workers start again and again, and open their lanes each time.
FRAGILE_PARTITIONS = 4


CHOOSERS: dict[str, Callable[[], Choice[Any]]] = {
    "kafka": choose_kafka,
    "postgres": choose_postgres,
}
CHOICES = pytest.StashKey[dict[str, Choice[Any]]]()
"""For each service that a collected test asks for: what it runs on."""


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("CI") == "true" and not hasattr(config, "workerinput"):
        _insist_on_real_kafka()


@pytest.hookimpl(trylast=True)  # after `-k` and `-m` have taken tests away
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = _fixtures_asked_for(items)
    config.stash[CHOICES] = {
        name: choose() for name, choose in CHOOSERS.items() if asked & {name, f"own_{name}"}
    }
    for name, choice in config.stash[CHOICES].items():
        add_line(config, f"{name}: {choice.option.kind}")
    if _lacks_real_kafka(config):
        _skip_tests_of_real_kafka(items, config.stash[CHOICES]["kafka"].reasons)


def pytest_sessionfinish(session: pytest.Session) -> None:
    send_to_controller(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    receive_from_worker(node.config, node)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    write_summary(config, terminalreporter)


@pytest.fixture(scope="session")
def starting(
    pytestconfig: pytest.Config, request: pytest.FixtureRequest
) -> Iterator[dict[str, Future[Any]]]:
    """The shared services that the tests will ask for, all starting side by side."""
    asked = _fixtures_asked_for(request.session.items)
    choices = pytestconfig.stash[CHOICES]
    with ThreadPoolExecutor() as threads:
        futures = {
            name: threads.submit(choice.option) for name, choice in choices.items() if name in asked
        }
        yield futures
        for future in futures.values():
            if future.exception() is None:
                future.result().close()


@pytest.fixture(scope="session")
def kafka(starting: dict[str, Future[Kafka]]) -> Kafka:
    """The broker that all tests share; `topics` keeps them apart."""
    return starting["kafka"].result()


@pytest.fixture(scope="session")
def postgres(starting: dict[str, Future[Postgres]]) -> Postgres:
    """The server that all tests share; `database` keeps them apart."""
    return starting["postgres"].result()


@pytest.fixture(scope="module")
def own_kafka(pytestconfig: pytest.Config) -> Iterator[RestartableKafka]:
    """A broker that the tests of a module may stop and start."""
    yield from _own(pytestconfig.stash[CHOICES]["kafka"])


@pytest.fixture(scope="module")
def own_postgres(pytestconfig: pytest.Config) -> Iterator[RestartablePostgres]:
    """A server that the tests of a module may stop and start."""
    yield from _own(pytestconfig.stash[CHOICES]["postgres"])


@pytest.fixture
async def topics(kafka: Kafka) -> AsyncIterator[Topics]:
    """Empty topics for one test."""
    async with fresh_topics(kafka, PARTITIONS) as names:
        yield names


@pytest.fixture(scope="session")
async def databases(postgres: Postgres) -> AsyncIterator[Databases]:
    """Where fresh databases come from: the schema is migrated once for all of them."""
    async with migrated_databases(postgres.dsn) as made:
        yield made


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[str]:
    """The DSN of an empty database for one test, with the newest schema."""
    async with databases.fresh() as dsn:
        yield dsn


@pytest.fixture
async def empty_database(postgres: Postgres) -> AsyncIterator[str]:
    """The DSN of a database that was never migrated."""
    async with unmigrated_database(postgres.dsn) as dsn:
        yield dsn


@pytest.fixture
async def service(
    kafka: Kafka, topics: Topics, database: str, tmp_path: Path
) -> AsyncIterator[Service]:
    """A service of the test's own, without workers yet."""
    async with running_service(
        kafka.bootstrap, database, topics, tmp_path, transactions=kafka.real
    ) as made:
        yield made


@pytest.fixture
async def fragile(
    own_kafka: RestartableKafka, own_postgres: RestartablePostgres, tmp_path: Path
) -> AsyncIterator[Service]:
    """A service whose Kafka and Postgres the test may take away; without workers yet."""
    async with (
        migrated_databases(own_postgres.dsn) as databases,
        databases.fresh() as dsn,
        fresh_topics(own_kafka, FRAGILE_PARTITIONS) as topics,
        running_service(own_kafka.bootstrap, dsn, topics, tmp_path) as made,
    ):
        yield made


def _own(choice: Choice[Any]) -> Iterator[Any]:
    if not choice.option.can_restart:
        pytest.skip(f"{choice.option.kind} cannot be stopped and started by a test")
    service = choice.option()
    yield service
    service.close()


def _fixtures_asked_for(items: Sequence[pytest.Item]) -> set[str]:
    return {name for item in items for name in getattr(item, "fixturenames", ())}


def _lacks_real_kafka(config: pytest.Config) -> bool:
    kafka = config.stash.get(CHOICES, {}).get("kafka")
    return kafka is not None and not kafka.option.real


def _insist_on_real_kafka() -> None:
    kafka = choose_kafka()
    if not kafka.option.real:
        pytest.exit(f"CI must test on real Kafka, but {kafka.reasons}.", returncode=1)


def _skip_tests_of_real_kafka(items: Sequence[pytest.Item], reasons: str) -> None:
    skip = pytest.mark.skip(reason=f"it needs real Kafka, but {reasons}")
    for item in items:
        if item.get_closest_marker("real_kafka"):
            item.add_marker(skip)
