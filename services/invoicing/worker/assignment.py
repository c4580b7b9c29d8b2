"""The lanes of the partitions that this worker is assigned: opened, fed and stopped."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import groupby
from operator import attrgetter
from typing import Final

import structlog
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition

from invoicing.store.rows import Position
from invoicing.worker.lane import Lane
from invoicing.worker.records import Record

STOP_SECONDS_MAX: Final = 4.0
CUT_SECONDS_MAX: Final = 1.0

log = structlog.get_logger()

NewLane = Callable[[TopicPartition], Lane]


class Lanes(ConsumerRebalanceListener):  # type: ignore[misc]
    """One lane for each assigned partition. `failure` is done once a lane has given up.

    aiokafka and FastStream log and swallow what their callbacks raise, so this future is the only
    way for a lane's failure to reach the process.
    """

    def __init__(self, new_lane: NewLane) -> None:
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.has_assignment = False
        self._new_lane = new_lane
        self._lanes: dict[TopicPartition, tuple[Lane, asyncio.Task[None]]] = {}

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Open the lanes as tasks: the consumer must go on with its heartbeats meanwhile."""
        await self._stop(assigned & self._lanes.keys())
        for topic_partition in sorted(assigned):
            lane = self._new_lane(topic_partition)
            task = asyncio.create_task(lane.run(), name=f"lane-{topic_partition.partition}")
            task.add_done_callback(self._note_end)
            self._lanes[topic_partition] = (lane, task)
        self.has_assignment = True
        log.info("partitions_assigned", partitions=sorted(tp.partition for tp in assigned))

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Wait for the batches in hand, so that the next owner need not abort them."""
        await self._stop(revoked & self._lanes.keys())
        if revoked:
            log.info("partitions_revoked", partitions=sorted(tp.partition for tp in revoked))

    def dispatch(self, records: Iterable[ConsumerRecord]) -> None:
        """Hand each record to its lane. Never waits: a slow lane must not hold up the others."""
        partition_key = attrgetter("topic", "partition")
        for (topic, partition), of_one_lane in groupby(records, key=partition_key):
            lane, _ = self._lanes.get(TopicPartition(topic, partition), (None, None))
            if lane is not None:
                lane.offer(
                    [
                        Record(
                            position=Position(topic, partition, record.offset),
                            key=record.key,
                            value=record.value,
                            headers=record.headers,
                            timestamp_ms=record.timestamp,
                        )
                        for record in of_one_lane
                    ]
                )

    def fetch_again(self) -> None:
        """Fetch again every record that was not dispatched."""
        for lane in self.owned:
            lane.fetch_again()

    def interrupt(self, topic_partition: TopicPartition, error: Exception) -> None:
        """Report that the lane's next records cannot be read."""
        if topic_partition in self._lanes:
            self._lanes[topic_partition][0].interrupt(error)

    def fail(self, error: BaseException) -> None:
        """End the process with this error."""
        if not self.failure.done():
            self.failure.set_exception(error)

    async def stop(self) -> None:
        """Stop every lane, each after its batch in hand."""
        await self._stop(set(self._lanes))

    @property
    def owned(self) -> list[Lane]:
        """The lanes of the partitions that are ours."""
        return [lane for lane, _ in self._lanes.values()]

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The lanes' tasks."""
        return [task for _, task in self._lanes.values()]

    @property
    def all_open(self) -> bool:
        """Whether every lane that is ours is handling its records."""
        return self.has_assignment and all(lane.is_open for lane in self.owned)

    async def _stop(self, topic_partitions: set[TopicPartition]) -> None:
        stopping = [self._lanes.pop(partition) for partition in sorted(topic_partitions)]
        if not stopping:
            return
        for lane, _ in stopping:
            lane.stop()
        tasks = [task for _, task in stopping]
        _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS_MAX)
        for task in late:
            # Its batch stays whole: the next owner publishes what Postgres has stored.
            log.warning("lane_cut_short", lane=task.get_name())
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CUT_SECONDS_MAX)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)
