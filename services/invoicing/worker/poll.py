"""Records fetched for the lanes: what cannot be read of one partition costs no other a record.

Where a partition's batch cannot be read, aiokafka has moved the others' positions on already, and
drops what it had of them; FastStream logs that, and goes on after the gap.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError

from invoicing.runtime import metrics
from invoicing.runtime.retry import GaveUpError, Patience, describe
from invoicing.worker.assignment import Lanes

# How long each partition is asked by itself after one could not be read.
APART_SECONDS: Final = 30.0

Fetched = dict[TopicPartition, list[ConsumerRecord]]
GetMany = Callable[..., Awaitable[Fetched]]

log = structlog.get_logger()


class Fetching:
    """Stands before a consumer's `getmany`."""

    def __init__(self, lanes: Lanes, limit_seconds: float) -> None:
        self._lanes = lanes
        self._patience = Patience(limit_seconds, "Reading commands")
        self._guarded: AIOKafkaConsumer | None = None
        self._unreadable: set[TopicPartition] = set()
        self._apart_until = 0.0

    def guard(self, consumer: AIOKafkaConsumer) -> None:
        """Let all polls of this consumer go through here."""
        if consumer is not self._guarded:
            self._guarded = consumer
            consumer.getmany = partial(self._poll, consumer, consumer.getmany)

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
            return await self._each_apart(consumer, getmany, max_records)
        try:
            fetched = await getmany(timeout_ms=timeout_ms, max_records=max_records)
        except ConsumerStoppedError:
            raise
        except Exception as error:  # noqa: BLE001 (records that cannot be read fail in many ways)
            await self._bear(error)
            return {}
        self._patience.restored()
        self._unreadable.clear()
        return fetched

    async def _bear(self, error: Exception) -> None:
        metrics.RETRIES.labels(cause=type(error).__name__).inc()
        log.warning("fetch_interrupted", error=describe(error))
        self._lanes.fetch_again()
        self._ask_apart()
        try:
            await self._patience.after(error)
        except GaveUpError as gave_up:
            # FastStream would log it and ask again.
            self._lanes.fail(gave_up)

    async def _each_apart(
        self,
        consumer: AIOKafkaConsumer,
        getmany: GetMany,
        max_records: int,
    ) -> Fetched:
        fetched: Fetched = {}
        for place in consumer.assignment():
            # What stands before the unreadable is had one by one: it would be dropped with that.
            some = 1 if place in self._unreadable else max_records
            try:
                fetched |= await getmany(place, timeout_ms=0, max_records=some)
            except ConsumerStoppedError:
                raise
            except Exception as error:  # noqa: BLE001
                self._unreadable.add(place)
                self._ask_apart()
                self._lanes.interrupt(place, error)
        return fetched

    def _ask_apart(self) -> None:
        self._apart_until = asyncio.get_running_loop().time() + APART_SECONDS
