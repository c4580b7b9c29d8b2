"""A made-up Postgres behind the store's interface: transactions, unique keys, a lock on numbers."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg

from invoicing.domain.numbering import NumberSeries
from invoicing.store.store import CommandKey, Loaded, Position, StoredEvent, StoredReply, WriteBatch
from tests.simulation.process import Process

FormatNumber = Callable[[NumberSeries, int], str]


@dataclass
class Database:
    """What has been committed."""

    events: dict[tuple[str, int], StoredEvent] = field(default_factory=dict)
    answers: dict[CommandKey, StoredReply] = field(default_factory=dict)
    snapshots: dict[str, str] = field(default_factory=dict)
    numbers: dict[NumberSeries, int] = field(default_factory=dict)
    lanes: dict[tuple[str, int], int] = field(default_factory=dict)

    def commit(self, write_batch: WriteBatch, taken: Mapping[NumberSeries, int]) -> None:
        """All of it or, where a key is taken, nothing."""
        if any(answer.command_key in self.answers for answer in write_batch.answers):
            raise _overtaken("commands_pkey")
        if any((event.invoice_id, event.version) in self.events for event in write_batch.events):
            raise _overtaken("events_pkey")
        self.answers |= {answer.command_key: answer for answer in write_batch.answers}
        self.events |= {(event.invoice_id, event.version): event for event in write_batch.events}
        self.snapshots |= {id_: row.document for id_, row in write_batch.invoices.items()}
        lane = (write_batch.next.topic, write_batch.next.partition)
        assert self.lanes.get(lane, 0) >= write_batch.handled, "this database forgets nothing"
        self.lanes[lane] = max(self.lanes.get(lane, 0), write_batch.next.offset)
        for series, number in taken.items():
            self.numbers[series] = self.numbers.get(series, 0) + number


def _overtaken(constraint: str) -> asyncpg.UniqueViolationError:
    error = asyncpg.UniqueViolationError("somebody else has stored it")
    error.constraint_name = constraint
    return error


class SimulatedStore:
    """The store of one process."""

    def __init__(self, process: Process, database: Database, format_number: FormatNumber) -> None:
        self._process = process
        self._database = database
        self._format_number = format_number

    async def load(
        self, invoice_ids: Sequence[str], commands: Mapping[CommandKey, Sequence[Position]]
    ) -> Loaded:
        await self._process.step("load")
        database = self._database
        snapshots = {
            id_: database.snapshots[id_] for id_ in invoice_ids if id_ in database.snapshots
        }
        await self._process.step("load the answers")
        answers = {key: database.answers[key] for key in commands if key in database.answers}
        events = {
            key: [
                database.events[answer.invoice_id, version]
                for version in range(answer.versions[0], answer.versions[1] + 1)
            ]
            for key, answer in answers.items()
            if answer.versions and answer.position in commands[key]
        }
        await self._process.step("loaded")
        return copy.deepcopy(Loaded(snapshots, answers, events))

    async def next_offsets(self, topic: str) -> dict[int, int]:
        await self._process.step("load the lanes")
        lanes = self._database.lanes.items()
        return {partition: offset for (of_topic, partition), offset in lanes if of_topic == topic}

    async def homes(self, _topic: str) -> int:
        await self._process.step("load the homes")
        return int(self._process.broker.partitions)

    async def append(self, write_batch: WriteBatch) -> None:
        await self._process.step("begin")
        # From the lock on the numbers to the commit nobody comes between: that is what it is for.
        taken: dict[NumberSeries, int] = {}
        numbers = {}
        for request in write_batch.numbers:
            taken[request.series] = taken.get(request.series, 0) + 1
            sequence = self._database.numbers.get(request.series, 0) + taken[request.series]
            numbers[request.placeholder] = self._format_number(request.series, sequence)
        filled = copy.deepcopy(write_batch)
        filled.set_numbers(numbers)
        self._database.commit(filled, taken)
        await self._process.step("committed")
        write_batch.set_numbers(numbers)
