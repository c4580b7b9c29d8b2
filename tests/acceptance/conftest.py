"""The service for acceptance tests."""

from collections.abc import AsyncIterator

import pytest

from invoicing.tools.scratch.databases import Databases
from tests.support.service.command_line import Run, command_line
from tests.support.service.http import WITHOUT_LIMIT, Api, running_api
from tests.support.service.service import Service, running_service
from tests.support.stack.kafka import Kafka
from tests.support.stack.topics import fresh_topics

HTTP_PARTITIONS = 2


@pytest.fixture(scope="module")
def worker_settings() -> dict[str, str]:
    """Settings of the worker beside `api`; a module may have others."""
    return {}


@pytest.fixture
def invoicing(service: Service) -> Run:
    """The command `invoicing` with the service's settings."""
    return command_line(service)


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
        async with running_api(service, **WITHOUT_LIMIT) as made:
            yield made
