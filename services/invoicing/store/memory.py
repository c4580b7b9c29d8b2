"""A store in memory, for examples, benchmarks and the simulation."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter

import asyncpg

from invoicing.domain.numbering import NumberSeries
from invoicing.store.entries import EntryKey, StoredEntry
from invoicing.store.errors import DatabaseBehindError
from invoicing.store.protocol import FormatNumber
from invoicing.store.rows import (
    DOCUMENT_COLUMNS,
    CommandKey,
    Loaded,
    Position,
    StoredEvent,
    StoredInvoice,
    StoredReply,
    WriteBatch,
)


class MemoryStore:
    """Keeps everything in dicts, under the unique keys of the real tables."""

    def __init__(self, format_number: FormatNumber) -> None:
        self.events: dict[tuple[str, int], StoredEvent] = {}
        self.replies: dict[CommandKey, StoredReply] = {}
        self.invoices: dict[str, StoredInvoice] = {}
        self.entries: dict[tuple[str, str, str | None], StoredEntry] = {}
        self._format_number = format_number
        self._last_numbers = Counter[NumberSeries]()
        self._next_offsets: dict[tuple[str, int], int] = {}
        self._pinned: dict[str, int] = {}

    async def load(
        self, invoice_ids: Sequence[str], commands: Mapping[CommandKey, Sequence[Position]]
    ) -> Loaded:
        """The state of these invoices, and what these commands have led to."""
        replies = {key: self.replies[key] for key in commands if key in self.replies}
        return Loaded(
            {id_: self.invoices[id_].snapshot for id_ in invoice_ids if id_ in self.invoices},
            replies,
            {
                key: [
                    self.events[reply.invoice_id, version]
                    for version in range(reply.versions[0], reply.versions[1] + 1)
                ]
                for key, reply in replies.items()
                if reply.versions and reply.position in commands[key]
            },
        )

    async def load_entries(self, wanted: Collection[EntryKey]) -> Sequence[StoredEntry]:
        """These entries, each part with the entry that it belongs to; in their order."""
        found: set[StoredEntry] = set()
        for key in wanted:
            if key.id is None:
                found |= {row for row in self.entries.values() if row[:2] == key[:2]}
            elif key in self.entries:
                found.add(self.entries[key])
        owners = [(row.invoice_id, "payment", row.document) for row in found]
        found |= {self.entries[key] for key in owners if key in self.entries}
        return sorted(found, key=attrgetter("invoice_id", "kind", "position"))

    async def append(self, write_batch: WriteBatch) -> Sequence[StoredEvent]:
        """Keep all of it or, if a key is taken, nothing. Returns the events with their numbers."""
        (events,) = await self.append_together([write_batch])
        return events

    async def append_together(
        self, write_batches: Sequence[WriteBatch]
    ) -> Sequence[Sequence[StoredEvent]]:
        """Keep all of these batches or nothing. Returns the events of each with their numbers."""
        for write_batch in write_batches:
            self._check(write_batch)
        keys = [reply.command_key for batch in write_batches for reply in batch.replies]
        if len(set(keys)) < len(keys):
            raise _overtaken("commands_pkey")
        return [self._keep(write_batch) for write_batch in write_batches]

    async def next_offsets(self, topic: str) -> dict[int, int]:
        """By partition, the offset after the last batch stored."""
        offsets = self._next_offsets.items()
        return {partition: offset for (of_topic, partition), offset in offsets if of_topic == topic}

    async def pin_partition_count(self, topic: str, partitions: int) -> int:
        """Settle how many partitions route invoices."""
        return self._pinned.setdefault(topic, partitions)

    async def routing_partitions(self, topic: str) -> int:
        """How many partitions route invoices."""
        return self._pinned[topic]

    def _check(self, write_batch: WriteBatch) -> None:
        lane = (write_batch.next.topic, write_batch.next.partition)
        next_offset = self._next_offsets.get(lane, 0)
        if next_offset < write_batch.checkpoint:
            raise DatabaseBehindError(f"{lane} is stored up to {next_offset} only.")
        if any(reply.command_key in self.replies for reply in write_batch.replies):
            raise _overtaken("commands_pkey")
        if any((event.invoice_id, event.version) in self.events for event in write_batch.events):
            raise _overtaken("events_pkey")

    def _keep(self, write_batch: WriteBatch) -> Sequence[StoredEvent]:
        numbers = self._take_numbers(write_batch)
        events = write_batch.numbered_events(numbers)
        self.events |= {(event.invoice_id, event.version): event for event in events}
        self.replies |= {reply.command_key: reply for reply in write_batch.replies}
        for row in write_batch.numbered_invoices(numbers):
            self.invoices[row.id] = self._merged(row)
            self.entries |= {entry[:3]: entry for entry in row.entries}
        lane = (write_batch.next.topic, write_batch.next.partition)
        self._next_offsets[lane] = max(self._next_offsets.get(lane, 0), write_batch.next.offset)
        return events

    def _take_numbers(self, write_batch: WriteBatch) -> dict[str, str]:
        numbers = {}
        for request in write_batch.numbers:
            self._last_numbers[request.series] += 1
            sequence = self._last_numbers[request.series]
            numbers[request.placeholder] = self._format_number(request.series, sequence)
        return numbers

    def _merged(self, row: StoredInvoice) -> StoredInvoice:
        """The row; where it leaves the document's columns out, with the stored ones."""
        stored = self.invoices.get(row.id)
        if stored is None or row.labels is not None:
            return row
        from_document = {name: getattr(stored, name) for name in DOCUMENT_COLUMNS}
        return row._replace(**from_document, labels=stored.labels)


def _overtaken(constraint: str) -> asyncpg.UniqueViolationError:
    error = asyncpg.UniqueViolationError("another writer has stored it")
    error.constraint_name = constraint
    return error
