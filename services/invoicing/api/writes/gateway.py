"""Commands to Kafka, and their replies back.

The replies topic only signals that there is a reply; the reply itself is read from the `commands`
table. So a reply from long ago, or to another delivery of the same command, is found as well.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from invoicing.api.http.metrics import COMMANDS_WAITING
from invoicing.contracts.envelope import HEADERS, CommandEnvelope
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.runtime import tracing
from invoicing.runtime.kafka.connect import new_consumer, new_producer
from invoicing.runtime.kafka.topics import check_topics, existing_topics, partition_of
from invoicing.runtime.postgres import Pool
from invoicing.runtime.retry import describe, wait_with_timeout
from invoicing.runtime.settings import Settings
from invoicing.store.rows import CommandKey

SEND_SECONDS_MAX: Final = 5.0
# Polled at this interval, in case the replies topic cannot be followed.
LOOK_INTERVAL_SECONDS: Final = 0.5
RESTART_PAUSE_SECONDS: Final = 1.0

FIND_ANSWER: Final = """
SELECT answer, body_hash FROM commands WHERE source = $1 AND id = $2
"""

# The count that routing is pinned to (docs/design.md).
FIND_PARTITIONS: Final = """
SELECT partitions FROM homes WHERE topic = $1
"""

log = structlog.get_logger()

Reply = dict[str, Any]
"""A reply's whole CloudEvent."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The reply to a command; `replayed` if it was stored before the request."""

    reply: Reply
    replayed: bool


@dataclass(frozen=True, slots=True)
class StillPending:
    """There is no reply yet. `sent_to` is the command's partition and offset, such as `3-1042`.

    It is None if another request sent the command, or if the partition is not the invoice's own:
    the worker forwards such a command, and its first position says nothing about its reply.
    """

    sent_to: str | None


class KafkaUnavailableError(Exception):
    """Kafka did not confirm the command. It may still be applied, once."""


@dataclass
class _Waiting:
    """The requests that wait for the reply to one command."""

    body_hash: bytes
    answered: asyncio.Event
    count: int = 0
    sent_to: tuple[int, int] | None = None


class Gateway:
    """Sends commands and waits for their replies."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, pool: Pool) -> None:
        self._producer = producer
        self._topic = topic
        self._pool = pool
        self._waiting: dict[CommandKey, _Waiting] = {}
        self.closing = asyncio.Event()
        """Set at shutdown: waiting requests then return 202."""

    async def ask(
        self, command: CommandEnvelope, value: bytes, wait_seconds: float
    ) -> Answered | Rejection | StillPending:
        """The reply to the command, or `StillPending` if it takes longer than `wait_seconds`.

        A repeated command gets its stored reply; one that is under way is not sent twice.
        Raises `KafkaUnavailableError`.
        """
        key = (command.source, command.id)
        stored = await self._find(command)
        if stored is not None:
            return stored if isinstance(stored, Rejection) else Answered(stored, replayed=True)
        waiting = self._waiting.get(key)
        if waiting is not None and waiting.body_hash != command.body_hash:
            return _conflict()
        is_first = waiting is None
        waiting = self._waiting.setdefault(key, _Waiting(command.body_hash, asyncio.Event()))
        waiting.count += 1
        try:
            if is_first:
                with tracing.span("send command", "PRODUCER"):
                    waiting.sent_to = await self._send(command, value)
            with COMMANDS_WAITING.track_inprogress(), tracing.span("await answer"):
                reply = await self._wait(command, waiting.answered, wait_seconds)
            if reply is None:
                return StillPending(await self._position(command, waiting.sent_to))
            return reply if isinstance(reply, Rejection) else Answered(reply, replayed=False)
        finally:
            waiting.count -= 1
            if waiting.count == 0:
                self._waiting.pop(key, None)

    def take(self, record: ConsumerRecord) -> None:
        """Handle a record of the replies topic."""
        if not self._waiting:
            return
        data = orjson.loads(record.value)["data"]
        waiting = self._waiting.get((data["command_source"], data["command_id"]))
        if waiting is not None:
            waiting.answered.set()

    async def _send(self, command: CommandEnvelope, value: bytes) -> tuple[int, int]:
        """Send the command; gives its partition and offset."""
        headers = list(HEADERS)
        # A trace that came with the request alone is not in the record's value.
        if command.traceparent is not None:
            headers.append(("traceparent", command.traceparent.encode()))
        try:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                sent = await self._producer.send_and_wait(
                    self._topic, value, key=command.subject.encode(), headers=headers
                )
                return sent.partition, sent.offset
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("command_not_sent", error=describe(error))
            raise KafkaUnavailableError from error

    async def _wait(
        self, command: CommandEnvelope, answered: asyncio.Event, wait_seconds: float
    ) -> Reply | Rejection | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_seconds):
                while not self.closing.is_set():
                    await wait_with_timeout(answered, LOOK_INTERVAL_SECONDS)
                    stored = await self._find(command)
                    if stored is not None:
                        return stored
                    # The signal may be for an idempotency conflict, whose reply is not stored.
                    answered.clear()
        return None

    async def _position(
        self, command: CommandEnvelope, sent_to: tuple[int, int] | None
    ) -> str | None:
        if sent_to is None:
            return None
        partition, offset = sent_to
        row = await self._pool.fetchrow(FIND_PARTITIONS, self._topic)
        # Before the first worker starts, the count is not pinned: it will be the topic's.
        if row and partition_of(command.subject.encode(), row["partitions"]) != partition:
            return None
        return f"{partition}-{offset}"

    async def _find(self, command: CommandEnvelope) -> Reply | Rejection | None:
        row = await self._pool.fetchrow(FIND_ANSWER, command.source, command.id)
        if row is None:
            return None
        if row["body_hash"] != command.body_hash:
            return _conflict()
        answer: Reply = orjson.loads(row["answer"])
        return answer


def _conflict() -> Rejection:
    return Rejection(
        RejectionCode.IDEMPOTENCY_CONFLICT,
        "This source has sent another command under this id. Every command needs its own.",
    )


@asynccontextmanager
async def open_gateway(settings: Settings, pool: Pool) -> AsyncIterator[Gateway]:
    """A gateway that follows the replies topic from now on. Raises `TopicsError`, `KafkaError`."""
    partitions = await existing_topics(settings)
    check_topics(settings, partitions)
    producer = new_producer(settings)
    await producer.start()
    gateway = Gateway(producer, settings.topic_commands, pool)
    consumer = await _consumer(settings, partitions[settings.topic_replies])
    following = asyncio.create_task(_follow(consumer, gateway))
    try:
        yield gateway
    finally:
        following.cancel()
        await asyncio.wait({following})
        await consumer.stop()
        try:
            # It flushes first, and would wait for an unreachable broker.
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await producer.stop()
        except TimeoutError:
            log.warning("producer_not_flushed")


async def _consumer(settings: Settings, partitions: int) -> AIOKafkaConsumer:
    """A consumer positioned at the current end of the replies topic."""
    consumer = new_consumer(settings, auto_offset_reset="latest")
    await consumer.start()
    assigned = [TopicPartition(settings.topic_replies, number) for number in range(partitions)]
    consumer.assign(assigned)
    for partition, offset in (await consumer.end_offsets(assigned)).items():
        consumer.seek(partition, offset)
    return consumer


async def _follow(consumer: AIOKafkaConsumer, gateway: Gateway) -> None:
    while True:
        try:
            async for record in consumer:
                gateway.take(record)
        except Exception as error:  # noqa: BLE001 (replies are still found by polling, only later)
            log.warning("replies_not_followed", error=describe(error))
            await asyncio.sleep(RESTART_PAUSE_SECONDS)
