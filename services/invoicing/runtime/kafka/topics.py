"""The service's topics: creation, checks, and the partition of a key."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from invoicing.runtime.errors import OperatorError
from invoicing.runtime.kafka.connect import admin_client
from invoicing.runtime.kafka.murmur2 import murmur2
from invoicing.runtime.settings import PREFIX, Settings

# A dead letter keeps the record's bytes and gains headers, so it can exceed the original size.
DEAD_LETTER_BYTES_MAX: Final = 2 * 1024 * 1024
DEAD_LETTER_BYTES_MORE: Final = 64 * 1024
BATCH_LIMIT: Final = "max.message.bytes"
BROKERS_DEFAULT: Final = -1
VISIBLE_SECONDS_MAX: Final = 15.0
VISIBLE_POLL_SECONDS: Final = 0.1


class TopicsError(OperatorError):
    """The topics are not as the service needs them. The message says what to do."""


def partition_of(key: bytes, partitions: int) -> int:
    """A key's partition, by the murmur2 hash of Java's default partitioner."""
    return _hash(key) % partitions


@lru_cache(maxsize=20_000)
def _hash(key: bytes) -> int:
    return murmur2(key) & 0x7FFFFFFF


def topic_names(settings: Settings) -> list[str]:
    """Commands, events, replies, dead letters."""
    return [
        settings.topic_commands,
        settings.topic_events,
        settings.topic_replies,
        settings.topic_dead_letter,
    ]


async def existing_topics(settings: Settings) -> dict[str, int]:
    """How many partitions each of our topics has; those that do not exist are left out.

    Raises `TopicsError` if we are not allowed to know whether one exists.
    """
    async with admin_client(settings) as admin:
        described = await admin.describe_topics(topic_names(settings))
    for topic in described:
        if topic["error_code"] == TopicAuthorizationFailedError.errno:
            raise TopicsError(
                f"Kafka does not let us see topic {topic['topic']}: user"
                f" {settings.kafka_sasl_username or '(none)'} has no right to describe it."
            )
    return {
        topic["topic"]: len(topic["partitions"]) for topic in described if topic["error_code"] == 0
    }


async def create_topics(settings: Settings) -> list[str]:
    """Create the topics that are missing; returns their names. Then `check_topics` them."""
    existing = await existing_topics(settings)
    missing = [name for name in topic_names(settings) if name not in existing]
    factor = settings.topic_replication_factor
    new_topics = [
        NewTopic(
            name,
            num_partitions=settings.topic_partitions,
            replication_factor=factor,
            # Without it, aiokafka refuses -1, which stands for the broker's default.
            replica_assignments={} if factor == BROKERS_DEFAULT else None,
            topic_configs={BATCH_LIMIT: str(DEAD_LETTER_BYTES_MAX)}
            if name == settings.topic_dead_letter
            else {},
        )
        for name in missing
    ]
    async with admin_client(settings) as admin:
        response = await admin.create_topics(new_topics)
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if code != 0 and error is not TopicAlreadyExistsError:
            detail = next((text for text in message if text), error.description)
            raise TopicsError(f"Kafka did not create topic {name}: {detail}")
    await _wait_until_visible(settings, missing)
    return missing


async def _wait_until_visible(settings: Settings, names: Collection[str]) -> None:
    """The controller has created them; the broker that describes them hears of it a bit later."""
    until_visible = AsyncRetrying(
        retry=retry_if_result(lambda existing: not existing.keys() >= set(names)),
        wait=wait_fixed(VISIBLE_POLL_SECONDS),
        stop=stop_after_delay(VISIBLE_SECONDS_MAX),
        retry_error_callback=lambda _state: None,  # `check_topics` says what is missing
    )
    await until_visible(existing_topics, settings)


async def delete_topics(settings: Settings, names: Collection[str]) -> None:
    """Delete topics with everything in them."""
    async with admin_client(settings) as admin:
        await admin.delete_topics(list(names))


def check_topics(settings: Settings, partitions: dict[str, int]) -> None:
    """Raises `TopicsError` if a topic is missing, or events have fewer partitions than commands.

    They may have more: partitions are added to events first, while workers run and start.
    """
    if missing := [name for name in topic_names(settings) if name not in partitions]:
        raise TopicsError(
            f"Topics are missing: {', '.join(missing)}. `invoicing topics` creates them."
        )
    commands, events = partitions[settings.topic_commands], partitions[settings.topic_events]
    if events < commands:
        raise TopicsError(
            f"{settings.topic_commands} has {commands} partitions and {settings.topic_events} has"
            f" {events}. It needs at least as many, so that each invoice's events stay in one"
            " partition."
        )


def check_partition_setting(settings: Settings, partitions: Mapping[str, int]) -> None:
    """Raises `TopicsError` if TOPIC_PARTITIONS is set and commands have another number."""
    there_are = partitions[settings.topic_commands]
    if "topic_partitions" in settings.model_fields_set and there_are != settings.topic_partitions:
        raise TopicsError(
            f"{settings.topic_commands} has {there_are} partitions, and"
            f" {PREFIX}TOPIC_PARTITIONS is {settings.topic_partitions}. Existing topics are never"
            f" changed: set it to {there_are}, or add partitions as docs/scaling.md describes."
        )


def check_routing_partitions(topic: str, partitions: int, routing_partitions: int) -> None:
    """Raises `TopicsError` if the topic has fewer partitions than its invoices are routed to."""
    if partitions < routing_partitions:
        raise TopicsError(
            f"{topic} has {partitions} partitions, but its invoices are spread over"
            f" {routing_partitions}: it was recreated with too few. Recreate it with"
            f" {routing_partitions} or more."
        )


async def batch_limits(settings: Settings) -> dict[str, int]:
    """The largest compressed batch, in bytes, that the topics of commands and dead letters take.

    A topic is left out if we are not allowed to read its configuration, or the broker has none.
    """
    names = (settings.topic_commands, settings.topic_dead_letter)
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name, {BATCH_LIMIT: ""}) for name in names]
    async with admin_client(settings) as admin:
        try:
            (response,) = await admin.describe_configs(wanted)
        except IncompatibleBrokerVersion:
            return {}
    return {
        name: int(entry[1])
        for code, _, _, name, entries in response.resources
        for entry in entries
        if code == 0
    }


def advice_on_limits(settings: Settings, limits: Mapping[str, int]) -> str | None:
    """What to set if a command may be too large for the dead-letter topic."""
    commands, dead_letters = settings.topic_commands, settings.topic_dead_letter
    if {commands, dead_letters} - limits.keys():
        return None
    least = limits[commands] + DEAD_LETTER_BYTES_MORE
    if limits[dead_letters] >= least:
        return None
    return (
        f"{dead_letters} takes batches of {limits[dead_letters]} bytes, and {commands} of"
        f" {limits[commands]}: a record that cannot be dead-lettered would stop its partition. Set"
        f" {BATCH_LIMIT} of {dead_letters} to {max(least, DEAD_LETTER_BYTES_MAX)}."
    )
