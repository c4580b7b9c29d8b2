"""Publishes a batch: its messages and the consumed offset in one Kafka transaction.

`KAFKA_TRANSACTIONS=off` trades "once" for "at least once", for brokers that have no transactions:
the acknowledgements first, then the offset. That is all the difference between
`_publish_in_transaction` and `_publish_then_commit`.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch

from invoicing.contracts.dead_letters import dead_letter_headers
from invoicing.contracts.envelope import HEADERS
from invoicing.runtime.kafka.connect import new_transactional_producer
from invoicing.runtime.kafka.groups import committed_offsets
from invoicing.runtime.kafka.topics import partition_of
from invoicing.runtime.settings import Settings
from invoicing.worker.outgoing import DeadLetter, Forward, OutgoingMessages

# Below the brokers' default limit of 1 MiB for a batch, with room for the batch's own header.
BATCH_BYTES_MAX: Final = 1_040_000
REQUEST_TIMEOUT_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it is published."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp_ms: int | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """As aiokafka takes it."""
        return {
            "key": self.key,
            "value": self.value,
            "timestamp": self.timestamp_ms,
            "headers": list(self.headers),
        }


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
        messages = list(self._messages(outgoing, partitions))
        await self._publish(messages, next_offset)

    async def _publish_in_transaction(self, messages: Sequence[Message], next_offset: int) -> None:
        producer = self._producer
        await producer.begin_transaction()
        await self._send(messages)
        await producer.send_offsets_to_transaction(
            {self._lane: next_offset}, self._settings.consumer_group
        )
        await producer.commit_transaction()

    async def _publish_then_commit(self, messages: Sequence[Message], next_offset: int) -> None:
        await self._send(messages)
        await self._consumer.commit({self._lane: next_offset})

    async def _send(self, messages: Sequence[Message]) -> None:
        """Send in batches of our own: twice as fast as record by record, and in order."""
        by_partition: dict[tuple[str, int], list[Message]] = {}
        for message in messages:
            by_partition.setdefault((message.topic, message.partition), []).append(message)
        acknowledgements = [
            await self._producer.send_batch(batch, topic, partition=partition)
            for (topic, partition), group in by_partition.items()
            for batch in self._batches(group)
        ]
        await asyncio.gather(*acknowledgements)

    def _batches(self, messages: Sequence[Message]) -> Iterator[BatchBuilder]:
        batch = None
        for message in messages:
            if batch is None or batch.append(**message.fields) is None:
                if batch is not None:
                    yield batch
                batch = self._batch_starting_with(message)
        if batch is not None:
            yield batch

    def _batch_starting_with(self, message: Message) -> BatchBuilder:
        """A batch with room for more messages, or one compressed batch for a large message.

        Brokers limit a batch's compressed size, so a record that arrived may be of any size. Only
        zstd has a window large enough to compress it at least as well as its producer did.
        """
        batch = self._producer.create_batch()
        batch.append(**message.fields)
        if batch.size() > BATCH_BYTES_MAX:
            batch = BatchBuilder(
                BATCH_BYTES_MAX,
                DefaultRecordBatch.CODEC_ZSTD,
                is_transactional=self._settings.is_transactional,
            )
            batch.append(**message.fields)
        return batch

    def _messages(
        self, outgoing: OutgoingMessages, partitions: dict[str, int]
    ) -> Iterator[Message]:
        settings = self._settings
        for stored, topic in (
            (outgoing.events, settings.topic_events),
            (outgoing.replies, settings.topic_replies),
        ):
            for row in stored:
                key = row.invoice_id.encode()
                yield Message(
                    topic, partition_of(key, partitions[topic]), key, row.document.encode(), HEADERS
                )
        for forward in outgoing.forwards:
            yield _forwarded(forward, settings.topic_commands, partitions)
        for dead_letter in outgoing.dead_letters:
            yield _dead_letter(dead_letter, settings.topic_dead_letter, partitions)


def _forwarded(forward: Forward, topic: str, partitions: dict[str, int]) -> Message:
    key, record = forward.invoice_id.encode(), forward.record
    return Message(
        topic,
        partition_of(key, partitions[topic]),
        key,
        record.value,
        record.headers,
        record.timestamp_ms if record.has_timestamp else None,
    )


def _dead_letter(dead_letter: DeadLetter, topic: str, partitions: dict[str, int]) -> Message:
    record, position = dead_letter.record, dead_letter.record.position
    headers = dead_letter_headers(
        reason=dead_letter.failure.reason,
        message=dead_letter.failure.message,
        topic=position.topic,
        partition=position.partition,
        offset=position.offset,
        failed_at=dead_letter.failed_at,
    )
    return Message(
        topic,
        partition_of(record.key, partitions[topic])
        if record.key
        else position.partition % partitions[topic],
        record.key,
        record.value,
        (*record.headers, *headers),
    )
