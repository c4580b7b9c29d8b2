"""The services that tests ask for by name: `kafka`, `postgres`, `topics`, `database`, and own ones.

Nothing is looked for or started that no collected test asks for.
"""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import pytest
from tests.stack.choice import Choice, Option
from tests.stack.databases import Databases, migrated_databases
from tests.stack.kafka import Kafka, RestartableKafka, choose_kafka
from tests.stack.postgres import Postgres, RestartablePostgres, choose_postgres
from tests.stack.topics import Topics, fresh_topics

PARTITIONS = 8


@dataclass(frozen=True)
class Chosen:
    """What the collected tests run on; None for what none of them asks for."""

    kafka: Choice[Kafka] | None
    postgres: Choice[Postgres] | None


CHOSEN = pytest.StashKey[Chosen]()


@pytest.hookimpl(trylast=True)  # after `-k` and `-m` have taken tests away
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = _fixtures_asked_for(items)
    chosen = Chosen(
        kafka=choose_kafka() if asked & {"kafka", "own_kafka"} else None,
        postgres=choose_postgres() if asked & {"postgres", "own_postgres"} else None,
    )
    config.stash[CHOSEN] = chosen
    if chosen.kafka is not None and not chosen.kafka.option.real:
        _refuse_in_ci(chosen.kafka)
        _skip_tests_of_real_kafka(items)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    chosen = config.stash[CHOSEN]
    services = {"kafka": chosen.kafka, "postgres": chosen.postgres}
    return [f"{name}: {choice.option.kind}" for name, choice in services.items() if choice]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    chosen = config.stash.get(CHOSEN, None)
    if chosen is not None and chosen.kafka is not None and not chosen.kafka.option.real:
        terminalreporter.write_line(
            "NOT TESTED ON KAFKA: every test marked real_kafka was skipped, since "
            f"{chosen.kafka.reasons}.",
            red=True,
            bold=True,
        )


@pytest.fixture(scope="session")
def starting(
    pytestconfig: pytest.Config, request: pytest.FixtureRequest
) -> Iterator[dict[str, Future[Option]]]:
    """The shared services that the tests will ask for, all starting side by side."""
    chosen = pytestconfig.stash[CHOSEN]
    asked = _fixtures_asked_for(request.session.items)
    services = {"kafka": chosen.kafka, "postgres": chosen.postgres}
    with ThreadPoolExecutor() as threads:
        futures = {
            name: threads.submit(choice.option)
            for name, choice in services.items()
            if choice is not None and name in asked
        }
        yield futures
        for future in futures.values():
            if future.exception() is None:
                future.result().close()


@pytest.fixture(scope="session")
def kafka(starting: dict[str, Future[Option]]) -> Kafka:
    """The broker that all tests share; `topics` keeps them apart."""
    return cast("Kafka", starting["kafka"].result())


@pytest.fixture(scope="session")
def postgres(starting: dict[str, Future[Option]]) -> Postgres:
    """The server that all tests share; `database` keeps them apart."""
    return cast("Postgres", starting["postgres"].result())


@pytest.fixture(scope="module")
def own_kafka(pytestconfig: pytest.Config) -> Iterator[RestartableKafka]:
    """A broker that the tests of a module may stop and start."""
    yield from _own(pytestconfig.stash[CHOSEN].kafka)


@pytest.fixture(scope="module")
def own_postgres(pytestconfig: pytest.Config) -> Iterator[RestartablePostgres]:
    """A server that the tests of a module may stop and start."""
    yield from _own(pytestconfig.stash[CHOSEN].postgres)


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


def _own(choice: Choice[Any] | None) -> Iterator[Any]:
    assert choice is not None
    if not choice.option.can_restart:
        pytest.skip(f"{choice.option.kind} cannot be stopped and started by a test")
    service = choice.option()
    yield service
    service.close()


def _fixtures_asked_for(items: Sequence[pytest.Item]) -> set[str]:
    return {name for item in items for name in getattr(item, "fixturenames", ())}


def _refuse_in_ci(kafka: Choice[Kafka]) -> None:
    if os.environ.get("CI") == "true":
        pytest.exit(f"CI must test on real Kafka, but {kafka.reasons}.", returncode=1)


def _skip_tests_of_real_kafka(items: Sequence[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="needs real Kafka")
    for item in items:
        if item.get_closest_marker("real_kafka"):
            item.add_marker(skip)
