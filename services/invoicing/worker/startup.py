"""Start-up: wait for Postgres and Kafka, then check that the worker may run on them."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import asyncpg
import structlog
from aiokafka import TopicPartition

from invoicing.runtime.kafka.connect import is_kafka_outage
from invoicing.runtime.kafka.groups import committed_offsets
from invoicing.runtime.kafka.topics import (
    advice_on_limits,
    batch_limits,
    check_routing_partitions,
    check_topics,
    existing_topics,
)
from invoicing.runtime.service import until_available
from invoicing.runtime.settings import Settings
from invoicing.store.errors import check_schema, is_transient
from invoicing.store.protocol import EventStore
from invoicing.worker.offsets import check_all_lanes

Result = TypeVar("Result")

log = structlog.get_logger()


async def prepare(settings: Settings, pool: asyncpg.Pool, store: EventStore) -> None:
    """Check the schema, the topics and every lane's offsets; pin the partition count.

    Raises `SchemaError`, `TopicsError`, `KafkaBehindError` and `DatabaseBehindError`, `GaveUpError`
    if Postgres or Kafka stays away for longer than the retry limit, and `WrongSettingError` if one
    of them refuses our login.
    """
    topic = settings.topic_commands

    async def retried(what: str, operation: Callable[[], Awaitable[Result]]) -> Result:
        return await until_available(
            settings, what, lambda error: is_kafka_outage(error) or is_transient(error), operation
        )

    await retried("Postgres", partial(check_schema, pool))
    partitions = await retried("Kafka", partial(existing_topics, settings))
    check_topics(settings, partitions)
    limits = await retried("Kafka", partial(batch_limits, settings))
    if not limits:
        log.warning("batch_limits_unknown", topic=settings.topic_dead_letter)
    if advice := advice_on_limits(settings, limits):
        log.warning("dead_letter_topic_limit_too_low", advice=advice)
    pinned = await retried("Postgres", partial(store.pin_partition_count, topic, partitions[topic]))
    check_routing_partitions(topic, partitions[topic], pinned)
    await retried("Kafka or Postgres", partial(_check_lanes, settings, store, partitions[topic]))


async def _check_lanes(settings: Settings, store: EventStore, partitions: int) -> None:
    topic = settings.topic_commands
    lanes = [TopicPartition(topic, number) for number in range(partitions)]
    stored_before = await store.next_offsets(topic)
    committed = await committed_offsets(settings, settings.consumer_group, lanes)
    check_all_lanes(
        topic,
        {lane.partition: stored_before.get(lane.partition, 0) for lane in lanes},
        {lane.partition: offset.offset for lane, offset in committed.items()},
        await store.next_offsets(topic),
    )
