"""Batches that wait for one number series share a transaction; each keeps its own outcome."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invoicing.domain.numbering import NumberRequest, NumberSeries, format_number
from invoicing.domain.sellers import Sellers
from invoicing.store import group_commit
from invoicing.store.errors import DatabaseBehindError, is_infrastructure_error
from invoicing.store.group_commit import GroupCommit
from invoicing.store.memory import MemoryStore
from invoicing.store.placeholders import placeholders
from invoicing.store.rows import Position, StoredEvent, StoredReply, WriteBatch

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def batch(
    lane: int, *sellers: str, offset: int = 0, checkpoint: int = 0, id_: str = "", text: str = ""
) -> WriteBatch:
    """A batch that creates one invoice, with a number in the series of each of these sellers."""
    made = WriteBatch(Position("commands", lane, offset).next, checkpoint)
    invoice_id, next_number = id_ or f"inv_{lane}_{offset}", placeholders()
    key = ("/tests", invoice_id)
    for version, seller in enumerate(sellers, start=1):
        number = next_number()
        made.numbers.append(NumberRequest(NumberSeries(seller, "invoice", ""), number))
        made.events.append(
            StoredEvent(invoice_id, version, "invoice.opened", f"{number} {text}", key, NOW)
        )
    position = Position("commands", lane, offset)
    made.replies.append(StoredReply(key, invoice_id, b"hash", "{}", None, position, NOW))
    return made


@dataclass
class Database:
    """A store in memory whose transactions end when the test says so, and how."""

    memory: MemoryStore = field(
        default_factory=lambda: MemoryStore(partial(format_number, sellers=Sellers()))
    )
    under_way: list[tuple[list[int], asyncio.Future[Exception | None]]] = field(
        default_factory=list
    )
    stored_together: list[list[int]] = field(default_factory=list)

    async def store_together(
        self, write_batches: Sequence[WriteBatch]
    ) -> Sequence[Sequence[StoredEvent]]:
        lanes = [write_batch.next.partition for write_batch in write_batches]
        end: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.under_way.append((lanes, end))
        try:
            after_commit = await end
        finally:
            self.under_way.remove((lanes, end))
        stored = await self.memory.append_together(write_batches)
        self.stored_together.append(lanes)
        if after_commit:
            raise after_commit
        return stored

    async def commit(self, at: int = 0, raising: Exception | None = None) -> None:
        """Let the transaction commit, and then perhaps raise: its outcome is not known."""
        self.under_way[at][1].set_result(raising)
        await settled()

    async def fail(self, error: Exception, at: int = 0) -> None:
        """Let the transaction fail, and store nothing."""
        self.under_way[at][1].set_exception(error)
        await settled()

    async def commit_all(self) -> None:
        while self.under_way:
            await self.commit()

    def has(self, write_batch: WriteBatch) -> bool:
        (reply,) = write_batch.replies
        return self.memory.replies.get(reply.command_key) is reply


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


@dataclass
class Lanes:
    """Appends batches by one `GroupCommit`, each as a lane would: in a task."""

    database: Database = field(default_factory=Database)

    def __post_init__(self) -> None:
        self.groups = GroupCommit(self.database.store_together)

    async def append(self, *write_batches: WriteBatch) -> list[asyncio.Task[Sequence[StoredEvent]]]:
        tasks = [asyncio.create_task(self.groups.append(one)) for one in write_batches]
        await settled()
        return tasks

    @property
    def under_way(self) -> list[list[int]]:
        return [lanes for lanes, _ in self.database.under_way]


@pytest.fixture
async def lanes() -> Lanes:
    return Lanes()


async def test_a_batch_whose_series_is_free_is_stored_at_once(lanes: Lanes) -> None:
    await lanes.append(batch(0, "a"), batch(1, "b"), batch(2))

    assert lanes.under_way == [[0], [1], [2]]


async def test_batches_that_wait_for_a_series_are_stored_together(lanes: Lanes) -> None:
    tasks = await lanes.append(*(batch(lane, "a") for lane in range(6)))
    assert lanes.under_way == [[0], [1]]

    await lanes.database.commit()
    assert lanes.under_way == [[1], [2, 3, 4, 5]]

    await lanes.database.commit_all()
    numbers = [event.document for task in tasks for event in await task]
    assert len(set(numbers)) == 6
    assert not lanes.groups._in_use


async def test_a_batch_without_numbers_waits_for_nothing(lanes: Lanes) -> None:
    await lanes.append(*(batch(lane, "a") for lane in range(4)))

    await lanes.append(batch(4))

    assert lanes.under_way == [[0], [1], [4]]


async def test_a_batch_of_two_series_is_not_overtaken_for_ever(lanes: Lanes) -> None:
    await lanes.append(batch(0, "a"), batch(1, "a"), batch(2, "b"))

    await lanes.append(batch(3, "a", "b"), batch(4, "b"))

    assert lanes.under_way == [[0], [1], [2]]
    await lanes.database.commit()
    assert lanes.under_way == [[1], [2], [3, 4]]


async def test_two_batches_of_one_lane_never_share_a_transaction(lanes: Lanes) -> None:
    await lanes.append(batch(0, "a"), batch(1, "a"), batch(2, "a"), batch(2, "a", offset=1))

    await lanes.database.commit()

    assert lanes.under_way == [[1], [2]]


async def test_a_transaction_is_bounded(lanes: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "GROUP_CHARACTERS_MAX", 3_000)
    large = [batch(lane, "a", text="x" * size) for lane, size in enumerate([0, 0, 9_000, 2_000])]
    tasks = await lanes.append(*large, batch(4, "a", text="x" * 500))

    await lanes.database.commit_all()

    assert lanes.database.stored_together == [[0], [1], [2], [3, 4]]
    await asyncio.gather(*tasks)


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (batch(3, "a", offset=7, checkpoint=7), DatabaseBehindError),
        (batch(3, "a", id_="inv_0_0"), asyncpg.UniqueViolationError),
        (batch(3, "a", id_="inv_2_0"), asyncpg.UniqueViolationError),
    ],
)
async def test_only_the_batch_at_fault_fails(
    lanes: Lanes, bad: WriteBatch, error: type[Exception]
) -> None:
    good = [batch(lane, "a") for lane in range(3)]
    *tasks, refused = await lanes.append(*good, bad)

    await lanes.database.commit_all()

    with pytest.raises(error):
        await refused
    await asyncio.gather(*tasks)
    assert all(map(lanes.database.has, good))
    assert not lanes.database.has(bad)
    assert [2, 3] not in lanes.database.stored_together


async def test_an_outage_fails_every_batch_of_the_transaction_once(lanes: Lanes) -> None:
    first, second, *together = await lanes.append(*(batch(lane, "a") for lane in range(5)))
    await lanes.database.commit()
    assert lanes.under_way == [[1], [2, 3, 4]]

    await lanes.database.fail(OSError("connection lost"), at=1)

    for task in together:
        with pytest.raises(OSError, match="connection lost"):
            await task
    assert lanes.under_way == [[1]]
    await lanes.database.commit_all()
    await asyncio.gather(first, second)


async def test_a_lane_that_is_cancelled_in_the_transaction_takes_no_other_with_it(
    lanes: Lanes,
) -> None:
    batches = [batch(lane, "a") for lane in range(4)]
    tasks = await lanes.append(*batches)
    await lanes.database.commit()
    assert lanes.under_way == [[1], [2, 3]]

    tasks[2].cancel()
    await settled()
    await lanes.database.commit_all()

    assert tasks[2].cancelled()
    await tasks[3]
    assert all(map(lanes.database.has, batches))


async def test_a_lane_that_is_cancelled_while_it_waits_stores_nothing(lanes: Lanes) -> None:
    batches = [batch(lane, "a") for lane in range(4)]
    tasks = await lanes.append(*batches)

    tasks[2].cancel()
    await lanes.database.commit_all()

    assert [lanes.database.has(one) for one in batches] == [True, True, False, True]


async def test_a_transaction_that_no_lane_awaits_any_more_is_rolled_back(lanes: Lanes) -> None:
    batches = [batch(lane, "a") for lane in range(4)]
    tasks = await lanes.append(*batches)
    await lanes.database.commit()

    tasks[2].cancel()
    await settled()
    assert lanes.under_way == [[1], [2, 3]]
    tasks[3].cancel()
    await settled()

    assert lanes.under_way == [[1]]
    assert not lanes.groups._in_use["a"]
    await lanes.database.commit_all()
    assert [lanes.database.has(one) for one in batches] == [True, True, False, False]


async def test_a_lane_that_is_cancelled_at_once_leaves_the_series_free(lanes: Lanes) -> None:
    task = asyncio.create_task(lanes.groups.append(batch(0, "a")))
    await asyncio.sleep(0)  # its transaction has not begun

    task.cancel()
    await settled()

    assert lanes.under_way == []
    assert not lanes.groups._in_use


ENDS = ["commit", "fail", "defect", "commit and cut", "commit and defect"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.sets(st.sampled_from("abc")), st.none()),
        st.tuples(st.just("append again"), st.just("a"), st.integers(0, 20)),
        st.tuples(st.just("append behind"), st.sampled_from("abc"), st.none()),
        st.tuples(st.just("cancel"), st.none(), st.integers(0, 20)),
        st.tuples(st.sampled_from(ENDS), st.none(), st.integers(0, 9)),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(steps=STEPS)
def test_each_lane_learns_what_became_of_its_own_batch(steps: list[tuple[str, Any, Any]]) -> None:
    asyncio.run(_play(steps))


async def _play(steps: list[tuple[str, Any, Any]]) -> None:
    lanes = Lanes()
    database = lanes.database
    appended: list[tuple[WriteBatch, asyncio.Task[Sequence[StoredEvent]]]] = []
    for number, (what, sellers, drawn) in enumerate(steps):
        if what.startswith("append"):
            ids = [made.replies[0].invoice_id for made, _ in appended]
            made = batch(
                number,
                *sorted(sellers),
                offset=5,
                checkpoint=5 if what == "append behind" else 0,
                id_=ids[drawn % len(ids)] if what == "append again" and ids else "",
            )
            appended += [(made, task) for task in await lanes.append(made)]
        elif what == "cancel" and appended:
            appended[drawn % len(appended)][1].cancel()
            await settled()
        elif what in ENDS and database.under_way:
            await _end(database, what, drawn % len(database.under_way))
    await database.commit_all()
    for made, task in appended:
        assert task.done()
        if not task.cancelled():
            _assert_outcome_is_true(database, made, task)
    _assert_numbers_without_gap(appended, database.memory)
    assert not lanes.groups._in_use
    assert not lanes.groups._waiting


async def _end(database: Database, how: str, at: int) -> None:
    cut, defect = OSError("connection lost"), RuntimeError("a defect")
    if how.startswith("commit"):
        await database.commit(at, {"commit and cut": cut, "commit and defect": defect}.get(how))
    else:
        await database.fail(cut if how == "fail" else defect, at)


def _assert_outcome_is_true(
    database: Database, made: WriteBatch, task: asyncio.Task[Sequence[StoredEvent]]
) -> None:
    error = task.exception()
    if error is None:
        assert database.has(made)
        assert list(task.result()) == [
            database.memory.events[event.invoice_id, event.version] for event in made.events
        ]
    elif isinstance(error, DatabaseBehindError):
        assert not database.has(made)
    else:
        # It may be stored: the lane loads again, as it does without groups.
        assert is_infrastructure_error(error) or str(error) == "a defect"


def _assert_numbers_without_gap(
    appended: Sequence[tuple[WriteBatch, object]], memory: MemoryStore
) -> None:
    numbers: dict[NumberSeries, list[int]] = defaultdict(list)
    for made, _ in appended:
        for request, event in zip(made.numbers, made.events, strict=True):
            stored = memory.events.get((event.invoice_id, event.version))
            if stored and memory.replies[event.command_key] is made.replies[0]:
                numbers[request.series].append(int(stored.document.rpartition("-")[2]))
    for series in numbers.values():
        assert sorted(series) == list(range(1, len(series) + 1))
