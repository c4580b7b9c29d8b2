"""Kafka and Postgres that the tests of chaos may take away."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.service.service import Service, running_service
from tests.stack.databases import migrated_databases
from tests.stack.kafka import RestartableKafka
from tests.stack.postgres import RestartablePostgres
from tests.stack.topics import fresh_topics


@pytest.fixture
async def fragile(
    own_kafka: RestartableKafka, own_postgres: RestartablePostgres, tmp_path: Path
) -> AsyncIterator[Service]:
    """A service whose Kafka and Postgres the test may take away."""
    async with (
        migrated_databases(own_postgres.dsn) as databases,
        databases.fresh() as dsn,
        fresh_topics(own_kafka, 8) as topics,
        running_service(own_kafka.bootstrap, dsn, topics, tmp_path) as service,
    ):
        yield service
