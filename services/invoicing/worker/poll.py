"""Polls for the lanes, so that an unreadable batch in one partition costs no other a record.

When a batch cannot be read, aiokafka has advanced the other partitions' positions already, and
drops their records; FastStream would log that and go on after the gap.
"""

import asyncio
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import ConsumerStoppedError

from invoicing.runtime.retry import GaveUpError, Outage, describe
from invoicing.worker import metrics
from invoicing.worker.assignment import Lanes
from invoicing.worker.consumer import Fetched, GetMany, intercept_polls

# How long each partition is polled by itself after one could not be read.
APART_SECONDS: Final = 30.0

log = structlog.get_logger()


class Poller:
    """Polls a consumer in place of its own `getmany`."""

    def __init__(self, lanes: Lanes, limit_seconds: float) -> None:
        self._lanes = lanes
        self._outage = Outage(limit_seconds, "Reading commands")
        self._attached: AIOKafkaConsumer | None = None
        self._unreadable: set[TopicPartition] = set()
        self._apart_until = 0.0

    def attach(self, consumer: AIOKafkaConsumer) -> None:
        """Route all polls of this consumer through here, once."""
        if consumer is not self._attached:
            self._attached = consumer
            intercept_polls(consumer, self._poll)

    async def _poll(
        self,
        consumer: AIOKafkaConsumer,
        getmany: GetMany,
        *,
        timeout_ms: int,
        max_records: int,
    ) -> Fetched:
        apart = asyncio.get_running_loop().time() < self._apart_until
        if apart and consumer.assignment():
            return await self._poll_apart(consumer, getmany, max_records)
        try:
            fetched = await getmany(timeout_ms=timeout_ms, max_records=max_records)
        except ConsumerStoppedError:
            raise
        except Exception as error:  # noqa: BLE001 (unreadable records raise many types)
            await self._recover(error)
            return {}
        self._outage.reset()
        self._unreadable.clear()
        return fetched

    async def _recover(self, error: Exception) -> None:
        metrics.RETRIES.labels(cause=type(error).__name__).inc()
        log.warning("fetch_interrupted", error=describe(error))
        self._lanes.fetch_again()
        self._go_apart()
        try:
            await self._outage.wait(error)
        except GaveUpError as gave_up:
            # FastStream would log it and poll again.
            self._lanes.fail(gave_up)

    async def _poll_apart(
        self,
        consumer: AIOKafkaConsumer,
        getmany: GetMany,
        max_records: int,
    ) -> Fetched:
        fetched: Fetched = {}
        for partition in consumer.assignment():
            # One at a time before an unreadable batch; aiokafka would drop them with it.
            limit = 1 if partition in self._unreadable else max_records
            try:
                fetched |= await getmany(partition, timeout_ms=0, max_records=limit)
            except ConsumerStoppedError:
                raise
            except Exception as error:  # noqa: BLE001
                self._unreadable.add(partition)
                self._go_apart()
                self._lanes.interrupt(partition, error)
        return fetched

    def _go_apart(self) -> None:
        self._apart_until = asyncio.get_running_loop().time() + APART_SECONDS
