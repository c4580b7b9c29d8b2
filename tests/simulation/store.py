"""The store of a simulated process: one in memory, and a moment at every point where it waits."""

from collections.abc import Collection, Mapping, Sequence

from invoicing.store.entries import EntryKey, StoredEntry
from invoicing.store.group_commit import GroupCommit
from invoicing.store.memory import MemoryStore
from invoicing.store.rows import CommandKey, Loaded, Position, StoredEvent, WriteBatch
from tests.simulation.process import Process


class SimulatedStore:
    """Gives every other process a turn before and after each step; the step itself is atomic.

    An append takes its numbers and commits at once: the lock on the series excludes others.
    """

    def __init__(self, process: Process, database: MemoryStore) -> None:
        self._process = process
        self._database = database
        self._groups = GroupCommit(self._append_together)

    async def load(
        self, invoice_ids: Sequence[str], commands: Mapping[CommandKey, Sequence[Position]]
    ) -> Loaded:
        await self._process.step("load")
        states = await self._database.load(invoice_ids, {})
        await self._process.step("load the replies")
        stored = await self._database.load((), commands)
        await self._process.step("loaded")
        return Loaded(states.snapshots, stored.replies, stored.events)

    async def load_entries(self, wanted: Collection[EntryKey]) -> Sequence[StoredEntry]:
        await self._process.step("load the entries")
        return await self._database.load_entries(wanted)

    async def append(self, write_batch: WriteBatch) -> Sequence[StoredEvent]:
        return await self._groups.append(write_batch)

    async def _append_together(
        self, write_batches: Sequence[WriteBatch]
    ) -> Sequence[Sequence[StoredEvent]]:
        await self._process.step("begin")
        if self._process.is_slow_now():
            # As while another worker holds the series: meanwhile, more lanes come to append.
            await self._process.step("wait for the series", times_longer=50)
        stored = await self._database.append_together(write_batches)
        await self._process.step("committed")
        return stored

    async def next_offsets(self, topic: str) -> dict[int, int]:
        await self._process.step("load the offsets")
        return await self._database.next_offsets(topic)

    async def pin_partition_count(self, topic: str, partitions: int) -> int:
        return await self._database.pin_partition_count(topic, partitions)

    async def routing_partitions(self, topic: str) -> int:
        await self._process.step("load the routing partitions")
        return await self._database.routing_partitions(topic)
