"""What the publisher packs into Kafka's batches, and a record's own time."""

import asyncio
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from invoicing.contracts.dead_letters import DeadLetterReason
from invoicing.contracts.envelope import HEADERS, DecodeFailure
from invoicing.runtime.kafka.topics import partition_of
from invoicing.runtime.settings import read_settings
from invoicing.store.rows import Position, StoredEvent, StoredReply
from invoicing.worker.outgoing import DeadLetter, Forward, OutgoingMessages
from invoicing.worker.publisher import Publisher
from invoicing.worker.record_batches import BATCH_BYTES_MAX
from invoicing.worker.records import Record

NOW = datetime(2026, 11, 26, 10, tzinfo=UTC)
PARTITIONS = 8
BROKER_BYTES_MAX = 1024 * 1024


class Producer:
    """Keeps each batch as the bytes that a broker would get."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.batches: list[tuple[str, int, bytes]] = []

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(BATCH_BYTES_MAX, 0, is_transactional=True)

    async def partitions_for(self, _: str) -> range:
        return range(PARTITIONS)

    async def begin_transaction(self) -> None:
        self.steps.append("begin")

    async def send_batch(
        self, batch: BatchBuilder, topic: str, *, partition: int
    ) -> "asyncio.Future[None]":
        self.batches.append((topic, partition, bytes(batch._build())))
        acknowledged = asyncio.get_running_loop().create_future()
        acknowledged.set_result(None)
        return acknowledged

    async def send_offsets_to_transaction(
        self, offsets: dict[TopicPartition, int], _group: str
    ) -> None:
        self.steps.append(f"offset {offsets[TopicPartition('invoices.commands', 3)]}")

    async def commit_transaction(self) -> None:
        self.steps.append("commit")

    def sent(self, topic: str) -> list[tuple[int, Any]]:
        """The topic's records, each with its partition, in the order of sending."""
        found = []
        for of_topic, partition, data in self.batches:
            records = MemoryRecords(data)
            while of_topic == topic and (batch := records.next_batch()) is not None:
                found += [(partition, record) for record in batch]
        return found


async def publish(outgoing: OutgoingMessages) -> Producer:
    producer = Producer()
    lane = TopicPartition("invoices.commands", 3)
    publisher = Publisher(read_settings({}, postgres_dsn="postgresql://"), lane, None, producer)
    await publisher.publish(outgoing, 8, PARTITIONS)
    return producer


def event(invoice_id: str, version: int, document: str) -> StoredEvent:
    return StoredEvent(invoice_id, version, "invoice.opened", document, ("/a", "1"), NOW)


def reply(invoice_id: str, document: str) -> StoredReply:
    position = Position("invoices.commands", 3, 7)
    return StoredReply(("/a", "1"), invoice_id, b"", document, None, position, NOW)


def record(timestamp_ms: int = -1, value: bytes = b"{}") -> Record:
    position = Position("invoices.commands", 3, 7)
    return Record(position, None, value, (("trace", b"1"),), timestamp_ms)


def test_a_record_is_of_the_time_that_its_producer_gave_it() -> None:
    assert str(record(1_782_864_000_001).timestamp) == "2026-07-01 00:00:00.001000+00:00"


@pytest.mark.parametrize("nothing", [-1, 0, 10**18])
def test_a_record_without_a_time_or_of_no_calendar_has_none(nothing: int) -> None:
    assert record(nothing).timestamp is None


async def test_a_record_is_forwarded_with_its_headers_and_its_time() -> None:
    arrived = record(1_782_864_000_001)

    producer = await publish(OutgoingMessages(forwards=[Forward(arrived, "inv_1")]))

    ((partition, forwarded),) = producer.sent("invoices.commands")
    assert partition == partition_of(b"inv_1", PARTITIONS)
    assert (forwarded.key, forwarded.value) == (b"inv_1", b"{}")
    assert list(forwarded.headers) == [("trace", b"1")]
    assert forwarded.timestamp == 1_782_864_000_001


@pytest.mark.parametrize("nothing", [-1, 0])
async def test_a_record_without_a_time_is_forwarded_with_the_time_of_its_hop(nothing: int) -> None:
    producer = await publish(OutgoingMessages(forwards=[Forward(record(nothing), "inv_1")]))

    ((_, forwarded),) = producer.sent("invoices.commands")
    assert forwarded.timestamp > 1_782_864_000_001


async def test_events_and_replies_are_published_with_the_offset_in_one_transaction() -> None:
    invoices = [f"inv_{number}" for number in range(20)]
    outgoing = OutgoingMessages(
        events=[
            event(id_, version, f"{id_}/{version} é") for version in (1, 2) for id_ in invoices
        ],
        replies=[reply(id_, f"reply {id_}") for id_ in invoices],
    )

    producer = await publish(outgoing)

    assert producer.steps == ["begin", "offset 8", "commit"]
    events, replies = producer.sent("invoices.events"), producer.sent("invoices.replies")
    for id_ in invoices:
        there = partition_of(id_.encode(), PARTITIONS)
        of_invoice = [(p, r.value) for p, r in events if r.key == id_.encode()]
        assert of_invoice == [(there, f"{id_}/{n} é".encode()) for n in (1, 2)]
        assert [(p, r.value) for p, r in replies if r.key == id_.encode()] == [
            (there, f"reply {id_}".encode())
        ]
    assert all(list(sent.headers) == list(HEADERS) for _, sent in [*events, *replies])


async def test_a_full_batch_is_followed_by_another_in_order() -> None:
    documents = [f"{number}{'x' * 300_000}" for number in range(8)]
    stored = [event("inv_1", number, text) for number, text in enumerate(documents, start=1)]

    producer = await publish(OutgoingMessages(events=stored))

    assert [sent.value.decode() for _, sent in producer.sent("invoices.events")] == documents
    assert len(producer.batches) == 3
    assert all(len(data) <= BATCH_BYTES_MAX for *_, data in producer.batches)


async def test_a_record_above_the_limit_of_a_batch_is_compressed() -> None:
    large = record(value=Random(1).randbytes(600_000).hex().encode())
    failure = DecodeFailure(DeadLetterReason.TOO_LARGE, "The record is too large.")
    letters = [DeadLetter(each, failure, NOW) for each in (record(), large, record())]

    producer = await publish(OutgoingMessages(dead_letters=letters))

    sent = [found for _, found in producer.sent("invoices.commands.dead-letter")]
    assert [found.value for found in sent] == [letter.record.value for letter in letters]
    assert all(found.headers[0] == ("trace", b"1") for found in sent)
    assert all(len(data) < BROKER_BYTES_MAX for *_, data in producer.batches)
