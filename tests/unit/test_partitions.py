"""Partitions that are added while workers run."""

from typing import Any

from aiokafka import TopicPartition

from invoicing.partitions import PartitionsSeen


class Consumer:
    """A consumer that knows so many partitions, and counts how often it was to join again."""

    def __init__(self) -> None:
        self.known: int | None = 4
        self.rejoined = 0
        self._coordinator = self

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition("commands", 1)}

    def partitions_for_topic(self, _topic: str) -> set[int] | None:
        return None if self.known is None else set(range(self.known))

    def request_rejoin(self) -> None:
        self.rejoined += 1


def looks(*known: int | None) -> int:
    """How often it asks to join again when its client knows these numbers, one after the other."""
    consumer: Any = Consumer()
    seen = PartitionsSeen(consumer)
    for consumer.known in known:
        seen.look()
    return int(consumer.rejoined)


def test_partitions_that_were_added_are_shared_out_once() -> None:
    assert looks(4, 4, 5, 5) == 1


def test_a_client_that_forgets_the_topic_for_a_moment_changes_nothing() -> None:
    assert looks(4, None, 4) == 0


def test_every_addition_is_shared_out() -> None:
    assert looks(4, 5, None, 6) == 2
