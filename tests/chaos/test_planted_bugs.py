"""A harness that cannot see a bug proves nothing: real workers with planted ones are found out.

What needs an interleaving that no real process can be made to take, the simulation plants.
"""

import json
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.workers import ForkedWorker
from tests.support.service.commands import create_invoice, invoice_id
from tests.support.service.service import Service, running_service
from tests.support.stack.kafka import Kafka
from tests.support.stack.ports import free_port
from tests.support.stack.topics import Topics
from tests.support.stack.wait import eventually

pytestmark = pytest.mark.real_kafka

Start = Callable[..., ForkedWorker]
COMMANDS = 40


@pytest.fixture
async def service(
    kafka: Kafka, topics: Topics, database: str, tmp_path: Path
) -> AsyncIterator[Service]:
    async with running_service(kafka.bootstrap, database, topics, tmp_path) as made:
        yield made


@pytest.fixture
def start(service: Service, tmp_path: Path) -> Iterator[Start]:
    """Start a worker with a bug."""
    workers: list[ForkedWorker] = []

    def started(bug: str, fault: str = "") -> ForkedWorker:
        environment = {
            **service.environment,
            "INVOICING_METRICS_PORT": str(free_port()),
            "INVOICING_RETRY_LIMIT_SECONDS": "5",
            "BUG": bug,
            "FAULT": fault,
        }
        if "SIGSTOP" not in fault:
            environment["INVOICING_GROUP_INSTANCE_ID"] = f"{len(workers)}"
        workers.append(ForkedWorker(environment, tmp_path / f"{len(workers)}.log"))
        return workers[-1]

    yield started
    for worker in workers:
        worker.close()


async def found(service: Service) -> set[str]:
    """The kinds of what `invoicing verify` finds."""
    _, said = await service.verified()
    return {json.loads(line).get("finding") for line in said.splitlines() if line.startswith("{")}


@pytest.mark.parametrize(
    ("bug", "finding"),
    [
        ("swap_two_events", "events_out_of_order"),
        ("drop_an_answer", "answer_missing"),
    ],
)
async def test_a_bug_without_any_fault_is_found(
    service: Service, start: Start, bug: str, finding: str
) -> None:
    start(bug)
    await service.send([create_invoice(invoice_id()) for _ in range(COMMANDS)])

    await eventually(lambda: found(service), until=lambda kinds: finding in kinds, seconds=60)


@pytest.mark.parametrize(
    ("bug", "step", "finding"),
    [
        ("commit_the_offset_first", "loading", "command_unanswered"),
        ("publish_before_the_commit", "committed", "event_unknown"),
    ],
)
async def test_a_bug_is_found_when_a_kill_reveals_it(
    service: Service, start: Start, bug: str, step: str, finding: str
) -> None:
    worker = start(bug, f"{step}:1:SIGKILL")
    # One lane alone: another would be killed inside a transaction, which nobody is there to settle.
    await service.send([create_invoice(invoice_id())])
    await eventually(lambda: worker.exit_code, until=lambda code: code is not None, seconds=90)

    await eventually(lambda: found(service), until=lambda kinds: finding in kinds, seconds=60)


async def test_a_lane_that_remembers_no_offset_is_found_after_a_kill(
    service: Service, start: Start
) -> None:
    worker = start("remember_no_offset")
    await service.send([create_invoice(invoice_id()) for _ in range(COMMANDS)])
    await service.answers.count(COMMANDS)
    worker.signal(signal.SIGKILL)

    start("remember_no_offset")

    await eventually(
        lambda: found(service), until=lambda kinds: "event_repeated" in kinds, seconds=60
    )


async def test_a_sleeper_that_nobody_fences_is_found_when_it_wakes(
    service: Service, start: Start
) -> None:
    sleeper = start("fence_nobody", "sent:1:SIGSTOP")
    await service.send([create_invoice(invoice_id()) for _ in range(COMMANDS)])
    await eventually(lambda: sleeper.is_stopped, seconds=30)

    start("fence_nobody")
    await eventually(lambda: _stored(service), until=lambda stored: stored == COMMANDS, seconds=30)
    sleeper.signal(signal.SIGCONT)

    await eventually(
        lambda: found(service), until=lambda kinds: "event_repeated" in kinds, seconds=60
    )


async def test_a_worker_that_remembers_no_answer_is_refused_by_postgres_and_gives_up(
    service: Service, start: Start
) -> None:
    worker = start("remember_no_answer")
    command = create_invoice(invoice_id())

    await service.ask(command)
    await service.send([command])

    await eventually(lambda: worker.exit_code, until=lambda code: code is not None, seconds=60)
    assert worker.exit_code == 1
    assert "commands_pkey" in worker.log


async def test_a_number_taken_twice_is_refused_by_postgres_and_set_aside(
    service: Service, start: Start
) -> None:
    start("take_a_number_twice")

    await service.send([create_invoice(invoice_id()) for _ in range(COMMANDS)])

    await service.dead_letters.count(COMMANDS - 1)
    assert len(service.answers.documents) <= 1


async def _stored(service: Service) -> int:
    (row,) = await service.rows("SELECT count(*) FROM commands")
    return int(row["count"])
