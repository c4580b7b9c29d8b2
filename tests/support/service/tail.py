"""A topic's records as a read-committed consumer receives them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from tests.support.stack.wait import eventually


class Tail:
    """All records of a topic, from its beginning, as they come.

    Each once, whatever the client does: aiokafka may start over after its broker was restarted.
    """

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.records: list[ConsumerRecord] = []
        self.documents: list[dict[str, Any]] = []
        self._seen: dict[int, int] = {}
        self.following: asyncio.Task[None] | None = None

    async def until(
        self, condition: Callable[[list[dict[str, Any]]], bool], seconds: float = 60
    ) -> list[dict[str, Any]]:
        """The documents as soon as the condition holds for them."""

        def holds(_: int) -> bool:
            assert self.following is not None
            if self.following.done():
                self.following.result()
            return condition(self.documents)

        await eventually(lambda: len(self.documents), until=holds, seconds=seconds)
        return self.documents

    async def count(self, number: int, seconds: float = 60) -> list[dict[str, Any]]:
        """The documents as soon as there are so many."""
        return await self.until(lambda documents: len(documents) >= number, seconds)

    async def follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            for place, fetched in (await consumer.getmany(timeout_ms=200)).items():
                last = self._seen.get(place.partition, -1)
                records = [record for record in fetched if record.offset > last]
                self._seen[place.partition] = max(last, fetched[-1].offset)
                self.records += records
                self.documents += [_document(record) for record in records]


@asynccontextmanager
async def following(tail: Tail, bootstrap: str, partitions: int) -> AsyncIterator[None]:
    """Let the tail grow while the block runs."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    consumer.assign([TopicPartition(tail.topic, partition) for partition in range(partitions)])
    tail.following = asyncio.create_task(tail.follow(consumer))
    try:
        yield
    finally:
        tail.following.cancel()
        await asyncio.wait({tail.following})
        await consumer.stop()


def _document(record: ConsumerRecord) -> dict[str, Any]:
    try:
        document = json.loads(record.value)
    except (TypeError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
