"""One side was restored or has lost data: it is brought forward from the other."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import ProducerFenced

from invoicing.domain import entries
from invoicing.domain.sellers import Sellers
from invoicing.maintenance.recover.feed import recover_feed
from invoicing.maintenance.recover.kafka import RecoveredKafka, recover_kafka
from invoicing.maintenance.recover.postgres import RecoveredDatabase, recover_postgres
from invoicing.maintenance.recover.preconditions import RecoveryError
from invoicing.maintenance.verify.findings import FindingKind
from invoicing.runtime.kafka.connect import TRANSACTION_TIMEOUT_MS
from invoicing.runtime.kafka.topics import existing_topics
from invoicing.runtime.settings import Settings
from tests.support.service.stage import PARTITIONS, Stage, staged
from tests.support.stack.backups import backup_of
from tests.support.stack.topics import delete_group
from tests.support.stack.wait import eventually

pytestmark = pytest.mark.real_kafka

TABLES = {
    "events": "SELECT invoice_id, version, data, command_id, recorded_at FROM events",
    "commands": 'SELECT id, answer, body_hash, first_version, "partition", "offset" FROM commands',
    "invoices": "SELECT invoices.*, labels FROM invoices JOIN invoice_labels ON invoice_id = id",
    "invoice_entries": "SELECT * FROM invoice_entries",
    "number_series": "SELECT * FROM number_series",
    "lanes": "SELECT * FROM lanes",
}

Tables = dict[str, list[str]]


async def tables(settings: Settings) -> Tables:
    connection = await asyncpg.connect(settings.dsn)
    try:
        return {
            name: sorted(repr(tuple(row)) for row in await connection.fetch(query))
            for name, query in TABLES.items()
        }
    finally:
        await connection.close()


def on(settings: Settings, dsn: str) -> Settings:
    return settings.model_copy(update={"postgres_dsn": type(settings.postgres_dsn)(dsn)})


async def to_postgres(settings: Settings) -> RecoveredDatabase:
    return await recover_postgres(settings, Sellers(), lambda *_: None)


async def to_kafka(settings: Settings, since: datetime | None = None) -> RecoveredKafka:
    return await recover_kafka(settings, since, lambda *_: None)


@dataclass
class Restored:
    """A restored backup, and the tables as they were before the loss."""

    settings: Settings
    lost: Tables
    stage: Stage


@pytest.fixture
async def restored(stage: Stage) -> AsyncIterator[Restored]:
    """The backup was taken after the first of two stories."""
    await stage.send_story()
    await stage.work()
    async with backup_of(stage.settings.dsn) as backup:
        stage.begin_other_story()
        await stage.send_story()
        await stage.work()
        settings = on(stage.settings, backup)
        yield Restored(settings, await tables(stage.settings), stage)


async def test_a_restored_database_gets_back_what_was_published_byte_for_byte(
    restored: Restored,
) -> None:
    recovered = await to_postgres(restored.settings)
    again = await to_postgres(restored.settings)

    assert await tables(restored.settings) == restored.lost
    assert recovered == RecoveredDatabase(events=9, answers=6, invoices=3)
    assert again == RecoveredDatabase(events=0, answers=0, invoices=0)
    async with staged(restored.settings) as stage:
        assert (await stage.verify())[0] == []


@pytest.fixture
def all_in_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every entry has a row of its own."""
    monkeypatch.setattr(entries, "INLINE_MAX", 0)


@pytest.mark.usefixtures("all_in_rows")
async def test_a_restored_database_gets_back_the_rows_of_entries(restored: Restored) -> None:
    await to_postgres(restored.settings)

    assert await tables(restored.settings) == restored.lost
    assert restored.lost["invoice_entries"]


async def test_a_database_that_was_worked_on_after_its_restore_is_left_as_it_is(
    restored: Restored,
) -> None:
    connection = await asyncpg.connect(restored.settings.dsn)
    await connection.execute(
        "INSERT INTO events (invoice_id, version, type, data, command_source, command_id,"
        " recorded_at) VALUES ($1, 1, 'invoice.created', '{}', '/', '1', now())",
        restored.stage.paid,
    )
    await connection.close()
    before = await tables(restored.settings)

    with pytest.raises(RecoveryError, match=f"{restored.stage.paid} has another event"):
        await to_postgres(restored.settings)

    assert await tables(restored.settings) == before


async def test_topics_that_do_not_reach_back_to_the_backup_are_not_enough(
    restored: Restored,
) -> None:
    await restored.stage.forget(restored.settings.topic_commands)
    before = await tables(restored.settings)

    with pytest.raises(RecoveryError, match="6 replies whose commands the commands topic"):
        await to_postgres(restored.settings)

    assert await tables(restored.settings) == before


async def test_nothing_is_recovered_while_a_worker_is_in_the_group(stage: Stage) -> None:
    settings = stage.settings
    member = AIOKafkaConsumer(
        settings.topic_commands,
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=settings.consumer_group,
    )
    await member.start()
    try:
        with pytest.raises(RecoveryError, match="Stop all of them"):
            await to_postgres(settings)
        with pytest.raises(RecoveryError, match="Stop all of them"):
            await to_kafka(settings)
    finally:
        await member.stop()


async def test_recreated_topics_get_what_is_stored_and_lanes_start_over(
    stage: Stage,
) -> None:
    await stage.send_story()
    await stage.work()
    await recreate_topics(stage)

    recovered = await to_kafka(stage.settings)

    assert (recovered.events, recovered.answers) == (9, 6)
    assert recovered.next_offsets == {0: 0, 1: 0}
    findings, verified = await stage.verify()
    assert findings == []
    assert verified.retained.events.records == 9


async def test_only_what_is_young_enough_is_published_to_recreated_topics(
    stage: Stage,
) -> None:
    await stage.send_story()
    await stage.work()
    since = datetime.now(UTC)
    stage.begin_other_story()
    await stage.send_story()
    await stage.work()
    await recreate_topics(stage)

    recovered = await to_kafka(stage.settings, since)

    assert (recovered.events, recovered.answers) == (9, 6)


async def test_a_group_without_its_offsets_goes_on_at_what_is_not_handled(stage: Stage) -> None:
    await stage.send_story()
    await stage.work()
    await delete_group(stage.settings.kafka_bootstrap_servers, stage.settings.consumer_group)
    stage.begin_other_story()
    await stage.send_story()
    unhandled = {
        lane.partition: records[0].offset for lane, records in (await stage.fetch()).items()
    }

    recovered = await to_kafka(stage.settings)

    assert (recovered.events, recovered.answers) == (0, 0)
    assert recovered.next_offsets == recovered.next_offsets | unhandled
    assert (await stage.verify())[0] == []


async def test_a_worker_that_sleeps_in_its_transaction_is_shut_out_and_its_batch_left_to_the_next(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.note_beginnings()
    await stage.send_story()
    sleepers: list[AIOKafkaProducer] = []

    async def fall_asleep(producer: AIOKafkaProducer) -> None:
        sleepers.append(producer)

    with monkeypatch.context() as patch:
        patch.setattr(AIOKafkaProducer, "commit_transaction", fall_asleep)
        for lane, records in (await stage.fetch()).items():
            await stage.handle(lane, records)

    # Until Kafka ends it by itself, an open transaction hides all that comes after it.
    async with asyncio.timeout(TRANSACTION_TIMEOUT_MS / 1000 / 2):
        recovered = await to_kafka(stage.settings)

    assert (recovered.events, recovered.answers) == (0, 0)
    assert sleepers
    for sleeper in sleepers:
        with pytest.raises(ProducerFenced):
            await sleeper.commit_transaction()
    async with staged(stage.settings) as other:
        await other.work()
        assert (await other.verify())[0] == []


async def test_events_of_another_clusters_transactions_are_shown_again_in_their_order(
    stage: Stage,
) -> None:
    await stage.send_story()
    await stage.work()
    await stage.execute("UPDATE events SET transaction_id = '9000000000'")
    assert {f.kind for f in (await stage.verify())[0]} == {FindingKind.FEED_HIDDEN}

    recovered = [await recover_feed(stage.settings) for _ in range(2)]

    assert recovered == [9, 0]
    assert (await stage.verify())[0] == []


async def recreate_topics(stage: Stage) -> None:
    """Recreate all topics and forget the group, as on a new cluster."""
    settings = stage.settings
    names = (*stage.topics, settings.topic_dead_letter)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics(list(names))
        await delete_group(settings.kafka_bootstrap_servers, settings.consumer_group)
        for name in names:
            # Deletion is asynchronous: the name is free only at its end.
            await eventually(lambda name=name: _is_created(admin, name), seconds=120)  # type: ignore[misc]
        # Brokers may report a new topic as missing for a moment.
        await eventually(
            lambda: existing_topics(settings),
            until=lambda topics: set(names) <= set(topics),
            seconds=60,
        )
    finally:
        await admin.close()


async def _is_created(admin: AIOKafkaAdminClient, name: str) -> bool:
    answer = await admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    ((_, code, *_),) = answer.topic_errors
    return bool(code == 0)
