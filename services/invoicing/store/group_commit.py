"""Group commit: batches that wait for the same number series are stored in one transaction.

A series is locked from when its numbers are taken until the commit. If each batch had its own
transaction, the lanes of one seller would take turns at that lock, each for several round trips and
an fsync. Instead, all batches that wait are stored together as soon as the series is free. No batch
waits for others to come: one that finds its series free is stored at once.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from invoicing.domain.numbering import NumberSeries
from invoicing.store.errors import is_fault_of_batch
from invoicing.store.rows import StoredEvent, WriteBatch

TRANSACTIONS_A_SERIES: Final = 2
"""One holds the lock; the other writes what needs no number, and then takes over the lock."""
GROUP_CHARACTERS_MAX: Final = 8 * 1024 * 1024
"""Of events in one transaction, unless it has a single batch: they are in memory twice by then."""

StoreTogether = Callable[[Sequence[WriteBatch]], Awaitable[Sequence[Sequence[StoredEvent]]]]
"""Stores batches of different lanes in one transaction; returns the events of each."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class _Member:
    """A batch that waits for its transaction, or is in it. Cancelled if its lane has gone."""

    write_batch: WriteBatch
    series: frozenset[NumberSeries]
    stored: asyncio.Future[Sequence[StoredEvent]]

    def fail(self, error: Exception) -> None:
        if not self.stored.done():
            self.stored.set_exception(error)
            self.stored.exception()  # else asyncio logs the error if the lane is cancelled just now


class GroupCommit:
    """Appends the batches of all lanes of a process."""

    def __init__(self, store_together: StoreTogether) -> None:
        self._store_together = store_together
        self._waiting: list[_Member] = []
        self._in_use: Counter[NumberSeries] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    async def append(self, write_batch: WriteBatch) -> Sequence[StoredEvent]:
        """Store the batch, alone or with others. Returns its events with their numbers.

        Another batch's fault fails no batch but that one; an outage fails all of a transaction.
        Cancelling the call takes the batch back while it waits. Later, the batch may be stored all
        the same, unless nothing else is in its transaction: that is rolled back.
        """
        member = _Member(
            write_batch,
            frozenset(request.series for request in write_batch.numbers),
            asyncio.get_running_loop().create_future(),
        )
        self._waiting.append(member)
        self._start_groups()
        return await member.stored

    def _start_groups(self) -> None:
        while group := self._next_group():
            series = frozenset[NumberSeries]().union(*(member.series for member in group))
            self._in_use.update(series)
            task = asyncio.create_task(self._store(group))
            self._tasks.add(task)
            task.add_done_callback(partial(self._finish, group, series))
            for member in group:
                member.stored.add_done_callback(partial(self._cancel_if_abandoned, group, task))

    def _finish(
        self, group: Sequence[_Member], series: frozenset[NumberSeries], task: asyncio.Task[None]
    ) -> None:
        self._tasks.discard(task)
        for member in group:
            member.stored.cancel()  # without effect unless the task was cancelled
        self._in_use -= Counter(series)
        self._start_groups()

    def _cancel_if_abandoned(
        self, group: Sequence[_Member], task: asyncio.Task[None], _: object
    ) -> None:
        if all(member.stored.cancelled() for member in group):
            task.cancel()

    def _next_group(self) -> list[_Member]:
        """Take what can be stored now. No batch overtakes an earlier one of the same series."""
        group: list[_Member] = []
        room, lanes = GROUP_CHARACTERS_MAX, set[tuple[str, int]]()
        still_waiting: list[_Member] = []
        awaited: set[NumberSeries] = set()
        for member in self._waiting:
            if member.stored.cancelled():
                continue
            size = sum(len(event.document) for event in member.write_batch.events)
            lane = member.write_batch.next[:2]
            is_free = awaited.isdisjoint(member.series) and all(
                self._in_use[series] < TRANSACTIONS_A_SERIES for series in member.series
            )
            if is_free and lane not in lanes and (size <= room or not group):
                group.append(member)
                lanes.add(lane)
                room -= size
            else:
                still_waiting.append(member)
                awaited |= member.series
        self._waiting = still_waiting
        return group

    async def _store(self, group: Sequence[_Member]) -> None:
        """Store the batches together. If one is at fault, store each by itself to find it."""
        try:
            stored = await self._store_together([member.write_batch for member in group])
        except Exception as error:  # noqa: BLE001 (each lane judges its own)
            if len(group) > 1 and is_fault_of_batch(error):
                log.warning("group_taken_apart", batches=len(group), error=type(error).__name__)
                await asyncio.gather(*(self._store([member]) for member in group))
                return
            for member in group:
                member.fail(error)
        else:
            for member, events in zip(group, stored, strict=True):
                if not member.stored.done():
                    member.stored.set_result(events)
