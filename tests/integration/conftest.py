"""A stage for the tests that need a worker they can tamper with."""

from collections.abc import AsyncIterator

import pytest

from tests.support.service.stage import PARTITIONS, Stage, settings_of, staged
from tests.support.stack.kafka import Kafka
from tests.support.stack.topics import fresh_topics


@pytest.fixture
async def stage(kafka: Kafka, database: str) -> AsyncIterator[Stage]:
    async with (
        fresh_topics(kafka, PARTITIONS) as topics,
        staged(settings_of(kafka, database, topics)) as made,
    ):
        yield made
