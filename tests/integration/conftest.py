"""A pool of a worker's connections, and a stage for tests that tamper with a worker."""

from collections.abc import AsyncIterator

import pytest

from invoicing.runtime.postgres import Pool
from invoicing.runtime.settings import read_settings
from invoicing.store.postgres import open_writer_pool
from tests.support.service.stage import PARTITIONS, Stage, settings_of, staged
from tests.support.stack.kafka import Kafka
from tests.support.stack.topics import fresh_topics


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    made = await open_writer_pool(read_settings({}, postgres_dsn=database))
    yield made
    await made.close()


@pytest.fixture
async def stage(kafka: Kafka, database: str) -> AsyncIterator[Stage]:
    async with (
        fresh_topics(kafka, PARTITIONS) as topics,
        staged(settings_of(kafka, database, topics)) as made,
    ):
        yield made
