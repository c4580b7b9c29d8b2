"""Real lanes in a made-up world: nothing is found; and what is planted, is found."""

import os
import random
from collections import Counter
from math import ceil
from time import perf_counter
from typing import Any
from zlib import crc32

import pytest
from aiokafka import TopicPartition

from invoicing.domain import entries
from invoicing.store import group_commit
from invoicing.store.group_commit import GroupCommit
from invoicing.store.memory import MemoryStore
from invoicing.store.rows import Loaded, StoredInvoice, WriteBatch
from invoicing.worker.batch import BatchHandler
from invoicing.worker.decisions import Decisions
from invoicing.worker.lane import Lane
from invoicing.worker.outgoing import OutgoingMessages
from invoicing.worker.publisher import Publisher
from tests.simulation import clock
from tests.simulation.kafka import Producer
from tests.simulation.store import SimulatedStore
from tests.simulation.world import World
from tests.support.stack.summary import add_line

SEED = int(os.environ.get("SIMULATION_SEED") or random.SystemRandom().randrange(10**9))
COMMANDS = int(os.environ.get("SIMULATION_COMMANDS", "5000"))
ROUND = 1_000


@pytest.fixture(autouse=True)
def _scarce_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that lanes wait for each other even in a world this small."""
    monkeypatch.setattr(group_commit, "TRANSACTIONS_A_SERIES", 1)


def findings(seed: int, commands: int = ROUND) -> list[str]:
    world = World(seed)
    return clock.run(world.run(commands))


def rounds(commands: int) -> int:
    return max(1, ceil(commands / ROUND))


@pytest.mark.parametrize(("commands", "number"), [(0, 1), (999, 1), (1_000, 1), (1_001, 2)])
def test_a_part_of_a_round_is_a_round(commands: int, number: int) -> None:
    assert rounds(commands) == number


def test_nothing_is_found(pytestconfig: pytest.Config) -> None:
    began = perf_counter()
    for seed in range(SEED, SEED + rounds(COMMANDS)):
        assert findings(seed) == [], f"SIMULATION_SEED={seed} plays it again"
    rate = rounds(COMMANDS) * ROUND / (perf_counter() - began) * 60
    add_line(pytestconfig, f"simulation: {rounds(COMMANDS)} rounds, {rate:,.0f} commands a minute")


@pytest.fixture
def all_in_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every payment, credit note and sending has a row of its own."""
    monkeypatch.setattr(entries, "INLINE_MAX", 0)


@pytest.mark.usefixtures("all_in_rows")
def test_nothing_is_found_with_all_entries_in_rows() -> None:
    assert findings(SEED) == [], f"SIMULATION_SEED={SEED} plays it again"


@pytest.mark.usefixtures("all_in_rows")
def test_a_lost_row_of_an_entry_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = MemoryStore.load_entries

    async def forget_some(store: Any, wanted: Any) -> Any:
        if len(store.events) % 7 == 0 and store.entries:
            store.entries.pop(next(iter(store.entries)))
        return await stored(store, wanted)

    monkeypatch.setattr(MemoryStore, "load_entries", forget_some)

    assert findings(SEED) != []


def test_a_seed_plays_the_same_again() -> None:
    def faults() -> object:
        world = World(7)
        clock.run(world.run(300))
        return world.faults, sorted(world.database.events), world.load.sent

    assert faults() == faults()


def test_lanes_share_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: Counter[int] = Counter()

    async def counted(database: Any, write_batches: Any) -> Any:
        sizes[len(write_batches)] += 1
        return await APPEND_TOGETHER(database, write_batches)

    monkeypatch.setattr(MemoryStore, "append_together", counted)

    for seed in range(3):
        assert findings(seed) == []

    assert max(sizes) > 2


async def read_the_offset_before_shutting_out(lane: Any, publisher: Any) -> None:
    offset = await lane._resume_offset(publisher)
    await publisher.start()
    lane._next_offset, lane.is_open, lane._just_sought = offset, True, True
    lane._seek(offset)
    lane._resume()


def skip_nothing(lane: Any, records: Any) -> None:
    if lane.is_open and not lane._stopping:
        lane._backlog.extend(records)
        lane._woken.set()


async def know_no_replies(store: Any, invoice_ids: Any, commands: Any) -> Loaded:
    await store._process.step("load")
    return await store._database.load(invoice_ids, {})


async def commit_the_offset_first(handler: Any, records: Any, lane: Any) -> OutgoingMessages:
    world_broker = handler._store._process.broker
    last = records[-1].position
    world_broker.committed[TopicPartition(last.topic, last.partition)] = last.offset + 1
    return await HANDLE(handler, records, lane)


async def publish_before_storing(store: Any, write_batch: Any) -> Any:
    store._process.spawn(APPEND(store, write_batch))
    return write_batch.events


def forget_every_hundredth_answer(publisher: Any, outgoing: OutgoingMessages, counts: Any) -> Any:
    if outgoing.replies and crc32(outgoing.replies[0].document.encode()) % 100 == 0:
        outgoing.replies.pop()
    return PACKED(publisher, outgoing, counts)


def swap_a_pair(publisher: Any, outgoing: OutgoingMessages, counts: Any) -> Any:
    if len(outgoing.events) > 4:
        outgoing.events.reverse()
    return PACKED(publisher, outgoing, counts)


def forget_what_is_forwarded(publisher: Any, outgoing: OutgoingMessages, counts: Any) -> Any:
    outgoing.forwards.clear()
    return PACKED(publisher, outgoing, counts)


def fill_in_nothing(batch: WriteBatch, _numbers: Any) -> list[StoredInvoice]:
    return list(batch.invoices.values())


def take_the_same_number_again(database: Any, write_batch: Any) -> Any:
    last = database._last_numbers.copy()
    numbers = TAKE_NUMBERS(database, write_batch)
    database._last_numbers = last
    return numbers


async def wait_for_no_shared_transaction(groups: Any, group: Any) -> None:
    for member in group if len(group) > 1 else ():
        member.stored.set_result(member.write_batch.events)
    await STORE(groups, group)


def publish_no_stored_events(decisions: Any, record: Any, command: Any) -> None:
    decisions._stored_events = {}
    TAKE(decisions, record, command)


def fence_nobody(_producer: Any) -> None:
    pass


HANDLE, APPEND, PACKED = BatchHandler.handle, SimulatedStore.append, Publisher._packed
APPEND_TOGETHER, STORE = MemoryStore.append_together, GroupCommit._store
TAKE_NUMBERS, TAKE = MemoryStore._take_numbers, Decisions.take

PLANTED: dict[str, tuple[type, str, Any]] = {
    "the offset is read before the last owner is shut out": (
        Lane, "_open", read_the_offset_before_shutting_out,
    ),
    "nothing is skipped": (Lane, "offer", skip_nothing),
    "no answer is remembered": (SimulatedStore, "load", know_no_replies),
    "the offset is committed first": (BatchHandler, "handle", commit_the_offset_first),
    "publishing does not wait for the store": (SimulatedStore, "append", publish_before_storing),
    "an answer is dropped": (Publisher, "_packed", forget_every_hundredth_answer),
    "two events are swapped": (Publisher, "_packed", swap_a_pair),
    "a forward is dropped": (Publisher, "_packed", forget_what_is_forwarded),
    "snapshots keep their placeholders": (WriteBatch, "numbered_invoices", fill_in_nothing),
    "a number is taken twice": (MemoryStore, "_take_numbers", take_the_same_number_again),
    "publishing does not wait for a shared transaction": (
        GroupCommit, "_store", wait_for_no_shared_transaction,
    ),
    "stored events are not published": (Decisions, "take", publish_no_stored_events),
    "nobody is fenced": (Producer, "_check_epoch", fence_nobody),
}  # fmt: skip


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, method, bug = PLANTED[name]
    monkeypatch.setattr(owner, method, bug)

    found = (seed for seed in range(100) if findings(seed))

    assert next(found, None) is not None, "a hundred rounds went by, and nothing was found"
