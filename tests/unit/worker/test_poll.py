"""Fetching beside a consumer that is made up: what one partition's failure costs the others."""

from collections import deque
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import ConsumerStoppedError, CorruptRecordException, KafkaConnectionError

from invoicing.runtime.retry import GaveUpError
from invoicing.worker.poll import Poller

GOOD, BAD = TopicPartition("commands", 0), TopicPartition("commands", 1)
UNREADABLE = "unreadable"


class Consumer:
    """As aiokafka's, which hands out one partition's records and loses them by the next's error."""

    def __init__(self, **logs: list[str]) -> None:
        self.logs = {GOOD: logs.get("good", []), BAD: logs.get("bad", [])}
        self.positions = dict.fromkeys(self.logs, 0)
        self.failures: deque[Exception] = deque()

    def assignment(self) -> set[TopicPartition]:
        return set(self.logs)

    async def getmany(
        self, *places: TopicPartition, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Any]]:
        if self.failures:
            raise self.failures.popleft()
        fetched = {}
        for place in places or self.logs:
            records = self.logs[place][self.positions[place] :][:max_records]
            if UNREADABLE in records:
                raise CorruptRecordException("checksum")
            self.positions[place] += len(records)
            fetched[place] = records
        return fetched


class Lanes:
    """What the lanes are told."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self.had: dict[TopicPartition, list[str]] = {GOOD: [], BAD: []}
        self.interrupted: list[tuple[TopicPartition, str]] = []
        self.failed: list[BaseException] = []

    def fetch_again(self) -> None:
        for place, had in self.had.items():
            self._consumer.positions[place] = len(had)

    def interrupt(self, topic_partition: TopicPartition, error: Exception) -> None:
        self.interrupted.append((topic_partition, type(error).__name__))

    def fail(self, error: BaseException) -> None:
        self.failed.append(error)

    async def poll(self, times: int = 1) -> None:
        for _ in range(times):
            for place, records in (
                await self._consumer.getmany(timeout_ms=0, max_records=100)
            ).items():
                self.had[place] += records


def guarded(consumer: Consumer, limit_seconds: float = 60) -> Lanes:
    lanes = Lanes(consumer)
    poller = Poller(lanes, limit_seconds)  # type: ignore[arg-type]
    for _ in range(2):  # once for each lane
        poller.attach(consumer)
    return lanes


async def test_a_batch_that_cannot_be_read_costs_no_other_partition_a_record() -> None:
    consumer = Consumer(good=["a", "b", "c"], bad=["d", "e", UNREADABLE, "f"])
    lanes = guarded(consumer)

    await lanes.poll(times=6)

    assert lanes.had == {GOOD: ["a", "b", "c"], BAD: ["d", "e"]}
    assert set(lanes.interrupted) == {(BAD, "CorruptRecordException")}
    consumer.logs[GOOD] += ["g"]
    await lanes.poll()
    assert lanes.had[GOOD][-1] == "g"
    assert not lanes.failed


async def test_what_passes_is_fetched_again_whole() -> None:
    consumer = Consumer(good=["a", "b"], bad=["c"])
    consumer.failures.append(KafkaConnectionError())
    lanes = guarded(consumer)

    await lanes.poll(times=2)

    assert lanes.had == {GOOD: ["a", "b"], BAD: ["c"]}
    assert not lanes.interrupted


async def test_where_nothing_can_be_read_for_long_the_process_is_told() -> None:
    consumer = Consumer()
    consumer.logs.clear()  # no lane is there that would give up
    lanes = guarded(consumer, limit_seconds=0)

    for _ in range(2):
        consumer.failures.append(AssertionError("of the group's coordinator"))
        await lanes.poll()

    (error,) = lanes.failed
    assert isinstance(error, GaveUpError)
    assert "Reading commands failed" in str(error)


async def test_a_consumer_that_was_stopped_is_no_failure() -> None:
    consumer = Consumer()
    consumer.failures.append(ConsumerStoppedError())
    lanes = guarded(consumer)

    with pytest.raises(ConsumerStoppedError):
        await lanes.poll()

    assert not lanes.failed
