"""The service for acceptance tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.service.service import Service, running_service
from tests.stack.kafka import Kafka
from tests.stack.topics import Topics


@pytest.fixture
async def service(
    kafka: Kafka, topics: Topics, database: str, tmp_path: Path
) -> AsyncIterator[Service]:
    """A service of the test's own, without workers yet."""
    async with running_service(
        kafka.bootstrap, database, topics, tmp_path, transactions=kafka.real
    ) as made:
        yield made
