"""What every other test relies on: the services, their isolation, and restarts in place."""

import asyncio

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from invoicing.tools.scratch.databases import Databases
from tests.support.stack.kafka import Kafka, RestartableKafka
from tests.support.stack.postgres import RestartablePostgres
from tests.support.stack.topics import Topics, fresh_topics
from tests.support.stack.wait import eventually


async def test_what_is_produced_is_consumed_by_a_group(kafka: Kafka, topics: Topics) -> None:
    await produce(kafka, topics.commands, b"hello")

    assert await consume(kafka, topics, count=1) == [b"hello"]


async def test_topics_have_the_partitions_that_they_say(kafka: Kafka, topics: Topics) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        assert len(await producer.partitions_for(topics.events)) == topics.partitions


@pytest.mark.real_kafka
async def test_aborted_transaction_is_not_seen_by_a_committed_reader(
    kafka: Kafka, topics: Topics
) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap, transactional_id=topics.group
    ) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topics.commands, b"aborted", partition=0)
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send_and_wait(topics.commands, b"committed", partition=0)

    assert await consume(kafka, topics, count=1) == [b"committed"]


@pytest.mark.real_kafka
async def test_kafka_keeps_its_records_and_address_over_a_restart(
    own_kafka: RestartableKafka,
) -> None:
    async with fresh_topics(own_kafka, partitions=1) as topics:
        await produce(own_kafka, topics.commands, b"kept")

        await asyncio.to_thread(own_kafka.stop)
        await asyncio.to_thread(own_kafka.start)

        assert await consume(own_kafka, topics, count=1) == [b"kept"]


async def test_databases_have_the_schema_and_nothing_of_each_other(databases: Databases) -> None:
    async with databases.fresh() as first, databases.fresh() as second:
        await execute(first, "INSERT INTO number_series VALUES ('default', 'invoice', '', 1)")

        assert await count(first, "number_series") == 1
        assert await count(second, "number_series") == 0


async def test_postgres_keeps_its_rows_and_address_over_a_restart(
    own_postgres: RestartablePostgres,
) -> None:
    await execute(own_postgres.dsn, "CREATE TABLE kept AS SELECT 1")

    await asyncio.to_thread(own_postgres.stop)
    await asyncio.to_thread(own_postgres.start)

    assert await count(own_postgres.dsn, "kept") == 1


async def test_waiting_in_vain_ends_and_tells_what_was_last_seen() -> None:
    with pytest.raises(TimeoutError, match="last seen: 'never'"):
        await eventually(lambda: "never", until=lambda seen: seen == "ever", seconds=0.2)


async def test_stopped_postgres_refuses_connections(own_postgres: RestartablePostgres) -> None:
    await asyncio.to_thread(own_postgres.stop)
    try:
        with pytest.raises((OSError, asyncpg.PostgresConnectionError)):
            await asyncpg.connect(own_postgres.dsn)
    finally:
        await asyncio.to_thread(own_postgres.start)


async def produce(kafka: Kafka, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap, enable_idempotence=True
    ) as producer:
        await producer.send_and_wait(topic, value)


async def consume(kafka: Kafka, topics: Topics, count: int) -> list[bytes | None]:
    async with (
        AIOKafkaConsumer(
            topics.commands,
            bootstrap_servers=kafka.bootstrap,
            group_id=topics.group,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        ) as consumer,
        asyncio.timeout(20),
    ):
        return [(await consumer.getone()).value for _ in range(count)]


async def execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def count(dsn: str, table: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        number: int = await connection.fetchval(f"SELECT count(*) FROM {table}")
    finally:
        await connection.close()
    return number
