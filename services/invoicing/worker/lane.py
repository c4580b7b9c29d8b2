"""A lane: one partition of the commands topic, handled by one owner, one batch at a time.

The order of opening matters. First the lane's producer starts, which fences the last owner and
settles the transaction that it may have left open; only then is the committed offset true; and
every record below it is skipped, since the consumer may have fetched it before.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import perf_counter, time_ns
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import InvalidProducerEpoch, ProducerFenced

from invoicing.runtime import tracing
from invoicing.runtime.retry import GaveUpError, Outage, describe
from invoicing.runtime.settings import Settings
from invoicing.store.errors import DatabaseBehindError, is_transient
from invoicing.store.protocol import EventStore
from invoicing.worker import metrics
from invoicing.worker.batch import BatchHandler
from invoicing.worker.metrics import timed
from invoicing.worker.offsets import KafkaBehindError, Offsets, resume_at
from invoicing.worker.outgoing import OutgoingMessages
from invoicing.worker.publisher import Publisher
from invoicing.worker.records import LaneState, Record

OPEN_SECONDS_MAX: Final = 20.0
PUBLISH_SECONDS_MAX: Final = 30.0
CLOSE_SECONDS_MAX: Final = 3.0
BACKLOG_BATCHES_MAX: Final = 4
BACKLOG_BYTES_MAX: Final = 16 * 1024 * 1024

log = structlog.get_logger()

NewPublisher = Callable[[Settings, TopicPartition, AIOKafkaConsumer], Publisher]


class Lane:
    """Handles its partition's records from when `run` starts until `stop`."""

    def __init__(
        self,
        topic_partition: TopicPartition,
        consumer: AIOKafkaConsumer,
        handler: BatchHandler,
        store: EventStore,
        settings: Settings,
        new_publisher: NewPublisher = Publisher.connecting,
    ) -> None:
        self.topic_partition = topic_partition
        self.is_open = False
        self.progressed_at = perf_counter()
        self._consumer = consumer
        self._handler = handler
        self._store = store
        self._settings = settings
        self._new_publisher = new_publisher
        self._backlog: deque[Record] = deque()
        self._backlog_bytes = 0
        self._in_hand: Sequence[Record] = ()
        # The oldest record that was dropped and will be fetched again.
        self._oldest_dropped: Record | None = None
        self._next_offset = 0
        self._state: LaneState | None = None
        self._interruption: Exception | None = None
        self._just_sought = False
        self._paused = False
        self._stopping = False
        self._woken = asyncio.Event()
        self._outage = Outage(settings.retry_limit_seconds, f"Lane {self._name}")

    @property
    def _name(self) -> str:
        return f"{self.topic_partition.topic}-{self.topic_partition.partition}"

    @property
    def oldest_record(self) -> Record | None:
        """The oldest record that is not handled yet, even if it was dropped to be fetched again."""
        if self._in_hand:
            return self._in_hand[0]
        return self._backlog[0] if self._backlog else self._oldest_dropped

    def offer(self, records: Sequence[Record]) -> None:
        """Take records that the consumer fetched. Those dropped here are fetched again later."""
        if self._stopping or not records:
            return
        if not self.is_open:
            self._oldest_dropped = self.oldest_record or records[0]
            return
        just_sought, self._just_sought = self._just_sought, False
        if just_sought and records[0].position.offset != self._next_offset:
            # They may have been fetched before the seek and leave a gap. Records after this second
            # seek cannot have been: the consumer hands over one batch at a time.
            self._seek(self._next_offset)
            return
        if records[0].position.offset < self._next_offset:
            self.interrupt(self._log_was_cut(records[0].position.offset))
            return
        if self.oldest_record is None:
            self.progressed_at = perf_counter()
        self._backlog.extend(records)
        self._backlog_bytes += sum(record.size for record in records)
        self._next_offset = records[-1].position.offset + 1
        if self._is_full() and not self._paused:
            self._paused = True
            self._consumer.pause(self.topic_partition)
        self._woken.set()

    def fetch_again(self) -> None:
        """Seek back: the consumer has lost records of this lane that it had fetched."""
        if self.is_open:
            self._just_sought = True
            self._seek(self._next_offset)

    def interrupt(self, error: Exception) -> None:
        """Reopen the lane once its backlog is handled: the records that follow cannot be read."""
        if self._is_assigned():
            self._consumer.pause(self.topic_partition)
        if self.is_open:
            self._interruption = error
            self._woken.set()

    async def run(self) -> None:
        """Open the lane and handle its records until stopped; after a failure, open it again.

        Raises `GaveUpError` when an outage outlasts the limit, and at once if the database has lost
        data: it does not come back, and the other lanes would give numbers a second time.
        """
        while not self._stopping:
            publisher = self._new_publisher(self._settings, self.topic_partition, self._consumer)
            try:
                await self._open(publisher)
                await self._work(publisher)
            except GaveUpError:
                raise
            except DatabaseBehindError as error:
                raise GaveUpError(str(error)) from error
            except (ProducerFenced, InvalidProducerEpoch) as error:
                await self._yield_to_owner(error)
            except Exception as error:  # noqa: BLE001 (aiokafka raises many types; all are handled alike)
                metrics.RETRIES.labels(cause=type(error).__name__).inc()
                log.warning("lane_interrupted", lane=self._name, error=describe(error))
                await self._outage.wait(error)
            finally:
                self._close()
                await publisher.stop(CLOSE_SECONDS_MAX)

    def stop(self) -> None:
        """Let the batch in hand finish and take no other. `run` returns then."""
        self._stopping = True
        self._woken.set()

    async def _open(self, publisher: Publisher) -> None:
        began = perf_counter()
        async with asyncio.timeout(OPEN_SECONDS_MAX):
            await publisher.start()
            offset = await self._resume_offset(publisher)
        if self._stopping:
            return
        if self._oldest_dropped is not None and self._oldest_dropped.position.offset < offset:
            self._oldest_dropped = None  # another owner has handled it
        self._next_offset = offset
        self.is_open = True
        self._just_sought = True
        self._seek(offset)
        self._resume()
        seconds = round(perf_counter() - began, 3)
        log.info("lane_opened", lane=self._name, offset=offset, seconds=seconds)

    async def _resume_offset(self, publisher: Publisher) -> int:
        """Where to go on. Raises `KafkaBehindError` or `DatabaseBehindError`."""
        lane = self.topic_partition
        begins = await self._consumer.beginning_offsets([lane])
        committed = await publisher.committed_offset()
        stored = (await self._store.next_offsets(lane.topic)).get(lane.partition, 0)
        # The end comes last: at that time the log is at least as long as what was handled of it.
        ends = await self._consumer.end_offsets([lane])
        offset = resume_at(self._name, Offsets(begins[lane], ends[lane], committed, stored))
        if committed is None:
            await publisher.commit_beginning()
        routing_partitions = await self._store.routing_partitions(lane.topic)
        self._state = LaneState(lane.topic, lane.partition, committed or 0, routing_partitions)
        return offset

    async def _work(self, publisher: Publisher) -> None:
        while not self._stopping:
            records = self._in_hand = self._take()
            if not records:
                if self._interruption is not None:
                    raise self._interruption
                self._woken.clear()
                await self._woken.wait()
                continue
            # https://opentelemetry.io/docs/specs/semconv/messaging/
            attributes: tracing.Attributes = {
                "messaging.system": "kafka",
                "messaging.destination.name": self.topic_partition.topic,
                "messaging.destination.partition.id": str(self.topic_partition.partition),
                "messaging.batch.message_count": len(records),
                "messaging.kafka.offset": records[0].position.offset,
            }
            with tracing.span("handle batch", "CONSUMER", attributes=attributes):
                await self._handle_and_publish(records, publisher)
            self._in_hand, self._oldest_dropped = (), None
            self.progressed_at = perf_counter()
            self._outage.reset()

    async def _handle_and_publish(self, records: Sequence[Record], publisher: Publisher) -> None:
        assert self._state is not None, "the lane is open"
        began_ns, next_offset = time_ns(), records[-1].position.offset + 1
        outgoing = await self._handle(records, self._state)
        # From here on, a store that does not know the batch has lost data.
        self._state.checkpoint = next_offset
        with timed("publish"):
            async with asyncio.timeout(PUBLISH_SECONDS_MAX):
                await publisher.publish(outgoing, next_offset, self._state.routing_partitions)
        _count(outgoing, len(records))
        for trace in outgoing.traces:
            trace.record_span(began_ns)

    async def _handle(self, records: Sequence[Record], state: LaneState) -> OutgoingMessages:
        """Decide and store, retrying while Postgres is away."""
        outage = Outage(self._settings.retry_limit_seconds, "Postgres")
        while True:
            try:
                return await self._handler.handle(records, state)
            except Exception as error:
                if not is_transient(error):
                    raise
                metrics.RETRIES.labels(cause=type(error).__name__).inc()
                log.warning("store_interrupted", lane=self._name, error=describe(error))
                await outage.wait(error)

    async def _yield_to_owner(self, error: Exception) -> None:
        """Pause for a session: by then the group has reassigned the lane, or confirmed it ours."""
        metrics.FENCED.inc()
        log.warning("lane_fenced", lane=self._name, error=type(error).__name__)
        self._close()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.session_timeout_seconds):
                while not self._stopping:
                    self._woken.clear()
                    await self._woken.wait()

    def _take(self) -> list[Record]:
        records = [
            self._backlog.popleft()
            for _ in range(min(len(self._backlog), self._settings.batch_records_max))
        ]
        self._backlog_bytes -= sum(record.size for record in records)
        if self._paused and self._interruption is None and not self._is_full(share=0.5):
            self._resume()
        return records

    def _is_full(self, share: float = 1.0) -> bool:
        records_max = self._settings.batch_records_max * BACKLOG_BATCHES_MAX
        return (
            len(self._backlog) > records_max * share
            or self._backlog_bytes > BACKLOG_BYTES_MAX * share
        )

    def _resume(self) -> None:
        self._paused = False
        if self._is_assigned():
            self._consumer.resume(self.topic_partition)

    def _seek(self, offset: int) -> None:
        if self._is_assigned():
            self._consumer.seek(self.topic_partition, offset)

    def _is_assigned(self) -> bool:
        return self.topic_partition in self._consumer.assignment()

    def _log_was_cut(self, offset: int) -> KafkaBehindError:
        # A consumer whose position is gone from the log restarts at the log's beginning. After
        # retention deleted records, that lies beyond the position, never below it.
        return KafkaBehindError(
            f"{self._name} was read up to {self._next_offset}, but its log goes on at {offset}: it"
            " has lost records, or the topic was made anew."
        )

    def _close(self) -> None:
        # Kept, so that the age metric does not drop to zero during a refetch.
        self._oldest_dropped = self.oldest_record
        self.is_open = False
        self._interruption = None
        self._in_hand = ()
        self._backlog.clear()
        self._backlog_bytes = 0


def _count(outgoing: OutgoingMessages, records: int) -> None:
    metrics.RECORDS.inc(records)
    metrics.BATCH_RECORDS.observe(records)
    metrics.FORWARDS.inc(len(outgoing.forwards))
    for outcome, number in outgoing.outcomes.items():
        metrics.ANSWERS.labels(outcome=outcome).inc(number)
    for type_, number in Counter(event.type for event in outgoing.events).items():
        metrics.EVENTS.labels(type=type_).inc(number)
    for dead_letter in outgoing.dead_letters:
        metrics.DEAD_LETTERS.labels(reason=dead_letter.failure.reason).inc()
