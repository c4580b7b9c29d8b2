"""All that FastStream and aiokafka need to be kept from losing or hiding records.

FastStream carries the consumer and its life cycle, and nothing else. Seen in FastStream 0.7 and
aiokafka 0.14; when they move, this file moves:

- FastStream's parser raises on a header that is null or not UTF-8, and the batch is committed past.
- Its acknowledgements commit every consumed position, handled or not.
- It logs what a handler or a rebalance callback raises, and goes on without the records.
- It splits no string of several bootstrap servers, and logs two lines for every batch.
- After an empty poll, it sleeps for `batch_timeout_ms` once more.
- It makes the consumer when it starts; until then there is none to ask.
- aiokafka loses other partitions' records if one batch cannot be read (see `poll`).
- It has no public way to rejoin the group, and a named member never leaves it.

Header names that are not UTF-8 concern every consumer: see `runtime.kafka.header_names`.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from invoicing.runtime.kafka.connect import CLIENT_ID, ssl_context
from invoicing.runtime.settings import Settings

FETCH_RECORDS_MAX: Final = 5_000
# A broker answers at once if it has records; the embedded one waits this long in any case.
FETCH_WAIT_MS_MAX: Final = 100
POLL_WAIT_MS: Final = 5
# Partitions that were added are not read for so long.
METADATA_AGE_MS_MAX: Final = 20_000
STOP_SECONDS_MAX: Final = 3.0
# Members learn of a rebalance by their next heartbeat, and all lanes wait for the slowest.
HEARTBEAT_INTERVAL_MS_MAX: Final = 2_500
# Far above the longest wait for a revoked lane.
REBALANCE_TIMEOUT_MS: Final = 60_000

Fetched = dict[TopicPartition, list[ConsumerRecord]]
GetMany = Callable[..., Awaitable[Fetched]]


def create_broker(
    settings: Settings,
    listener: ConsumerRebalanceListener,
    dispatch: Callable[[Sequence[ConsumerRecord]], None],
    fail: Callable[[BaseException], None],
) -> KafkaBroker:
    """A FastStream broker with one subscriber, which passes raw records to `dispatch`.

    `dispatch` must not wait. What it raises goes to `fail`, for FastStream would swallow it.
    """
    broker = KafkaBroker(
        settings.kafka_bootstrap_servers.split(","),
        client_id=CLIENT_ID,
        security=security(settings),
        consumer_only=True,
        allow_auto_create_topics=False,
        metadata_max_age_ms=METADATA_AGE_MS_MAX,
        graceful_timeout=STOP_SECONDS_MAX,
        logger=_quiet_logger(),
        apply_types=False,
    )
    session_timeout_ms = int(settings.session_timeout_seconds * 1000)

    @broker.subscriber(
        settings.topic_commands,
        batch=True,
        group_id=settings.consumer_group,
        group_instance_id=settings.group_instance_id,
        ack_policy=AckPolicy.MANUAL,
        parser=_parse_nothing,
        decoder=_decode_nothing,
        listener=listener,
        max_records=FETCH_RECORDS_MAX,
        fetch_max_wait_ms=FETCH_WAIT_MS_MAX,
        batch_timeout_ms=POLL_WAIT_MS,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        session_timeout_ms=session_timeout_ms,
        heartbeat_interval_ms=min(session_timeout_ms // 4, HEARTBEAT_INTERVAL_MS_MAX),
        rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
    )
    async def dispatch_records(records: Sequence[ConsumerRecord]) -> None:
        try:
            dispatch(records)
        except Exception as error:  # noqa: BLE001 (FastStream would log it and go on)
            fail(error)

    return broker


def consumer_of(broker: Any) -> AIOKafkaConsumer:
    """The consumer of a broker that has started."""
    return broker.subscribers[0].consumer


def intercept_polls(consumer: AIOKafkaConsumer, poll: Callable[..., Awaitable[Fetched]]) -> None:
    """Have FastStream call `poll(consumer, getmany, ...)` instead of the consumer's `getmany`."""
    consumer.getmany = partial(poll, consumer, consumer.getmany)


def request_rejoin(consumer: AIOKafkaConsumer) -> None:
    """Ask the group's coordinator for a rebalance."""
    consumer._coordinator.request_rejoin()


def leave_group_on_stop(consumer: AIOKafkaConsumer) -> None:
    """Have a named member leave the group when it stops, so that others get its lanes at once.

    Staying is right for a named member that was killed and will be back soon. Until one that was
    stopped is replaced, which may take long, its lanes would stand still.
    """
    consumer._coordinator._group_instance_id = None


def security(settings: Settings) -> BaseSecurity:
    """Encryption and login, in FastStream's terms. Raises `WrongSettingError`."""
    context = ssl_context(settings)
    if not settings.kafka_security_protocol.startswith("SASL"):
        return BaseSecurity(ssl_context=context)
    mechanisms = {
        "PLAIN": SASLPlaintext,
        "SCRAM-SHA-256": SASLScram256,
        "SCRAM-SHA-512": SASLScram512,
    }
    assert settings.kafka_sasl_username is not None
    assert settings.kafka_sasl_password is not None
    return mechanisms[settings.kafka_sasl_mechanism](
        username=settings.kafka_sasl_username,
        password=settings.kafka_sasl_password.get_secret_value(),
        ssl_context=context,
        use_ssl=context is not None,
    )


def _quiet_logger() -> logging.Logger:
    """FastStream's own logger writes lines of its own format, two for every batch."""
    logger = logging.getLogger("invoicing.subscriber")
    logger.setLevel(logging.ERROR)
    return logger


async def _parse_nothing(records: tuple[ConsumerRecord, ...]) -> KafkaMessage:
    return KafkaMessage(body=b"", raw_message=records, consumer=None)  # type: ignore[arg-type]


async def _decode_nothing(message: KafkaMessage) -> object:
    return message.raw_message
