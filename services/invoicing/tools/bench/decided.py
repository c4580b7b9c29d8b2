"""What the service would store for commands, decided in memory: for measuring a store alone."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from invoicing.domain.numbering import format_number
from invoicing.domain.sellers import Sellers
from invoicing.ops.support.command_file import ReadyCommand
from invoicing.store.memory import MemoryStore
from invoicing.store.protocol import FormatNumber
from invoicing.store.rows import Position, StoredEvent, WriteBatch
from invoicing.worker.batch import BatchHandler
from invoicing.worker.records import LaneState, Record

LANE: Final = LaneState("bench", 0, checkpoint=0, routing_partitions=1)
"""The only lane: it owns every invoice."""


def decided(commands: Sequence[ReadyCommand], batch: int) -> list[WriteBatch]:
    """What each batch of so many commands adds, with placeholders where its numbers will be."""
    store = _KeepingStore(partial(format_number, sellers=Sellers()))
    handler = BatchHandler(store, Sellers(), lambda: datetime.now(UTC))
    records = recorded(commands)

    async def handle_all() -> None:
        for start in range(0, len(records), batch):
            await handler.handle(records[start : start + batch], LANE)

    asyncio.run(handle_all())
    return store.batches


def recorded(commands: Sequence[ReadyCommand]) -> list[Record]:
    """The commands as records of a topic that is nowhere."""
    return [
        Record(Position("bench", 0, offset), command.invoice_id.encode(), command.value, (), 0)
        for offset, command in enumerate(commands)
    ]


class _KeepingStore(MemoryStore):
    """Keeps the batches, too."""

    def __init__(self, format_number: FormatNumber) -> None:
        super().__init__(format_number)
        self.batches: list[WriteBatch] = []

    async def append(self, write_batch: WriteBatch) -> Sequence[StoredEvent]:
        self.batches.append(write_batch)
        return await super().append(write_batch)
