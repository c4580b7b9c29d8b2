"""What the write side asks of a store, whichever keeps the rows: Postgres or memory."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from invoicing.domain.numbering import NumberSeries
from invoicing.store.entries import EntryKey, StoredEntry
from invoicing.store.rows import CommandKey, Loaded, Position, StoredEvent, WriteBatch

FormatNumber = Callable[[NumberSeries, int], str]
"""Formats the number with this sequence in its series."""


class EventStore(Protocol):
    """Events, replies and current state, written together or not at all.

    Errors of the infrastructure are those that `is_infrastructure_error` knows; any other is the
    fault of a value in the batch.
    """

    async def load(
        self, invoice_ids: Sequence[str], commands: Mapping[CommandKey, Sequence[Position]]
    ) -> Loaded:
        """The state of these invoices, and the replies that these commands already have.

        Each command comes with the positions of its records. The events of a reply that was given
        to one of these very records come with it.
        """

    async def load_entries(self, wanted: Collection[EntryKey]) -> Sequence[StoredEntry]:
        """These entries, each part with the entry that it belongs to; in their order."""

    async def append(self, write_batch: WriteBatch) -> Sequence[StoredEvent]:
        """Write the batch in one transaction. Returns its events as stored, with their numbers.

        Raises `DatabaseBehindError` if the store does not know the batch's checkpoint, and
        `asyncpg.UniqueViolationError` if another writer has stored an event or a reply of it.
        """

    async def next_offsets(self, topic: str) -> dict[int, int]:
        """By partition, the offset after the last batch stored. It is never behind Kafka's."""

    async def pin_partition_count(self, topic: str, partitions: int) -> int:
        """Settle how many partitions route invoices: the first count ever given stays."""

    async def routing_partitions(self, topic: str) -> int:
        """How many partitions route invoices. `pin_partition_count` comes first."""
