"""A made-up Kafka: logs, transactions, fencing, a consumer. Nothing else than what lanes need.

What is modelled is what the promises stand on. A transaction's records are there at once, but
nobody who reads committed sees them, or what comes after, until it ends. One that the coordinator
has begun to commit is committed whatever becomes of its producer. To start a producer under the
same transactional id ends what the last one left, and fences it. Committed offsets move with the
transaction.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, ProducerFenced

from tests.simulation.process import Process


class End(Enum):
    """How a transaction ended."""

    OPEN = "open"
    PREPARED = "prepared"
    COMMITTED = "committed"
    ABORTED = "aborted"


@dataclass(eq=False)
class Transaction:
    """Records and offsets that become true together, or not at all."""

    end: End = End.OPEN
    offsets: dict[TopicPartition, int] = field(default_factory=dict)


@dataclass(slots=True)
class LogRecord:
    """One record, or a transaction's marker, which takes an offset and is never read."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp: int
    transaction: Transaction | None = None
    is_marker: bool = False


class Broker:
    """All topics have the same number of partitions."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.logs: dict[TopicPartition, list[LogRecord]] = defaultdict(list)
        self.committed: dict[TopicPartition, int] = {}
        self.epochs: dict[str, int] = defaultdict(int)
        self.unfinished: dict[str, Transaction] = {}

    def append(
        self,
        where: TopicPartition,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]] = (),
        transaction: Transaction | None = None,
        *,
        is_marker: bool = False,
    ) -> None:
        """Add to a partition's log."""
        log = self.logs[where]
        log.append(LogRecord(*where, len(log), key, value, headers, 0, transaction, is_marker))

    def readable(self, where: TopicPartition, position: int, number: int) -> list[LogRecord]:
        """What a read-committed consumer gets from there: nothing beyond an open transaction."""
        records = []
        for record in self.logs[where][position:]:
            if record.transaction and record.transaction.end in (End.OPEN, End.PREPARED):
                break
            records.append(record)
            if len(records) == number:
                break
        return records

    def stable_end(self, where: TopicPartition) -> int:
        """The offset up to which everything has ended."""
        for record in self.logs[where]:
            if record.transaction and record.transaction.end in (End.OPEN, End.PREPARED):
                return record.offset
        return len(self.logs[where])

    def committed_records(self, topic: str) -> list[LogRecord]:
        """All that a read-committed consumer of a topic has seen, partition by partition."""
        return [
            record
            for partition in range(self.partitions)
            for record in self.readable(TopicPartition(topic, partition), 0, 10**9)
            if is_visible(record)
        ]

    def start_producer(self, transactional_id: str) -> int:
        """End what the last producer of this id left, and shut it out."""
        left = self.unfinished.pop(transactional_id, None)
        if left is not None:
            self.finish(left, End.COMMITTED if left.end is End.PREPARED else End.ABORTED)
        self.epochs[transactional_id] += 1
        return self.epochs[transactional_id]

    def finish(self, transaction: Transaction, end: End) -> None:
        """Write the markers; with a commit, the offsets count."""
        if transaction.end in (End.COMMITTED, End.ABORTED):
            return
        transaction.end = end
        if end is End.COMMITTED:
            self.committed.update(transaction.offsets)
        touched = [
            where
            for where, log in self.logs.items()
            if any(record.transaction is transaction for record in log[-2_000:])
        ]
        for where in touched:
            self.append(where, None, None, is_marker=True)


def is_visible(record: LogRecord) -> bool:
    """Whether a reader gets it: no marker, and not of an aborted transaction."""
    aborted = record.transaction is not None and record.transaction.end is End.ABORTED
    return not record.is_marker and not aborted


class Producer:
    """What a publisher uses of aiokafka's producer."""

    def __init__(self, process: Process, broker: Broker, transactional_id: str) -> None:
        self._process = process
        self._broker = broker
        self._id = transactional_id
        self._epoch = 0
        self._transaction: Transaction | None = None
        self.client = SimpleNamespace(close=self.stop)

    async def start(self) -> None:
        await self._process.step("start a producer")
        self._epoch = self._broker.start_producer(self._id)
        await self._process.step("started a producer")

    async def stop(self) -> None:
        """Connections mean nothing here."""

    async def partitions_for(self, _: str) -> range:
        return range(self._broker.partitions)

    async def begin_transaction(self) -> None:
        self._transaction = Transaction()

    def create_batch(self) -> "Batch":
        return Batch()

    async def send_batch(self, batch: "Batch", topic: str, *, partition: int) -> Any:
        return self._process.spawn(self._deliver(batch, TopicPartition(topic, partition)))

    async def _deliver(self, batch: "Batch", where: TopicPartition) -> None:
        await self._process.step("send")
        self._check_epoch()
        assert self._transaction is not None
        if self._transaction.end is not End.OPEN:
            raise ProducerFenced
        self._broker.unfinished[self._id] = self._transaction
        for key, value, headers in batch.records:
            self._broker.append(where, key, value, headers, self._transaction)
        await self._process.step("sent")

    async def send_offsets_to_transaction(
        self, offsets: dict[TopicPartition, int], _group: str
    ) -> None:
        await self._process.step("send offsets")
        self._check_epoch()
        assert self._transaction is not None
        self._broker.unfinished[self._id] = self._transaction
        self._transaction.offsets.update(offsets)
        await self._process.step("sent offsets")

    async def commit_transaction(self) -> None:
        await self._process.step("commit")
        self._check_epoch()
        assert self._transaction is not None
        self._transaction.end = End.PREPARED
        await self._process.step("prepared")
        self._broker.unfinished.pop(self._id, None)
        self._broker.finish(self._transaction, End.COMMITTED)
        await self._process.step("committed")

    def _check_epoch(self) -> None:
        if self._broker.epochs[self._id] != self._epoch:
            raise ProducerFenced
        if self._transaction is not None and self._transaction.end is End.ABORTED:
            raise KafkaConnectionError("the transaction was aborted")


class Batch:
    """Records that go together."""

    ROOM = 20

    def __init__(self) -> None:
        self.records: list[tuple[bytes | None, bytes | None, list[Any]]] = []

    def append(
        self, *, key: bytes | None, value: bytes | None, timestamp: int | None, headers: list[Any]
    ) -> object:
        if len(self.records) == self.ROOM:
            return None
        self.records.append((key, value, headers))
        return self

    def size(self) -> int:
        """In bytes; a batch here is never too large for a broker."""
        return sum(len(value or b"") for _, value, _ in self.records)


class Consumer:
    """What lanes use of aiokafka's consumer, and the loop that fetches.

    At an assignment it takes the committed offsets that it sees *before* its callback has run, as
    aiokafka does; they may be of yesterday.
    """

    FETCH_RECORDS_MAX = 30

    def __init__(self, process: Process, broker: Broker, topic: str) -> None:
        self._process = process
        self._broker = broker
        self._topic = topic
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()

    def assign(self, partitions: set[TopicPartition]) -> None:
        """A new assignment, with the offsets that are committed right now."""
        self._paused.clear()
        self._positions = {
            where: self._broker.committed.get(where, 0) for where in sorted(partitions)
        }

    async def fetch(self) -> list[LogRecord]:
        """What the next poll gives, of all partitions."""
        found: list[LogRecord] = []
        for where in list(self._positions):
            if where in self._paused:
                continue
            records = self._broker.readable(where, self._positions[where], self.FETCH_RECORDS_MAX)
            if records:
                self._positions[where] = records[-1].offset + 1
                found += [record for record in records if is_visible(record)]
        await self._process.step("fetched")
        return found

    def assignment(self) -> set[TopicPartition]:
        return set(self._positions)

    def seek(self, where: TopicPartition, offset: int) -> None:
        self._positions[where] = offset

    def pause(self, where: TopicPartition) -> None:
        self._paused.add(where)

    def resume(self, where: TopicPartition) -> None:
        self._paused.discard(where)

    async def committed(self, where: TopicPartition) -> int | None:
        await self._process.step("ask for the committed offset")
        offset = self._broker.committed.get(where)
        await self._process.step("told the committed offset")
        return offset

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """A first offset: the group refuses one of a member that is no longer the owner."""
        await self._process.step("commit an offset")
        for where, offset in offsets.items():
            self._broker.committed.setdefault(where, offset)
        await self._process.step("committed an offset")

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        await self._process.step("ask for the end")
        return {where: self._broker.stable_end(where) for where in partitions}

    async def beginning_offsets(
        self, partitions: list[TopicPartition]
    ) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)
