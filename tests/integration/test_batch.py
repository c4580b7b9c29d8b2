"""A batch on a real database: load, decide, append, and what is to be published of it."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest

from invoicing.domain import handling
from invoicing.domain.numbering import format_number
from invoicing.domain.sellers import Sellers
from invoicing.runtime.postgres import Pool
from invoicing.store import rendering
from invoicing.store.errors import DatabaseBehindError, is_infrastructure_error
from invoicing.store.postgres import PostgresStore
from invoicing.store.rows import Loaded, Position
from invoicing.worker.batch import BatchHandler
from invoicing.worker.outgoing import OutgoingMessages
from invoicing.worker.records import LaneState, Record
from tests.support.service.commands import (
    Sent,
    create_invoice,
    invoice_id,
    record_payment,
    void_invoice,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

# Of one partition, so every invoice is routed there; a partition that was added owns none.
LANE = LaneState("commands", 0, checkpoint=0, routing_partitions=1)
ADDED_LANE = LaneState("commands", 1, checkpoint=0, routing_partitions=1)

Handle = Callable[..., Any]


@pytest.fixture
def handle(pool: Pool) -> Handle:
    """Handles commands from this offset on, in a lane that owns every invoice."""
    sellers = Sellers()
    store = PostgresStore(pool, partial(format_number, sellers=sellers), "group")
    handler = BatchHandler(store, sellers, lambda: NOW)

    async def at(
        commands: Sequence[Sent],
        offset: int = 0,
        *,
        lane: LaneState = LANE,
        timestamp_ms: int = 0,
    ) -> OutgoingMessages:
        records = [
            record(command, offset + place, timestamp_ms) for place, command in enumerate(commands)
        ]
        return await handler.handle(records, lane)

    return at


def record(command: Sent, offset: int, timestamp_ms: int = 0) -> Record:
    position = Position("commands", 0, offset)
    return Record(position, command.subject.encode(), command.value, (), timestamp_ms)


def answers(outgoing: OutgoingMessages) -> list[dict[str, Any]]:
    return [json.loads(answer.document)["data"] for answer in outgoing.replies]


def event_types(outgoing: OutgoingMessages) -> list[str]:
    return [event.type for event in outgoing.events]


async def test_invoices_stay_at_home_when_partitions_are_added(pool: Pool) -> None:
    store = PostgresStore(pool, partial(format_number, sellers=Sellers()), "group")

    assert await store.pin_partition_count("commands", 8) == 8
    assert await store.pin_partition_count("commands", 12) == 8


async def test_a_redelivered_batch_publishes_what_is_stored(handle: Handle) -> None:
    subject = invoice_id()
    commands = [create_invoice(subject), record_payment(subject), void_invoice(subject)]
    first = await handle(commands)

    again = await handle(commands)

    assert [e.document for e in again.events] == [e.document for e in first.events]
    assert [a.document for a in again.replies] == [a.document for a in first.replies]
    assert "\x7f" not in first.events[1].document


async def test_a_batch_redelivered_after_midnight_keeps_its_dates(
    handle: Handle, pool: Pool
) -> None:
    commands = [create_invoice(invoice_id())]
    first = await handle(commands)
    sellers = Sellers()
    store = PostgresStore(pool, partial(format_number, sellers=sellers), "group")
    restarted = BatchHandler(store, sellers, lambda: NOW + timedelta(days=1))

    again = await restarted.handle([record(commands[0], 0)], LANE)

    assert [e.document for e in again.events] == [e.document for e in first.events]


async def test_a_batch_redelivered_in_part_goes_on_where_it_was(handle: Handle) -> None:
    subject = invoice_id()
    commands = [create_invoice(subject), record_payment(subject)]
    await handle(commands[:1])

    outgoing = await handle(commands)

    assert event_types(outgoing) == [
        "invoice.created", "invoice.opened", "invoice.payment_recorded", "invoice.paid",
    ]  # fmt: skip
    assert [event.version for event in outgoing.events] == [1, 2, 3, 4]


async def test_a_repeat_at_another_offset_publishes_the_answer_alone(handle: Handle) -> None:
    command = create_invoice(invoice_id())
    first = await handle([command])

    repeat = await handle([command], offset=7)

    assert repeat.events == []
    assert [a.document for a in repeat.replies] == [a.document for a in first.replies]


async def test_a_repeat_inside_one_batch_changes_nothing_twice(handle: Handle) -> None:
    command = create_invoice(invoice_id())

    outgoing = await handle([command, command])

    assert event_types(outgoing) == ["invoice.created", "invoice.opened"]
    assert outgoing.replies[0].document == outgoing.replies[1].document


async def test_a_command_of_another_lane_is_forwarded_and_not_handled(
    handle: Handle, pool: Pool
) -> None:
    command = create_invoice(invoice_id())

    outgoing = await handle([command], lane=ADDED_LANE)

    assert [forward.invoice_id for forward in outgoing.forwards] == [command.subject]
    assert outgoing.replies == []
    assert await pool.fetchval("SELECT count(*) FROM commands") == 0


async def test_what_was_stored_here_is_published_from_here_even_when_homes_change(
    handle: Handle,
) -> None:
    command = create_invoice(invoice_id())
    await handle([command])

    outgoing = await handle([command], lane=ADDED_LANE)

    assert event_types(outgoing) == ["invoice.created", "invoice.opened"]
    assert outgoing.forwards == []


async def test_only_the_culprit_is_set_aside_when_deciding_fails(
    handle: Handle, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad, later = (create_invoice(invoice_id()) for _ in range(3))
    decide = handling.decide

    def fail_for_one(invoice: Any, command: Any, context: Any) -> Any:
        if command.invoice_id == bad.subject:
            raise ZeroDivisionError("a defect; with a secret in it")
        return decide(invoice, command, context)

    monkeypatch.setattr(handling, "decide", fail_for_one)

    outgoing = await handle([good, bad, later])

    (dead_letter,) = outgoing.dead_letters
    assert dead_letter.record.value == bad.value
    assert dead_letter.failure.reason == "processing_failed"
    assert "ZeroDivisionError" in dead_letter.failure.message
    assert "secret" not in dead_letter.failure.message
    assert [answer["invoice_id"] for answer in answers(outgoing)] == [
        good.subject,
        later.subject,
    ]
    assert await pool.fetchval("SELECT count(*) FROM commands") == 2


async def test_a_failure_that_does_not_come_again_sets_nothing_aside(
    handle: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [RuntimeError("the connection is in no state for this")]
    append = PostgresStore.append

    async def fail_once(store: PostgresStore, write_batch: Any) -> Any:
        if failures:
            raise failures.pop()
        return await append(store, write_batch)

    monkeypatch.setattr(PostgresStore, "append", fail_once)

    outgoing = await handle([create_invoice(invoice_id())])

    assert outgoing.dead_letters == []
    assert event_types(outgoing) == ["invoice.created", "invoice.opened"]


async def test_an_invoice_too_large_for_an_event_is_refused(
    handle: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "EVENT_BYTES_MAX", 2_000)
    items = [{"description": "ä" * 500, "unit_price": "1.00"} for _ in range(5)]

    outgoing = await handle([create_invoice(invoice_id(), items=items)])

    assert answers(outgoing)[0]["code"] == "limit_exceeded"
    assert outgoing.events == []


async def test_a_clock_set_back_puts_no_event_before_the_last(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([NOW, datetime(2026, 11, 19, tzinfo=UTC)])
    sellers = Sellers()
    store = PostgresStore(pool, partial(format_number, sellers=sellers), "group")
    handler = BatchHandler(store, sellers, lambda: next(times))
    subject = invoice_id()
    await handler.handle([record(create_invoice(subject), 0)], LANE)

    outgoing = await handler.handle([record(void_invoice(subject), 1)], LANE)

    assert outgoing.events[0].recorded_at == NOW


@pytest.mark.parametrize(
    ("timestamp_ms", "day"),
    [(1_782_864_000_000, "2026-07-01"), (0, "2026-11-20"), (-1, "2026-11-20")],
)
async def test_a_command_without_a_time_is_of_its_records_day_or_else_of_today(
    handle: Handle, timestamp_ms: int, day: str
) -> None:
    timeless = Sent(**{**vars(create_invoice(invoice_id())), "attributes": {"time": None}})

    outgoing = await handle([timeless], timestamp_ms=timestamp_ms)

    document = json.loads(outgoing.events[0].document)["data"]["invoice"]
    assert document["document_date"] == day


async def test_parallel_lanes_number_one_seller_without_gap_or_repeat(
    handle: Handle, pool: Pool
) -> None:
    batches = [[create_invoice(invoice_id()) for _ in range(20)] for _ in range(8)]

    await asyncio.gather(
        *(handle(commands, offset=100 * lane) for lane, commands in enumerate(batches))
    )

    numbers = await pool.fetch("SELECT invoice_number FROM invoices")
    assert sorted(int(row[0].rpartition("-")[2]) for row in numbers) == list(range(1, 161))


async def test_a_failed_append_takes_no_number(handle: Handle, pool: Pool) -> None:
    taken = create_invoice(invoice_id())
    await handle([taken])
    other_lane = Sent("CreateInvoice", invoice_id(), taken.data, id=taken.id)

    # Its answer is already there, under another lane's hand: the append fails as a whole.
    with pytest.raises(asyncpg.UniqueViolationError) as caught:
        await _append_blindly(pool, other_lane)
    assert is_infrastructure_error(caught.value)

    await handle([create_invoice(invoice_id())], offset=9)
    numbers = await pool.fetch("SELECT invoice_number FROM invoices")
    assert sorted(int(row[0].rpartition("-")[2]) for row in numbers) == [1, 2]


async def _append_blindly(pool: Pool, command: Sent) -> None:
    """As a worker would that loaded before the other one committed."""
    sellers = Sellers()
    store = PostgresStore(pool, partial(format_number, sellers=sellers), "group")

    async def load_nothing(*_: Any) -> Any:
        return Loaded({}, {}, {})

    store.load = load_nothing  # type: ignore[method-assign]
    await BatchHandler(store, sellers, lambda: NOW).handle([record(command, 5)], LANE)


@pytest.mark.parametrize(
    "lost", ["DELETE FROM lanes", "UPDATE lanes SET next_offset = next_offset - 1"]
)
async def test_a_database_that_has_forgotten_the_last_batch_takes_no_other(
    handle: Handle, pool: Pool, database: str, lost: str
) -> None:
    """As after a failover to a standby that lacked it; nobody is to number on from there."""
    await handle([create_invoice(invoice_id())], offset=6)
    owner = await asyncpg.connect(database)
    await owner.execute(lost)
    await owner.close()

    with pytest.raises(DatabaseBehindError) as caught:
        await handle([create_invoice(invoice_id())], offset=8, lane=replace(LANE, checkpoint=7))

    assert is_infrastructure_error(caught.value)
    assert await pool.fetchval("SELECT count(*) FROM invoices") == 1


@pytest.mark.parametrize("statement", ["UPDATE events SET type = 'x'", "DELETE FROM commands"])
async def test_the_writer_cannot_change_what_happened(
    handle: Handle, pool: Pool, statement: str
) -> None:
    await handle([create_invoice(invoice_id())])

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(statement)


@pytest.mark.parametrize("statement", ["UPDATE events SET type = 'x'", "TRUNCATE commands"])
async def test_not_even_the_owner_can_change_what_happened(database: str, statement: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await connection.execute(statement)
    finally:
        await connection.close()
