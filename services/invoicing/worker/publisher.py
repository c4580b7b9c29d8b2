"""Publishes a batch: its messages and the consumed offset in one Kafka transaction.

`KAFKA_TRANSACTIONS=off` trades "once" for "at least once", for brokers that have no transactions:
the acknowledgements first, then the offset. That is all the difference between
`_publish_in_transaction` and `_publish_then_commit`.
"""

import asyncio
from contextlib import suppress
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from invoicing.contracts.dead_letters import dead_letter_headers
from invoicing.contracts.envelope import HEADERS
from invoicing.runtime.kafka.connect import new_transactional_producer
from invoicing.runtime.kafka.groups import committed_offsets
from invoicing.runtime.kafka.topics import partition_of
from invoicing.runtime.settings import Settings
from invoicing.worker.outgoing import DeadLetter, Forward, OutgoingMessages
from invoicing.worker.record_batches import BATCH_BYTES_MAX, RecordBatches

_HEADERS: Final[list[tuple[str, bytes | None]]] = list(HEADERS)
REQUEST_TIMEOUT_MS: Final = 10_000


class Publisher:
    """A lane's own producer. `start` fences the lane's last owner."""

    def __init__(
        self,
        settings: Settings,
        lane: TopicPartition,
        consumer: AIOKafkaConsumer,
        producer: AIOKafkaProducer,
    ) -> None:
        self._settings = settings
        self._lane = lane
        self._consumer = consumer
        self._producer = producer
        self._publish = (
            self._publish_in_transaction if settings.is_transactional else self._publish_then_commit
        )

    @classmethod
    def connecting(
        cls, settings: Settings, lane: TopicPartition, consumer: AIOKafkaConsumer
    ) -> Self:
        """A publisher for the lane, with a producer of its own."""
        producer = new_transactional_producer(
            settings,
            f"{settings.consumer_group}-{lane.topic}-{lane.partition}",
            max_batch_size=BATCH_BYTES_MAX,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        return cls(settings, lane, consumer, producer)

    async def start(self) -> None:
        """Connect; with transactions, abort or complete what the lane's last owner left open."""
        await self._producer.start()

    async def committed_offset(self) -> int | None:
        """The group's offset; None for a lane that was never handled. Valid only after `start`."""
        committed = await committed_offsets(
            self._settings, self._settings.consumer_group, [self._lane]
        )
        return int(committed[self._lane].offset) if self._lane in committed else None

    async def commit_beginning(self) -> None:
        """Commit offset 0: from now on, a group without an offset has lost it.

        Committed as a group member: Kafka refuses it from a member that no longer owns the lane.
        """
        await self._consumer.commit({self._lane: 0})

    async def stop(self, seconds_max: float) -> None:
        """Close the connections. The next owner aborts what was not committed."""
        # Nobody is left to handle a failure here.
        with suppress(Exception):
            try:
                async with asyncio.timeout(seconds_max):
                    await self._producer.stop()
            except BaseException:
                # It would flush first, and waits for a broker that is away; so may its connections.
                with suppress(Exception):
                    async with asyncio.timeout(seconds_max):
                        await self._producer.client.close()
                raise

    async def publish(
        self, outgoing: OutgoingMessages, next_offset: int, routing_partitions: int
    ) -> None:
        """Publish the messages and commit `next_offset`.

        Events and forwards go to the first `routing_partitions` partitions of their topics.
        """
        settings, producer = self._settings, self._producer
        partitions = {
            settings.topic_commands: routing_partitions,
            settings.topic_events: routing_partitions,
            # From the client's metadata, which asks a broker only once.
            **{
                topic: len(await producer.partitions_for(topic))
                for topic in (settings.topic_replies, settings.topic_dead_letter)
            },
        }
        await self._publish(self._packed(outgoing, partitions), next_offset)

    def _packed(self, outgoing: OutgoingMessages, partitions: dict[str, int]) -> RecordBatches:
        settings = self._settings
        batches = RecordBatches(self._producer, is_transactional=settings.is_transactional)
        for rows, topic in (
            (outgoing.events, settings.topic_events),
            (outgoing.replies, settings.topic_replies),
        ):
            for row in rows:
                key = row.invoice_id.encode()
                partition = partition_of(key, partitions[topic])
                batches.add(topic, partition, key, row.document.encode(), _HEADERS)
        for forward in outgoing.forwards:
            _add_forward(batches, forward, settings.topic_commands, partitions)
        for dead_letter in outgoing.dead_letters:
            _add_dead_letter(batches, dead_letter, settings.topic_dead_letter, partitions)
        return batches

    async def _publish_in_transaction(self, batches: RecordBatches, next_offset: int) -> None:
        producer = self._producer
        await producer.begin_transaction()
        await self._send(batches)
        await producer.send_offsets_to_transaction(
            {self._lane: next_offset}, self._settings.consumer_group
        )
        await producer.commit_transaction()

    async def _publish_then_commit(self, batches: RecordBatches, next_offset: int) -> None:
        await self._send(batches)
        await self._consumer.commit({self._lane: next_offset})

    async def _send(self, batches: RecordBatches) -> None:
        acknowledgements = [
            await self._producer.send_batch(batch, topic, partition=partition)
            for topic, partition, batch in batches.packed
        ]
        await asyncio.gather(*acknowledgements)


def _add_forward(
    batches: RecordBatches, forward: Forward, topic: str, partitions: dict[str, int]
) -> None:
    key, record = forward.invoice_id.encode(), forward.record
    batches.add(
        topic,
        partition_of(key, partitions[topic]),
        key,
        record.value,
        list(record.headers),
        record.timestamp_ms if record.has_timestamp else None,
    )


def _add_dead_letter(
    batches: RecordBatches, dead_letter: DeadLetter, topic: str, partitions: dict[str, int]
) -> None:
    record = dead_letter.record
    batches.add(
        topic,
        partition_of(record.key, partitions[topic])
        if record.key
        else record.position.partition % partitions[topic],
        record.key,
        record.value,
        _headers_of(dead_letter),
    )


def _headers_of(dead_letter: DeadLetter) -> list[tuple[str, bytes | None]]:
    """The record's own headers, and ours after them."""
    record, failure = dead_letter.record, dead_letter.failure
    ours = dead_letter_headers(
        reason=failure.reason,
        message=failure.message,
        topic=record.position.topic,
        partition=record.position.partition,
        offset=record.position.offset,
        failed_at=dead_letter.failed_at,
    )
    return [*record.headers, *ours]
