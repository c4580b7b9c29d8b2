"""A round of chaos: load, workers, faults; then peace, and every promise is checked."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic

from tests.chaos.load import Load
from tests.service.promises import (
    assert_events_are_the_stored_ones,
    assert_numbers_without_gap_or_repeat,
    assert_versions_without_gap_or_repeat,
)
from tests.service.service import SESSION_TIMEOUT_SECONDS, Service, Worker
from tests.stack.kafka import RestartableKafka
from tests.stack.postgres import RestartablePostgres
from tests.stack.wait import POLL_INTERVAL_SECONDS

WORKERS = 3
RECORDS_AT_ONCE = 50
# Small batches have more steps to be hit at, and what is behind must be caught up with at the end.
BEHIND_MAX = 5_000
STEPS = ("copying", "stored", "sent", "offsets", "committed")
FAULTY = "tests.service.faulty_worker"
PEACE_SECONDS_MAX = 120

Fault = Callable[[], Awaitable[None]]


@dataclass
class Chaos:
    """One round. `faults` counts what was done to the service."""

    service: Service
    kafka: RestartableKafka
    postgres: RestartablePostgres
    seed: int
    faults: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.load = Load(self.chance, self.service.topics.partitions)
        self._workers: list[Worker] = []
        self._sleepers: set[asyncio.Task[None]] = set()
        self._asleep: set[Worker] = set()
        self._started = 0

    async def run(self, seconds: float, kinds: dict[str, float]) -> None:
        """Let faults of these kinds, by weight, happen for so long; then check."""
        for _ in range(WORKERS):
            self._start_worker()
        feeding = asyncio.create_task(self._feed())
        until = monotonic() + seconds
        while monotonic() < until:
            (kind,) = self.chance.choices(list(kinds), list(kinds.values()))
            await getattr(self, f"_{kind}")()
            self.faults[kind] += 1
            await asyncio.sleep(self.chance.uniform(0.1, 1.5))  # the rhythm of the faults
            self._replace_the_dead()
        feeding.cancel()
        await asyncio.wait({feeding})
        assert feeding.cancelled(), feeding.exception()
        await self._make_peace()
        await self._check()

    async def _feed(self) -> None:
        while True:
            await asyncio.shield(asyncio.ensure_future(self._send(RECORDS_AT_ONCE)))
            while self._behind > BEHIND_MAX:  # noqa: ASYNC110 (nobody could set an event)
                await asyncio.sleep(POLL_INTERVAL_SECONDS)

    async def _send(self, number: int) -> None:
        futures = []
        for _ in range(number):
            key, value, partition = self.load.next_record()
            futures.append(
                await self.service.producer.send(
                    self.service.topics.commands, value, key=key, partition=partition
                )
            )
        for future in futures:
            await future

    @property
    def _behind(self) -> int:
        return sum(self.load.sent.values()) - len(self.service.answers.documents)

    async def _make_peace(self) -> None:
        if self._sleepers:
            await asyncio.wait(self._sleepers)
        self._replace_the_dead()
        await self.service.producer.flush()
        answered = sum(self.load.sent.values())
        await self.service.answers.count(answered, seconds=PEACE_SECONDS_MAX)
        await self.service.dead_letters.count(self.load.broken, seconds=PEACE_SECONDS_MAX)

    async def _check(self) -> None:
        await assert_events_are_the_stored_ones(self.service)
        assert_versions_without_gap_or_repeat(self.service)
        assert_numbers_without_gap_or_repeat(self.service)
        by_command = self.service.answers_by_command()
        assert Counter({key: len(got) for key, got in by_command.items()}) == self.load.sent
        for answers in by_command.values():
            assert all(answer == answers[0] for answer in answers)
        assert len(self.service.dead_letters.records) == self.load.broken
        await self.service.verify()

    def _start_worker(self) -> None:
        self._started += 1
        settings = {"INVOICING_RETRY_LIMIT_SECONDS": "30"}
        if self.chance.random() < 0.5:
            settings["INVOICING_GROUP_INSTANCE_ID"] = f"worker-{self._started}"
        module = "ops.main"
        if self.chance.random() < 0.5:
            step, batch = self.chance.choice(STEPS), self.chance.randrange(1, 6)
            number = self.chance.choice(["SIGKILL", "SIGKILL", "SIGSTOP"])
            settings["FAULT"] = f"{step}:{batch}:{number}"
            module = FAULTY
        self._workers.append(self.service.start_worker(module, **settings))

    def _replace_the_dead(self) -> None:
        for worker in list(self._workers):
            code = worker.process.poll()
            if code is not None:
                # SIGTERM ends a process that has not come as far as to listen for it.
                assert code in (0, -signal.SIGKILL, -signal.SIGTERM), worker.log[-2000:]
                self.faults["killed at a step"] += code == -signal.SIGKILL
                self._workers.remove(worker)
            elif worker.is_stopped and worker not in self._asleep:
                self.faults["stopped at a step"] += 1
                self._wake_later(worker)
        while len(self._workers) < WORKERS:
            self._start_worker()

    async def _kill(self) -> None:
        worker = self.chance.choice(self._workers)
        worker.signal(signal.SIGKILL)
        worker.process.wait()
        self._workers.remove(worker)

    async def _terminate(self) -> None:
        worker = self.chance.choice(self._workers)
        worker.signal(signal.SIGTERM)

    async def _stop_for_longer_than_a_session(self) -> None:
        worker = self.chance.choice(self._workers)
        if not worker.is_stopped:
            worker.signal(signal.SIGSTOP)
            self._wake_later(worker)

    async def _join(self) -> None:
        self._start_worker()

    async def _restart_postgres(self) -> None:
        await asyncio.to_thread(self.postgres.stop)
        await asyncio.to_thread(self.postgres.start)

    async def _restart_kafka(self) -> None:
        await asyncio.to_thread(self.kafka.stop)
        await asyncio.to_thread(self.kafka.start)

    def _wake_later(self, worker: Worker) -> None:
        async def wake() -> None:
            await asyncio.sleep(SESSION_TIMEOUT_SECONDS * self.chance.uniform(0.5, 1.5))
            if worker.process.poll() is None:
                worker.signal(signal.SIGCONT)
            self._asleep.discard(worker)

        self._asleep.add(worker)
        task = asyncio.create_task(wake())
        self._sleepers.add(task)
        task.add_done_callback(self._sleepers.discard)
