"""The service for acceptance tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ops.scratch.databases import Databases
from tests.service.http import Api, running_api
from tests.service.service import Service, running_service
from tests.stack.kafka import Kafka
from tests.stack.topics import Topics, fresh_topics

HTTP_PARTITIONS = 2


@pytest.fixture
async def service(
    kafka: Kafka, topics: Topics, database: str, tmp_path: Path
) -> AsyncIterator[Service]:
    """A service of the test's own, without workers yet."""
    async with running_service(
        kafka.bootstrap, database, topics, tmp_path, transactions=kafka.real
    ) as made:
        yield made


@pytest.fixture(scope="module")
def worker_settings() -> dict[str, str]:
    """Settings of the worker beside `api`; a module may have others."""
    return {}


@pytest.fixture(scope="module")
async def api(
    kafka: Kafka,
    databases: Databases,
    worker_settings: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Api]:
    """An API process and a worker for the tests of a module, each with invoices of its own."""
    directory = tmp_path_factory.mktemp("api")
    async with (
        fresh_topics(kafka, HTTP_PARTITIONS) as topics,
        databases.fresh() as dsn,
        running_service(
            kafka.bootstrap, dsn, topics, directory, transactions=kafka.real
        ) as service,
    ):
        await service.ready_worker(**worker_settings)
        async with running_api(service) as made:
            yield made
