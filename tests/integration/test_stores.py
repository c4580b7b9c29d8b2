"""What every event store promises, whether it keeps its rows in Postgres or in memory."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial

import asyncpg
import pytest

from invoicing.domain.numbering import NumberRequest, NumberSeries, format_number
from invoicing.domain.sellers import Sellers
from invoicing.runtime.settings import read_settings
from invoicing.store.errors import DatabaseBehindError
from invoicing.store.memory import MemoryStore
from invoicing.store.placeholders import placeholders
from invoicing.store.postgres import PostgresStore, open_writer_pool
from invoicing.store.protocol import EventStore
from invoicing.store.rows import Position, StoredEvent, StoredReply, WriteBatch

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SERIES = NumberSeries("default", "invoice", "")


@pytest.fixture(params=["postgres", "memory"])
async def store(request: pytest.FixtureRequest, database: str) -> AsyncIterator[EventStore]:
    numbered = partial(format_number, sellers=Sellers())
    if request.param == "memory":
        yield MemoryStore(numbered)
        return
    pool = await open_writer_pool(read_settings({}, postgres_dsn=database))
    yield PostgresStore(pool, numbered, "group")
    await pool.close()


def batch(offset: int, *invoice_ids: str, checkpoint: int = 0) -> WriteBatch:
    """A batch that creates these invoices, each with a number, by a command of the same id."""
    made = WriteBatch(Position("commands", 0, offset).next, checkpoint)
    next_number = placeholders()
    for index, id_ in enumerate(invoice_ids):
        key, placeholder = ("/tests", id_), next_number()
        position = Position("commands", 0, offset - len(invoice_ids) + index + 1)
        made.events.append(StoredEvent(id_, 1, "invoice.opened", placeholder, key, NOW))
        made.replies.append(StoredReply(key, id_, b"hash", "{}", (1, 1), position, NOW))
        made.numbers.append(NumberRequest(SERIES, placeholder))
    return made


def numbers_of(events: object) -> list[int]:
    return [int(event.document.rpartition("-")[2]) for event in events]  # type: ignore[attr-defined]


async def test_an_append_returns_its_events_as_they_are_stored(store: EventStore) -> None:
    decided = batch(1, "inv_a", "inv_b")

    stored = await store.append(decided)

    assert numbers_of(stored) == [1, 2]
    assert decided.events[0].document == decided.numbers[0].placeholder
    key, position = ("/tests", "inv_b"), Position("commands", 0, 1)
    loaded = await store.load(["inv_b"], {key: [position]})
    assert loaded.replies[key] == decided.replies[1]
    assert list(loaded.events[key]) == [stored[1]]


async def test_a_repeat_at_another_position_gets_the_reply_without_events(
    store: EventStore,
) -> None:
    await store.append(batch(0, "inv_a"))
    key = ("/tests", "inv_a")

    loaded = await store.load(["inv_a"], {key: [Position("commands", 0, 7)]})

    assert key in loaded.replies
    assert not loaded.events


async def test_a_batch_with_a_key_that_is_taken_leaves_nothing_behind(store: EventStore) -> None:
    await store.append(batch(0, "inv_a"))

    with pytest.raises(asyncpg.UniqueViolationError) as caught:
        await store.append(batch(2, "inv_b", "inv_a"))

    assert caught.value.constraint_name == "commands_pkey"
    assert not (await store.load([], {("/tests", "inv_b"): []})).replies
    assert await store.next_offsets("commands") == {0: 1}
    assert numbers_of(await store.append(batch(3, "inv_c"))) == [2]


async def test_a_store_that_does_not_know_the_checkpoint_takes_nothing(store: EventStore) -> None:
    await store.append(batch(0, "inv_a"))

    with pytest.raises(DatabaseBehindError):
        await store.append(batch(5, "inv_b", checkpoint=5))

    await store.append(batch(5, "inv_b", checkpoint=1))
    assert await store.next_offsets("commands") == {0: 6}


async def test_the_first_partition_count_stays(store: EventStore) -> None:
    assert await store.pin_partition_count("commands", 8) == 8
    assert await store.pin_partition_count("commands", 12) == 8
    assert await store.routing_partitions("commands") == 8
