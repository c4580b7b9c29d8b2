"""A disk that is full is an outage: borne, and gone on from when there is room again."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from invoicing.tools.scratch.databases import migrated_databases
from tests.support.service.commands import create_invoice, invoice_id
from tests.support.service.promises import assert_promises_kept
from tests.support.service.service import Service, running_service
from tests.support.stack.kafka import Kafka
from tests.support.stack.postgres.docker import DockerPostgres
from tests.support.stack.topics import Topics
from tests.support.stack.wait import eventually

pytestmark = pytest.mark.real_kafka

SMALL = "/small"
# Its owner must be the server, which so has to make it.
MAKE = f"COPY (SELECT 1) TO PROGRAM 'mkdir {SMALL}/space'"
FILL = f"COPY (SELECT 1) TO PROGRAM 'cat /dev/zero > {SMALL}/filler || true'"
FREE = f"COPY (SELECT 1) TO PROGRAM 'rm {SMALL}/filler'"


@pytest.fixture
def small_postgres() -> Iterator[DockerPostgres]:
    """A server with room for a database on a small disk of its own; its log has another."""
    if refusal := DockerPostgres.refusal():
        pytest.skip(f"a disk that is full needs a container, but {refusal}")
    server = DockerPostgres(small_disk=SMALL)
    yield server
    server.close()


@pytest.fixture
async def service(
    kafka: Kafka, topics: Topics, small_postgres: DockerPostgres, tmp_path: Path
) -> AsyncIterator[Service]:
    async with (
        migrated_databases(small_postgres.dsn) as databases,
        databases.fresh() as dsn,
        running_service(kafka.bootstrap, dsn, topics, tmp_path) as made,
    ):
        space = f"small_{uuid.uuid4().hex}"
        await _execute(small_postgres.dsn, MAKE)
        await _execute(small_postgres.dsn, f"CREATE TABLESPACE {space} LOCATION '{SMALL}/space'")
        name = dsn.rpartition("/")[2]
        await _execute(small_postgres.dsn, f"ALTER DATABASE {name} SET TABLESPACE {space}")
        yield made


async def test_a_full_disk_is_borne_and_nothing_is_lost(
    service: Service, small_postgres: DockerPostgres
) -> None:
    worker = await service.ready_worker()
    commands = [create_invoice(invoice_id()) for _ in range(3_000)]
    await service.ask(*commands[:10])

    await _execute(small_postgres.dsn, FILL)
    await service.send(commands[10:])
    await eventually(lambda: "DiskFullError" in worker.log, seconds=60)
    await _execute(small_postgres.dsn, FREE)

    await assert_promises_kept(service, commands)
    await service.verify()
    assert worker.process.poll() is None


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await asyncio.wait_for(connection.execute(statement), timeout=60)
    finally:
        await connection.close()
