"""A backlog waits in Kafka and not in the worker's memory, and delays no other lane."""

import os
import time
from collections.abc import AsyncIterator, Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from invoicing.runtime.kafka.topics import partition_of
from tests.support.service.commands import create_invoice
from tests.support.service.service import Service, Worker, running_service
from tests.support.stack.kafka import Kafka
from tests.support.stack.topics import Topics
from tests.support.stack.wait import eventually

pytestmark = pytest.mark.real_kafka

WORKER_MEBIBYTES_MAX = 200
# From a backlog's first tenth on. What is kept for each command would show; a cache that fills, or
# a fetch that was larger, may.
GROWTH_MEBIBYTES_MAX = 40
BACKLOG = int(os.environ.get("BACKLOG_COMMANDS", "200000"))
BACKLOG_SECONDS_MAX = 3600
SENT_AT_ONCE = 2000
PARTITIONS = 8


@pytest.fixture
async def backlogged(
    kafka: Kafka, topics: Topics, database: str, tmp_path: Path
) -> AsyncIterator[Service]:
    """A service whose answers are looked at in Postgres only: to read them all takes longer."""
    async with running_service(kafka.bootstrap, database, topics, tmp_path, tails=False) as made:
        yield made


async def test_a_hot_partition_starves_no_other(backlogged: Service) -> None:
    hot = [create_invoice(name) for name in islice(invoices_at_home_in(0), 6_000)]
    cold = [
        create_invoice(name)
        for partition in range(1, PARTITIONS)
        for name in islice(invoices_at_home_in(partition), 5)
    ]
    await backlogged.send(hot)
    await backlogged.send(cold)

    worker = await backlogged.ready_worker()
    await all_answered(backlogged, len(hot) + len(cold), seconds=120)

    (row,) = await backlogged.rows(
        'SELECT count(*) AS hot_later FROM commands WHERE "partition" = 0 AND recorded_at >'
        ' (SELECT max(recorded_at) FROM commands WHERE "partition" <> 0)'
    )
    assert row["hot_later"] > len(hot) / 2
    assert mebibytes_max(worker) < WORKER_MEBIBYTES_MAX


async def test_a_slow_postgres_slows_consumption_and_nothing_else(backlogged: Service) -> None:
    commands = [create_invoice(name) for name in islice(invoices_at_home_in(0), 6_000)]
    worker = await backlogged.ready_worker()

    async with backlogged.locked("commands"):
        await backlogged.send(commands)
        await eventually(lambda: "store_interrupted" in worker.log, seconds=60)
        alive, _ = worker.get("/health/live")
    await all_answered(backlogged, len(commands), seconds=120)

    assert alive == 200
    assert mebibytes_max(worker) < WORKER_MEBIBYTES_MAX


@pytest.mark.soak
@pytest.mark.timeout(7200)
async def test_memory_stays_flat_however_long_the_backlog(
    backlogged: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    names = (f"inv_{number}" for number in count())
    for _ in range(0, BACKLOG, SENT_AT_ONCE):
        await backlogged.send(map(create_invoice, islice(names, SENT_AT_ONCE)))

    worker = await backlogged.ready_worker()
    began = time.monotonic()
    mebibytes = []
    for tenth in range(1, 11):
        await all_answered(backlogged, BACKLOG * tenth // 10, seconds=BACKLOG_SECONDS_MAX)
        mebibytes.append(mebibytes_max(worker))
    seconds = time.monotonic() - began

    with capsys.disabled():
        print(f"\n{BACKLOG} commands in {seconds:.0f} s; MiB at most, by tenths: {mebibytes}")
    assert mebibytes[-1] < WORKER_MEBIBYTES_MAX
    assert mebibytes[-1] - mebibytes[0] < GROWTH_MEBIBYTES_MAX


def invoices_at_home_in(partition: int) -> Iterator[str]:
    names = (f"inv_{number}" for number in count())
    return (name for name in names if partition_of(name.encode(), PARTITIONS) == partition)


async def all_answered(service: Service, number: int, seconds: float) -> None:
    async def handled() -> int:
        # Each lane's mark is the number of its records: nothing but commands is in the topic.
        (row,) = await service.rows("SELECT coalesce(sum(next_offset), 0) AS records FROM lanes")
        return int(row["records"])

    await eventually(handled, until=lambda seen: seen >= number, seconds=seconds)


def mebibytes_max(worker: Worker) -> int:
    """The most memory that it has had so far."""
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024
