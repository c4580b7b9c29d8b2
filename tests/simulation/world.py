"""A made-up world for real lanes: workers that come, go, crash and sleep, under a load."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import Any

import orjson
from aiokafka import TopicPartition

from invoicing.domain.numbering import format_number
from invoicing.domain.sellers import Sellers
from invoicing.maintenance.verify.history import CurrentState, check_history
from invoicing.runtime.settings import Settings, read_settings
from invoicing.store.memory import MemoryStore
from invoicing.store.placeholders import placeholders
from invoicing.worker.assignment import Lanes
from invoicing.worker.batch import BatchHandler
from invoicing.worker.lane import Lane
from invoicing.worker.publisher import Publisher
from tests.chaos.load import Load
from tests.simulation import kafka
from tests.simulation.kafka import Broker, Consumer
from tests.simulation.process import Process
from tests.simulation.store import SimulatedStore

# In turns: lanes that are busy all the time; and so many that a worker's share transactions.
PARTITIONS = (4, 12)
WORKERS = 3
SESSION_SECONDS = 6.0
HEARTBEAT_SECONDS = 0.5
RECORDS_AT_ONCE = 20
BEHIND_MAX = 400
# Of virtual time: a thousand commands take about 60.
SECONDS_MAX = 600
BEGINNING = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass(eq=False)
class Worker:
    """One worker: real lanes on a made-up process."""

    process: Process
    consumer: Consumer
    lanes: Lanes
    joined: bool = False
    last_seen: float = 0.0

    def crash(self) -> None:
        self.process.crash()
        for task in self.lanes.tasks:
            task.cancel()


class SimulatedPublisher(Publisher):
    """The real one but for a question that goes to Kafka past its producer."""

    async def committed_offset(self) -> int | None:
        offset: int | None = await self._consumer.committed(self._lane)
        return offset


@dataclass
class World:
    """Everything, from a seed."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.partitions = PARTITIONS[self.seed % len(PARTITIONS)]
        self.broker = Broker(self.partitions)
        self.load = Load(self.chance, self.partitions)
        self.settings: Settings = read_settings(
            {}, batch_records_max=7, session_timeout_seconds=SESSION_SECONDS
        )
        self.sellers = Sellers()
        self.database = MemoryStore(partial(format_number, sellers=self.sellers))
        self.workers: list[Worker] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, commands: int) -> list[str]:
        """Let so many commands come while faults happen; then what is found wrong."""
        await self.database.pin_partition_count(self.settings.topic_commands, self.partitions)
        random.seed(self.seed)  # the lanes' own jitter
        for _ in range(WORKERS):
            self._start_worker()
        group = self._spawn(self._run_group())
        faults = self._spawn(self._make_faults())
        try:
            async with asyncio.timeout(SECONDS_MAX):
                await self._feed(commands)
                await self._all_answered()
        except TimeoutError:
            return ["not every command was handled in time"]
        faults.cancel()
        group.cancel()
        for worker in self.workers:
            worker.crash()
        return list(self._findings())

    async def _feed(self, commands: int) -> None:
        sent = 0
        while sent < commands:
            for _ in range(RECORDS_AT_ONCE):
                key, value, partition = self.load.next_record()
                where = TopicPartition(self.settings.topic_commands, partition)
                self.broker.append(where, key, value)
            sent += RECORDS_AT_ONCE
            await asyncio.sleep(self.chance.uniform(0, 0.1))
            while self._behind > BEHIND_MAX:  # noqa: ASYNC110 (virtual time costs nothing)
                await asyncio.sleep(0.1)

    @property
    def _behind(self) -> int:
        topic = self.settings.topic_replies
        answers = sum(len(log) for where, log in self.broker.logs.items() if where.topic == topic)
        return sum(self.load.sent.values()) - answers

    async def _all_answered(self) -> None:
        places = [TopicPartition(self.settings.topic_commands, p) for p in range(self.partitions)]
        while not all(map(self._is_done, places)):  # noqa: ASYNC110 (virtual time costs nothing)
            await asyncio.sleep(1)

    def _is_done(self, where: TopicPartition) -> bool:
        log = self.broker.logs[where]
        readable = [record.offset for record in log if kafka.is_visible(record)]
        return not readable or self.broker.committed.get(where, 0) > readable[-1]

    def _start_worker(self) -> None:
        process = Process(self.chance, self.broker)
        consumer = Consumer(process, self.broker, self.settings.topic_commands)
        store = SimulatedStore(process, self.database)
        handler = BatchHandler(store, self.sellers, self._now)

        def new_lane(where: TopicPartition) -> Lane:
            return Lane(
                where, consumer, handler, store, self.settings, self._new_publisher(process)
            )

        worker = Worker(process, consumer, Lanes(new_lane))
        self.workers.append(worker)
        self._spawn(self._run_consumer(worker))
        worker.lanes.failure.add_done_callback(lambda failure: self._end(worker, failure))

    def _end(self, worker: Worker, failure: asyncio.Future[None]) -> None:
        """A worker that gives up ends, and is started again."""
        if not failure.cancelled() and failure.exception() and worker in self.workers:
            self.faults["gave up"] += 1
            worker.crash()
            self.workers.remove(worker)

    def _new_publisher(self, process: Process) -> Any:
        def new_publisher(settings: Settings, where: TopicPartition, consumer: Any) -> Publisher:
            producer = kafka.Producer(process, self.broker, f"{where.topic}-{where.partition}")
            return SimulatedPublisher(settings, where, consumer, producer)

        return new_publisher

    def _now(self) -> datetime:
        return BEGINNING

    async def _run_consumer(self, worker: Worker) -> None:
        while worker.process.is_alive:
            records = await worker.consumer.fetch()
            worker.lanes.dispatch(records)  # type: ignore[arg-type]

    async def _run_group(self) -> None:
        """The coordinator: whoever is not heard of for a session is out, and all share anew."""
        members: set[int] = set()
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            now = asyncio.get_running_loop().time()
            for worker in self.workers:
                if worker.process.is_alive and worker.process.is_awake:
                    worker.last_seen = now
            heard = [w for w in self.workers if now - w.last_seen <= SESSION_SECONDS]
            if {id(worker) for worker in heard} != members:
                members = {id(worker) for worker in heard}
                await self._rebalance(heard)

    async def _rebalance(self, members: list[Worker]) -> None:
        self.faults["rebalance"] += 1
        able = [w for w in members if w.process.is_alive and w.process.is_awake]
        await asyncio.gather(
            *(w.lanes.on_partitions_revoked(w.consumer.assignment()) for w in able)
        )
        places = [TopicPartition(self.settings.topic_commands, p) for p in range(self.partitions)]
        self.chance.shuffle(places)
        for number, worker in enumerate(able):
            share = set(places[number :: len(able)])
            worker.consumer.assign(share)
            self._spawn(self._tell_assigned(worker, share))

    async def _tell_assigned(self, worker: Worker, share: set[TopicPartition]) -> None:
        await worker.process.step("assigned")
        await worker.lanes.on_partitions_assigned(share)

    async def _make_faults(self) -> None:
        kinds = {self._crash_one: 4, self._send_one_to_sleep: 2, self._let_one_leave: 1}
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / 2.0))
            (fault,) = self.chance.choices(list(kinds), list(kinds.values()))
            worker = self.chance.choice(self.workers)
            if worker.process.is_awake:
                fault(worker)
            while len(self.workers) < WORKERS:
                self._start_worker()

    def _crash_one(self, worker: Worker) -> None:
        self.faults["crash"] += 1
        worker.crash()
        self.workers.remove(worker)

    def _send_one_to_sleep(self, worker: Worker) -> None:
        self.faults["sleep"] += 1
        worker.process.sleep()

        async def wake() -> None:
            await asyncio.sleep(SESSION_SECONDS * self.chance.uniform(0.2, 2.0))
            worker.process.wake()

        self._spawn(wake())

    def _let_one_leave(self, worker: Worker) -> None:
        self.faults["leave"] += 1
        self.workers.remove(worker)

        async def leave() -> None:
            await worker.lanes.stop()
            worker.crash()

        self._spawn(leave())

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _findings(self) -> Iterator[str]:
        events = self.broker.committed_records(self.settings.topic_events)
        published = Counter(record.value for record in events)
        stored = Counter(event.document.encode() for event in self.database.events.values())
        if lost := stored - published:
            yield f"{lost.total()} stored events were never published"
        if extra := published - stored:
            yield f"{extra.total()} events were published more often than stored"
        yield from _wrong_versions([orjson.loads(record.value or b"") for record in events])
        answers = self.broker.committed_records(self.settings.topic_replies)
        yield from self._wrong_answers([orjson.loads(record.value or b"") for record in answers])
        yield from self._wrong_numbers()
        yield from self._wrong_histories()
        yield from self._left_placeholders()
        dead = self.broker.committed_records(self.settings.topic_dead_letter)
        if len(dead) != self.load.broken:
            yield f"{self.load.broken} broken records, {len(dead)} dead letters"

    def _wrong_answers(self, answers: list[Any]) -> Iterator[str]:
        counted: Counter[tuple[str, str]] = Counter()
        said: dict[tuple[str, str], Any] = {}
        for answer in answers:
            key = (answer["data"]["command_source"], answer["data"]["command_id"])
            counted[key] += 1
            if said.setdefault(key, answer) != answer:
                yield f"{key} was answered in two ways"
        for key, number in (self.load.sent - counted).items():
            yield f"{key} was answered {number} times too few"
        for key, number in (counted - self.load.sent).items():
            yield f"{key} was answered {number} times too often"

    def _wrong_numbers(self) -> Iterator[str]:
        """An invoice that is opened again has the number that it had."""
        given: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        for event in self.database.events.values():
            data = orjson.loads(event.document)["data"]
            if event.type == "invoice.opened":
                number, of, kind = data["invoice_number"], data["invoice_id"], "invoice"
            elif event.type == "invoice.credited":
                note = data["credit_note"]
                number, kind = note["credit_note_number"], "credit note"
                of = f"{data['invoice_id']} {note['credit_note_id']}"
            else:
                continue
            series = given[data["seller_id"], kind]
            counted = int(number.rpartition("-")[2])
            if series.setdefault(of, counted) != counted:
                yield f"{of} has two numbers"
        for (seller, kind), series in given.items():
            if sorted(series.values()) != list(range(1, len(series) + 1)):
                yield f"seller {seller} has a gap or a repeat in its {kind} numbers"

    def _wrong_histories(self) -> Iterator[str]:
        """Each invoice's events give its state, and its amounts agree with its journal."""
        ordered = sorted(self.database.events.items())
        for invoice_id, own in groupby(ordered, key=lambda item: item[0][0]):
            columns = self.database.invoices[invoice_id]._asdict()
            columns["labels"] = sorted(columns["labels"] or ())
            rows = self.database.entries.values()
            entries = [row for row in rows if row.invoice_id == invoice_id]
            current = CurrentState(columns.pop("snapshot"), columns, entries)
            checked = check_history(invoice_id, [event for _, event in own], current)
            for finding in checked.findings:
                yield f"{invoice_id}: {finding.kind}: {finding.expected}, found {finding.found}"

    def _left_placeholders(self) -> Iterator[str]:
        """No text of the load has the mark with which every placeholder begins."""
        mark = placeholders()()[0]
        database = self.database
        kept = {
            "event": [event.document for event in database.events.values()],
            "snapshot": [row.snapshot for row in database.invoices.values()],
            "number": [row.invoice_number or "" for row in database.invoices.values()],
            "entry": [row.document for row in database.entries.values()],
        }
        for kind, texts in kept.items():
            if left := sum(mark in text for text in texts):
                yield f"{left} times, a stored {kind} has a placeholder"


def _wrong_versions(events: list[Any]) -> Iterator[str]:
    """Partition by partition, an invoice's versions are 1, 2, 3, ..."""
    last: Counter[str] = Counter()
    for event in events:
        if event["version"] != last[event["subject"]] + 1:
            yield f"{event['subject']}: version {event['version']} after {last[event['subject']]}"
        last[event["subject"]] = event["version"]
