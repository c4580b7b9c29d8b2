"""How we reach Kafka: connection options for its clients, home partitions, topics."""

import ssl
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupIdNotFound,
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.partitioner import murmur2
from aiokafka.structs import OffsetAndMetadata
from faststream.kafka.security import parse_security
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from invoicing.runtime import header_names
from invoicing.runtime.retry import describe
from invoicing.runtime.settings import PREFIX, Settings, WrongSettingError

CLIENT_ID: Final = "invoicing"
# A set-aside record keeps every byte and gets headers more, so it may be larger than when it came.
DEAD_LETTER_BYTES_MAX: Final = 2 * 1024 * 1024
DEAD_LETTER_BYTES_MORE: Final = 64 * 1024
BATCH_LIMIT: Final = "max.message.bytes"
BROKERS_DEFAULT: Final = -1


header_names.accept_any()


class TopicsError(Exception):
    """The topics are not as the worker needs them. The message says what to do."""


def is_kafka_outage(error: BaseException) -> bool:
    """Whether an error says that Kafka is away, and is worth trying again."""
    return isinstance(error, KafkaError | OSError | TimeoutError)


@lru_cache(maxsize=20_000)
def _hash(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """A key's partition, as Java's default partitioner and ours have it."""
    return _hash(key) % partitions


def security(settings: Settings) -> BaseSecurity:
    """How connections are secured and who we are, in FastStream's terms."""
    protocol = settings.kafka_security_protocol
    context = _ssl_context(settings) if protocol.endswith("SSL") else None
    if not protocol.startswith("SASL"):
        return BaseSecurity(ssl_context=context)
    kinds = {
        "PLAIN": SASLPlaintext,
        "SCRAM-SHA-256": SASLScram256,
        "SCRAM-SHA-512": SASLScram512,
    }
    assert settings.kafka_sasl_username is not None
    assert settings.kafka_sasl_password is not None
    return kinds[settings.kafka_sasl_mechanism](
        username=settings.kafka_sasl_username,
        password=settings.kafka_sasl_password.get_secret_value(),
        ssl_context=context,
        use_ssl=context is not None,
    )


def client_options(settings: Settings) -> dict[str, Any]:
    """What every aiokafka client needs to connect."""
    return {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "client_id": CLIENT_ID,
        **parse_security(security(settings)),
    }


def producer_options(settings: Settings) -> dict[str, Any]:
    """What a producer needs on top: to be answered by every replica that is in sync."""
    return {**client_options(settings), "acks": "all"}


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    with _usable("KAFKA_SSL_CA_PATH"):
        context = ssl.create_default_context(cafile=settings.kafka_ssl_ca_path)
    if settings.kafka_ssl_certificate_path:
        password = settings.kafka_ssl_key_password
        with _usable("KAFKA_SSL_CERTIFICATE_PATH or _KEY_PATH"):
            context.load_cert_chain(
                settings.kafka_ssl_certificate_path,
                settings.kafka_ssl_key_path,
                password.get_secret_value() if password else None,
            )
    return context


@contextmanager
def _usable(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # what OpenSSL has to say is one, too
        raise WrongSettingError(f"{PREFIX}{name} cannot be used: {describe(error)}") from None


@asynccontextmanager
async def administration(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client that looks after topics and groups.

    Raises `KafkaConnectionError` that says why: of a certificate that is not trusted, or a wrong
    password, aiokafka writes in its log only.
    """
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
    except KafkaConnectionError as error:
        reasons = await _reasons_against_connecting(settings)
        raise KafkaConnectionError("; ".join(reasons) or str(error)) from error
    try:
        yield admin
    finally:
        await admin.close()


async def _reasons_against_connecting(settings: Settings) -> list[str]:
    options = client_options(settings)
    reasons = []
    for host, port, _ in collect_hosts(options.pop("bootstrap_servers")):
        try:
            connection = await create_conn(host, port, **options)
            connection.close()
        except (OSError, KafkaError, TimeoutError) as error:
            reasons.append(f"{host}:{port}: {describe(error)}")
    return reasons


async def committed_offsets(
    settings: Settings, group: str, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, OffsetAndMetadata]:
    """What the group has committed of these partitions; those without an offset are left out.

    Raises a `KafkaError` while the group's coordinator cannot tell. aiokafka passes over the error
    that stands for the whole answer, so that its consumer's `committed` takes a coordinator that
    still loads, as after a restart, for one that knows no offset: a reader would start over.
    """
    async with administration(settings) as admin:
        told = await admin.list_consumer_group_offsets(group, partitions=list(partitions))
    if untold := set(partitions) - told.keys():
        raise GroupCoordinatorNotAvailableError(
            f"The coordinator of group {group} tells nothing of {len(untold)} partitions."
        )
    return {place: committed for place, committed in told.items() if committed.offset >= 0}


async def group_members(settings: Settings, group: str) -> int:
    """How many members the group has right now. Raises a `KafkaError` where nobody can tell."""
    return len((await _group(settings, group))["members"])


async def owned_partitions(settings: Settings, group: str) -> set[TopicPartition] | None:
    """What the group's members have between them; None while it is being shared out.

    Raises a `KafkaError` where nobody can tell.
    """
    told = await _group(settings, group)
    if told["state"] != "Stable":
        return None
    assignments = [
        ConsumerProtocolMemberAssignment.decode(member["member_assignment"])
        for member in told["members"]
    ]
    return {place for assignment in assignments for place in assignment.partitions()}


async def _group(settings: Settings, group: str) -> dict[str, Any]:
    async with administration(settings) as admin:
        (response,) = await admin.describe_consumer_groups([group])
    (told,) = response.to_object()["groups"]
    if (code := told["error_code"]) and for_code(code) is not GroupIdNotFound:
        raise for_code(code)(f"group {group}")
    return dict(told)


async def existing_topics(settings: Settings) -> dict[str, int]:
    """How many partitions each of our topics has; those that do not exist are left out.

    Raises `TopicsError` where we may not know whether one exists.
    """
    async with administration(settings) as admin:
        described = await admin.describe_topics(_names(settings))
    for topic in described:
        if topic["error_code"] == TopicAuthorizationFailedError.errno:
            raise TopicsError(
                f"Kafka does not let us see topic {topic['topic']}:"
                f" {settings.kafka_sasl_username or 'who we are'} has no right to describe it."
            )
    return {
        topic["topic"]: len(topic["partitions"]) for topic in described if topic["error_code"] == 0
    }


async def create_topics(settings: Settings) -> list[str]:
    """Create the topics that are missing; returns their names. Then `check_topics` them."""
    existing = await existing_topics(settings)
    missing = [name for name in _names(settings) if name not in existing]
    async with administration(settings) as admin:
        response = await admin.create_topics([_new_topic(settings, name) for name in missing])
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if code != 0 and error is not TopicAlreadyExistsError:
            detail = next((text for text in message if text), error.description)
            raise TopicsError(f"Kafka did not create topic {name}: {detail}")
    return missing


async def delete_topics(settings: Settings, names: Collection[str]) -> None:
    """Delete topics, with all that is in them."""
    async with administration(settings) as admin:
        await admin.delete_topics(list(names))


def check_topics(settings: Settings, partitions: dict[str, int]) -> None:
    """Raises `TopicsError` where one is missing, or events have other partitions than commands."""
    if missing := [name for name in _names(settings) if name not in partitions]:
        raise TopicsError(
            f"Topics are missing: {', '.join(missing)}. `invoicing topics` creates them."
        )
    commands, events = partitions[settings.topic_commands], partitions[settings.topic_events]
    if commands != events:
        raise TopicsError(
            f"{settings.topic_commands} has {commands} partitions and {settings.topic_events} has"
            f" {events}. They must be the same, so that an invoice's events keep to one partition."
        )


async def batch_limits(settings: Settings) -> dict[str, int]:
    """How many bytes a batch may have, compressed, in the topics of commands and dead letters.

    A topic is left out where we may not know its settings, or the broker does not tell any.
    """
    names = (settings.topic_commands, settings.topic_dead_letter)
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name, {BATCH_LIMIT: ""}) for name in names]
    async with administration(settings) as admin:
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
    """What to set where a record that came as a command may be too large to be set aside."""
    commands, dead_letters = settings.topic_commands, settings.topic_dead_letter
    if {commands, dead_letters} - limits.keys():
        return None
    least = limits[commands] + DEAD_LETTER_BYTES_MORE
    if limits[dead_letters] >= least:
        return None
    return (
        f"{dead_letters} takes {limits[dead_letters]} bytes, and {commands} {limits[commands]}:"
        f" a record that must be set aside could stop its partition. Set {BATCH_LIMIT} of"
        f" {dead_letters} to {max(least, DEAD_LETTER_BYTES_MAX)}."
    )


def check_homes(topic: str, partitions: int, homes: int) -> None:
    """Raises `TopicsError` where the topic has fewer partitions than invoices are at home in."""
    if partitions < homes:
        raise TopicsError(
            f"{topic} has {partitions} partitions, but its invoices are at home in {homes}: it was"
            f" made anew with too few. Make it again with {homes} or more."
        )


def _names(settings: Settings) -> list[str]:
    return [
        settings.topic_commands,
        settings.topic_events,
        settings.topic_replies,
        settings.topic_dead_letter,
    ]


def _new_topic(settings: Settings, name: str) -> NewTopic:
    set_aside = name == settings.topic_dead_letter
    factor = settings.topic_replication_factor
    return NewTopic(
        name,
        num_partitions=settings.topic_partitions,
        replication_factor=factor,
        # aiokafka takes the broker's default factor for an oversight, unless this is given.
        replica_assignments={} if factor == BROKERS_DEFAULT else None,
        topic_configs={BATCH_LIMIT: str(DEAD_LETTER_BYTES_MAX)} if set_aside else {},
    )
