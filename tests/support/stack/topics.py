"""Topics for each test, under names that no other test has."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code
from confluent_kafka.admin import AdminClient

from invoicing.runtime.kafka.topics import BATCH_LIMIT, DEAD_LETTER_BYTES_MAX
from invoicing.tools.embedded.kafka import EmbeddedKafka
from tests.support.stack.kafka import Kafka


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
    async with _administration(kafka) as admin:
        await _create(admin, topics)
    yield topics
    async with _administration(kafka) as admin:
        await admin.delete_topics(list(topics.names))


async def delete_group(kafka_bootstrap: str, group: str) -> None:
    """Let Kafka forget a group and its offsets; aiokafka cannot ask for it."""

    def delete() -> None:
        admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
        admin.delete_consumer_groups([group])[group].result(timeout=30)

    await asyncio.to_thread(delete)


async def _create(admin: AIOKafkaAdminClient, topics: Topics) -> None:
    answer = await admin.create_topics(
        [
            NewTopic(
                name,
                topics.partitions,
                replication_factor=1,
                topic_configs={BATCH_LIMIT: str(DEAD_LETTER_BYTES_MAX)}
                if name == topics.dead_letter
                else {},
            )
            for name in topics.names
        ]
    )
    for name, code, message in answer.topic_errors:
        if code:
            raise for_code(code)(f"{name}: {message}")


@asynccontextmanager
async def _administration(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        yield admin
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
