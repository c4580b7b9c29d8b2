"""The worker process: a FastStream application whose one subscriber feeds the lanes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import structlog
from aiokafka import TopicPartition
from faststream import FastStream
from faststream.kafka import KafkaBroker

from invoicing.domain.numbering import format_number
from invoicing.domain.sellers import Sellers
from invoicing.runtime import clock
from invoicing.runtime.gc_tuning import gc_tuned
from invoicing.runtime.health import running_probes
from invoicing.runtime.http import bind, serving
from invoicing.runtime.kafka.connect import is_kafka_outage
from invoicing.runtime.process import run_until_signal, stop_signal
from invoicing.runtime.service import health_probes, monitoring_app, until_available
from invoicing.runtime.settings import Settings
from invoicing.store.postgres import PostgresStore, open_writer_pool
from invoicing.store.protocol import EventStore
from invoicing.worker import consumer as kafka_consumer
from invoicing.worker.assignment import Lanes
from invoicing.worker.batch import BatchHandler
from invoicing.worker.lag import watching_lag
from invoicing.worker.lane import Lane
from invoicing.worker.partitions import watching_partitions
from invoicing.worker.poll import Poller
from invoicing.worker.startup import prepare

log = structlog.get_logger()


async def run(settings: Settings, sellers: Sellers) -> None:
    """Run a worker until SIGTERM or SIGINT.

    Raises `GaveUpError` when an outage lasts too long, and what `prepare` raises when the topics or
    the database are not what they must be.
    """
    stopped = stop_signal()
    numbered = partial(format_number, sellers=sellers)
    async with _pool(settings) as pool:
        store = PostgresStore(pool, numbered, settings.consumer_group)
        handler = BatchHandler(store, sellers, clock.now)
        broker, lanes = create_broker(settings, handler, store)
        probes = health_probes(settings)
        monitoring = monitoring_app(
            live=lambda: {"lanes": not lanes.failure.done()},
            ready=lambda: {
                **{name: probe.is_up for name, probe in probes.items()},
                "lanes": lanes.all_open,
            },
        )
        app = FastStream(broker)
        async with (
            serving(monitoring, bind(settings.metrics_host, settings.metrics_port)),
            running_probes(probes),
        ):
            await run_until_signal(stopped, prepare(settings, pool, store))
            if not stopped.done():
                await _work(settings, app, lanes, stopped)


def create_broker(
    settings: Settings, handler: BatchHandler, store: EventStore
) -> tuple[KafkaBroker, Lanes]:
    """The broker with its subscriber, and the lanes that it feeds."""

    def new_lane(partition: TopicPartition) -> Lane:
        # Lanes are made by the rebalance callback, so the consumer exists, and no poll comes first.
        consumer = kafka_consumer.consumer_of(broker)
        poller.attach(consumer)
        return Lane(partition, consumer, handler, store, settings)

    lanes = Lanes(new_lane)
    poller = Poller(lanes, settings.retry_limit_seconds)
    broker = kafka_consumer.create_broker(settings, lanes, lanes.dispatch, lanes.fail)
    return broker, lanes


async def _work(
    settings: Settings, app: FastStream, lanes: Lanes, stopped: asyncio.Future[None]
) -> None:
    await until_available(settings, "Kafka", is_kafka_outage, partial(_start, app))
    log.info("worker_started", group=settings.consumer_group, topic=settings.topic_commands)
    consumer = kafka_consumer.consumer_of(app.broker)
    try:
        with gc_tuned():
            async with watching_lag(lanes, consumer), watching_partitions(settings, consumer):
                await run_until_signal(stopped, lanes.failure)
    finally:
        await lanes.stop()
        kafka_consumer.leave_group_on_stop(consumer)
        with suppress(TimeoutError):
            async with asyncio.timeout(kafka_consumer.STOP_SECONDS_MAX):
                await app.stop()
        log.info("worker_stopped")


async def _start(app: FastStream) -> None:
    try:
        await app.start()
    except BaseException:
        await app.stop()
        raise


@asynccontextmanager
async def _pool(settings: Settings) -> AsyncIterator[Any]:
    pool = await open_writer_pool(settings)
    try:
        yield pool
    finally:
        try:
            async with asyncio.timeout(1):
                await pool.close()
        except Exception:  # noqa: BLE001 (the process is about to end)
            pool.terminate()
