"""The worker: a FastStream application whose one subscriber feeds the lanes.

FastStream carries the consumer and its life cycle. It is kept from all that would lose or hide
something: it decodes nothing, it acknowledges nothing, and its handler cannot fail.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from faststream import AckPolicy
from faststream.asgi import AsgiFastStream, AsgiResponse, get
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage
from prometheus_client import make_asgi_app

from invoicing.domain.numbering import format_number
from invoicing.domain.sellers import Sellers
from invoicing.runtime.garbage import gc_tuned
from invoicing.runtime.health import HealthProbe, kafka_ping, postgres_ping
from invoicing.runtime.http import serving
from invoicing.runtime.kafka.connect import CLIENT_ID, is_kafka_outage, security
from invoicing.runtime.kafka.groups import committed_offsets
from invoicing.runtime.kafka.topics import (
    advice_on_limits,
    batch_limits,
    check_routing_partitions,
    check_topics,
    existing_topics,
)
from invoicing.runtime.postgres import open_pool
from invoicing.runtime.process import patiently, run_until_signal, running_probes, stop_signal
from invoicing.runtime.retry import Patience
from invoicing.runtime.settings import Settings
from invoicing.store.errors import check_schema, is_infrastructure_error, is_transient
from invoicing.store.postgres import WRITER_ROLE, PostgresStore
from invoicing.worker.assignment import Lanes
from invoicing.worker.batch import BatchHandler
from invoicing.worker.lag import watching
from invoicing.worker.lane import Lane
from invoicing.worker.offsets import check_databases_lanes
from invoicing.worker.partitions import sharing_out
from invoicing.worker.poll import Fetching

FETCH_RECORDS_MAX: Final = 5_000
# A broker answers at once when there is something; the embedded one only when this is over.
FETCH_WAIT_MS_MAX: Final = 100
# FastStream sleeps this long again after it has waited this long for nothing.
POLL_WAIT_MS: Final = 5
# Partitions that were added wait for so long until somebody reads them.
METADATA_AGE_MS_MAX: Final = 20_000
STOP_SECONDS_MAX: Final = 3.0
# A member learns of a rebalance by its next heartbeat: all lanes wait for the slowest to learn it.
HEARTBEAT_INTERVAL_MS_MAX: Final = 2_500
# The longest that a revoked lane is waited for lies well below it.
REBALANCE_TIMEOUT_MS: Final = 60_000

log = structlog.get_logger()


async def run(settings: Settings, sellers: Sellers) -> None:
    """Run a worker until SIGTERM or SIGINT.

    Raises `GaveUpError` when an outage lasts too long, `TopicsError` and `SchemaError` when the
    topics or the database are not what they must be.
    """
    stopped = stop_signal()
    numbered = partial(format_number, sellers=sellers)
    async with _pool(settings) as pool:
        store = PostgresStore(pool, numbered, settings.consumer_group)
        handler = BatchHandler(store, sellers, lambda: datetime.now(UTC))
        broker, lanes = create_broker(settings, handler)
        probes = {
            "kafka": HealthProbe("kafka", kafka_ping(settings)),
            "postgres": HealthProbe("postgres", postgres_ping(settings)),
        }
        app = AsgiFastStream(broker, asgi_routes=_routes(probes, lanes))
        async with (
            serving(app, settings.metrics_host, settings.metrics_port),
            running_probes(probes),
        ):
            await run_until_signal(stopped, _prepared(settings, pool, store))
            if not stopped.done():
                await _work(settings, app, lanes, stopped)


def create_broker(settings: Settings, handler: BatchHandler) -> tuple[KafkaBroker, Lanes]:
    """The broker with its subscriber, and the lanes that it feeds."""
    broker = KafkaBroker(
        # Of a string that names several, FastStream makes the name of one.
        settings.kafka_bootstrap_servers.split(","),
        client_id=CLIENT_ID,
        security=security(settings),
        consumer_only=True,
        allow_auto_create_topics=False,
        metadata_max_age_ms=METADATA_AGE_MS_MAX,
        graceful_timeout=STOP_SECONDS_MAX,
        logger=_subscriber_log(),
        apply_types=False,
    )

    def new_lane(place: TopicPartition) -> Lane:
        # FastStream makes the consumer when it starts; no lane is fed before it has one.
        fetching.guard(subscriber.consumer)
        return Lane(place, subscriber.consumer, handler, settings)

    lanes = Lanes(new_lane)
    fetching = Fetching(lanes, settings.retry_limit_seconds)
    subscriber = broker.subscriber(
        settings.topic_commands,
        batch=True,
        group_id=settings.consumer_group,
        group_instance_id=settings.group_instance_id,
        ack_policy=AckPolicy.MANUAL,
        parser=_parse_nothing,
        decoder=_decode_nothing,
        listener=lanes,
        max_records=FETCH_RECORDS_MAX,
        fetch_max_wait_ms=FETCH_WAIT_MS_MAX,
        batch_timeout_ms=POLL_WAIT_MS,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        session_timeout_ms=int(settings.session_timeout_seconds * 1000),
        heartbeat_interval_ms=min(
            int(settings.session_timeout_seconds * 1000 / 4), HEARTBEAT_INTERVAL_MS_MAX
        ),
        rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
    )

    @subscriber
    async def feed_lanes(records: Sequence[ConsumerRecord]) -> None:
        try:
            lanes.dispatch(records)
        except Exception as error:  # noqa: BLE001 (FastStream would log it and go on without them)
            lanes.fail(error)

    return broker, lanes


def _subscriber_log() -> logging.Logger:
    """FastStream's own logger writes lines of its own form, two for every batch."""
    logger = logging.getLogger("invoicing.subscriber")
    logger.setLevel(logging.ERROR)
    return logger


async def _parse_nothing(records: tuple[ConsumerRecord, ...]) -> KafkaMessage:
    """FastStream's own parser raises on a header that is null or not UTF-8, and loses the batch."""
    return KafkaMessage(body=b"", raw_message=records, consumer=None)  # type: ignore[arg-type]


async def _decode_nothing(message: KafkaMessage) -> object:
    return message.raw_message


async def _prepared(settings: Settings, pool: Any, store: PostgresStore) -> None:
    """Wait until Postgres and Kafka answer, and see that they are as they must be."""
    limit = settings.retry_limit_seconds
    await patiently(
        Patience(limit, "Postgres"), is_infrastructure_error, partial(check_schema, pool)
    )
    partitions = await patiently(
        Patience(limit, "Kafka"), is_kafka_outage, partial(existing_topics, settings)
    )
    check_topics(settings, partitions)
    await patiently(
        Patience(limit, "Kafka"), is_kafka_outage, partial(_look_at_batch_limits, settings)
    )
    topic, there_are = settings.topic_commands, partitions[settings.topic_commands]
    settled = partial(store.pin_partition_count, topic, there_are)
    check_routing_partitions(
        topic,
        there_are,
        await patiently(Patience(limit, "Postgres"), is_infrastructure_error, settled),
    )
    await patiently(
        Patience(limit, "Kafka or Postgres"),
        lambda error: is_kafka_outage(error) or is_transient(error),
        partial(_check_lanes, settings, store, there_are),
    )


async def _look_at_batch_limits(settings: Settings) -> None:
    limits = await batch_limits(settings)
    if not limits:
        log.warning("batch_limits_unknown", topic=settings.topic_dead_letter)
    if advice := advice_on_limits(settings, limits):
        log.warning("dead_letter_topic_limit_too_low", advice=advice)


async def _check_lanes(settings: Settings, store: PostgresStore, partitions: int) -> None:
    topic = settings.topic_commands
    places = [TopicPartition(topic, number) for number in range(partitions)]
    # In this order: what others commit meanwhile, they have stored before.
    committed = await committed_offsets(settings, settings.consumer_group, places)
    stored = await store.next_offsets(topic)
    check_databases_lanes(
        topic, {place.partition: told.offset for place, told in committed.items()}, stored
    )


async def _work(
    settings: Settings, app: AsgiFastStream, lanes: Lanes, stopped: asyncio.Future[None]
) -> None:
    kafka = Patience(settings.retry_limit_seconds, "Kafka")
    await patiently(kafka, is_kafka_outage, partial(_start, app))
    log.info("worker_started", group=settings.consumer_group, topic=settings.topic_commands)
    try:
        consumer = _consumer(app.broker)
        with gc_tuned():
            async with watching(lanes, consumer), sharing_out(settings, consumer):
                await run_until_signal(stopped, lanes.failure)
    finally:
        await lanes.stop()
        _leave_also_by_name(_consumer(app.broker))
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await app.stop()
        log.info("worker_stopped")


def _leave_also_by_name(consumer: AIOKafkaConsumer) -> None:
    """Let the others have our lanes at once.

    aiokafka's named members never leave. That is right for one that is killed, for it is back soon;
    but until one that stops is replaced, which may take long, nobody would handle its lanes.
    """
    consumer._coordinator._group_instance_id = None


def _consumer(broker: Any) -> AIOKafkaConsumer:
    """FastStream makes it when it starts."""
    return broker.subscribers[0].consumer


async def _start(app: AsgiFastStream) -> None:
    try:
        await app.start()
    except BaseException:
        await app.stop()
        raise


@asynccontextmanager
async def _pool(settings: Settings) -> AsyncIterator[Any]:
    pool = await open_pool(settings, WRITER_ROLE)
    try:
        yield pool
    finally:
        try:
            async with asyncio.timeout(1):
                await pool.close()
        except Exception:  # noqa: BLE001 (whatever holds it up, the process is about to end)
            pool.terminate()


def _routes(probes: dict[str, HealthProbe], lanes: Lanes) -> list[tuple[str, Any]]:
    @get
    async def live(_: Any) -> AsgiResponse:
        """Whether the process can still do its work: no means restart it."""
        return _report({"lanes": not lanes.failure.done()})

    @get
    async def ready(_: Any) -> AsgiResponse:
        """Whether the worker is handling commands right now."""
        return _report(
            {name: probe.is_up for name, probe in probes.items()} | {"lanes": lanes.all_open}
        )

    return [("/metrics", make_asgi_app()), ("/health/live", live), ("/health/ready", ready)]


def _report(checks: dict[str, bool]) -> AsgiResponse:
    return AsgiResponse(
        orjson.dumps({"ok": all(checks.values()), "checks": checks}),
        status_code=200 if all(checks.values()) else 503,
        headers={"content-type": "application/json"},
    )
