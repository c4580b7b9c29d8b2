"""Partitions that are added while workers run."""

from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError

from invoicing.worker.partitions import PartitionWatch


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


async def looks(*known: int | None, owned: int | None = 4) -> int:
    """How often it asks to join again when its client knows these numbers, one after the other.

    `owned` is how many partitions the group's members have; None while they are shared out.
    """
    consumer: Any = Consumer()

    async def owned_partitions() -> set[TopicPartition] | None:
        return None if owned is None else {TopicPartition("commands", n) for n in range(owned)}

    seen = PartitionWatch(consumer, owned_partitions)
    for consumer.known in known:
        await seen.look()
    return int(consumer.rejoined)


async def test_partitions_that_were_added_are_shared_out_once() -> None:
    assert await looks(4, 4, 5, 5) == 1


async def test_a_client_that_forgets_the_topic_for_a_moment_changes_nothing() -> None:
    assert await looks(4, None, 4) == 0


async def test_every_addition_is_shared_out() -> None:
    assert await looks(4, 5, None, 6) == 2


async def test_partitions_that_nobody_has_are_shared_out_at_the_first_look() -> None:
    assert await looks(5, 5, owned=4) == 1


async def test_nothing_is_asked_while_partitions_are_shared_out() -> None:
    assert await looks(5, 5, owned=None) == 0


async def test_nothing_is_asked_while_nobody_can_tell_who_has_what() -> None:
    consumer: Any = Consumer()

    async def untold() -> set[TopicPartition] | None:
        raise GroupCoordinatorNotAvailableError

    await PartitionWatch(consumer, untold).look()
    assert consumer.rejoined == 0
