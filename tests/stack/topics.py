"""Topics for each test, under names that no other test has."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from tests.stack.kafka import Kafka

from runtime.embedded.kafka import EmbeddedKafka


@dataclass(frozen=True)
class Topics:
    """Names for one test: its topics, and a consumer group to go with them."""

    commands: str
    events: str
    replies: str
    dead_letter: str
    group: str
    partitions: int

    @property
    def names(self) -> tuple[str, ...]:
        return (self.commands, self.events, self.replies, self.dead_letter)


@asynccontextmanager
async def fresh_topics(kafka: Kafka, partitions: int) -> AsyncIterator[Topics]:
    """Empty topics that go with the block; on the mock always with the partitions that it gives."""
    if not kafka.real:
        yield _names(EmbeddedKafka.PARTITIONS)
        return
    topics = _names(partitions)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1) for name in topics.names])
        yield topics
        await admin.delete_topics(list(topics.names))
    finally:
        await admin.close()


def _names(partitions: int) -> Topics:
    prefix = f"test-{uuid.uuid4().hex[:12]}"
    return Topics(
        commands=f"{prefix}.commands",
        events=f"{prefix}.events",
        replies=f"{prefix}.replies",
        dead_letter=f"{prefix}.commands.dead-letter",
        group=prefix,
        partitions=partitions,
    )
