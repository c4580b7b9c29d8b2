"""A worker in this process, whose outgoing messages a test can tamper with or drop."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from invoicing.domain.numbering import format_number
from invoicing.domain.sellers import Sellers
from invoicing.maintenance.verify.findings import Finding
from invoicing.maintenance.verify.verify import Verified, verify
from invoicing.runtime.kafka.topics import partition_of
from invoicing.runtime.settings import Settings, read_settings
from invoicing.store.postgres import PostgresStore, open_writer_pool
from invoicing.store.rows import Position
from invoicing.worker.batch import BatchHandler
from invoicing.worker.outgoing import OutgoingMessages
from invoicing.worker.publisher import Publisher
from invoicing.worker.records import LaneState, Record
from tests.support.service.commands import (
    Sent,
    create_invoice,
    invoice_id,
    record_payment,
    void_invoice,
)
from tests.support.stack.kafka import Kafka
from tests.support.stack.topics import Topics

PARTITIONS = 2

Tamper = Callable[[OutgoingMessages], None]


def leave_alone(_: OutgoingMessages) -> None:
    """What a worker that keeps its promises publishes."""


@dataclass
class Stage:
    """A worker in this process, whose outgoing messages a test can tamper with."""

    settings: Settings
    handler: BatchHandler
    consumer: AIOKafkaConsumer
    producer: AIOKafkaProducer
    publishers: dict[int, Publisher]
    paid: str = field(default_factory=invoice_id)
    voided: str = field(default_factory=invoice_id)
    misrouted: str = field(default_factory=invoice_id)

    async def send(self, *commands: Sent, partition: int | None = None) -> None:
        for command in commands:
            await self.producer.send_and_wait(
                self.settings.topic_commands,
                command.value,
                key=command.subject.encode() if partition is None else None,
                partition=partition,
            )

    def begin_other_story(self) -> None:
        """The next story is about other invoices."""
        self.paid, self.voided, self.misrouted = invoice_id(), invoice_id(), invoice_id()

    async def send_story(self) -> None:
        """Two invoices, a repeat, a conflict, a refusal, a misrouted command, a broken record."""
        payment = record_payment(self.paid)
        other_body = replace(payment, data={**payment.data, "amount": "1.00"})
        await self.send(create_invoice(self.paid), payment, payment, other_body)
        void = void_invoice(self.voided)
        await self.send(create_invoice(self.voided), void, void_invoice(self.voided))
        away, lost = 1 - self.home(self.misrouted), create_invoice(self.misrouted)
        await self.send(lost, lost, partition=away)
        await self.producer.send_and_wait(self.settings.topic_commands, b"broken", partition=0)

    def home(self, id_: str) -> int:
        return partition_of(id_.encode(), PARTITIONS)

    async def work(self, tamper: Tamper = leave_alone) -> None:
        """Handle and publish all that there is, what is forwarded meanwhile too."""
        while batches := await self.fetch():
            for lane, records in batches.items():
                await self.handle(lane, records, tamper)

    async def note_beginnings(self) -> None:
        """Commit that nothing is handled yet, as every lane does when it is opened first."""
        for publisher in self.publishers.values():
            await publisher.publish(OutgoingMessages(), 0, PARTITIONS)

    async def handle(
        self, lane: TopicPartition, records: list[Any], tamper: Tamper = leave_alone
    ) -> None:
        """Handle and publish one lane's batch."""
        outgoing = await self.store(lane, records)
        tamper(outgoing)
        await self.publishers[lane.partition].publish(outgoing, records[-1].offset + 1, PARTITIONS)

    async def store(self, lane: TopicPartition, records: list[Any]) -> OutgoingMessages:
        """Handle one lane's batch without publishing it."""
        state = LaneState(*lane, checkpoint=0, routing_partitions=PARTITIONS)
        return await self.handler.handle([record_of(record) for record in records], state)

    async def fetch(self) -> dict[TopicPartition, list[Any]]:
        batches: dict[TopicPartition, list[Any]] = {}
        ends = await self.consumer.end_offsets(list(self.consumer.assignment()))
        while any([await self.consumer.position(lane) < end for lane, end in ends.items()]):
            fetched = await self.consumer.getmany(timeout_ms=100)
            for lane, records in fetched.items():
                batches.setdefault(lane, []).extend(records)
        return batches

    async def verify(self) -> tuple[list[Finding], Verified]:
        findings: list[Finding] = []
        verified = await verify(self.settings, findings.append, lambda *_: None)
        return findings, verified

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that an invoice's life goes through."""
        settings = self.settings
        return (settings.topic_commands, settings.topic_events, settings.topic_replies)

    async def forget(self, *topics: str) -> None:
        """Lose all records of these topics, as by age."""
        places = [TopicPartition(topic, n) for topic in topics for n in range(PARTITIONS)]
        ends = await self.consumer.end_offsets(places)
        admin = AIOKafkaAdminClient(bootstrap_servers=self.settings.kafka_bootstrap_servers)
        await admin.start()
        try:
            await admin.delete_records(
                {place: RecordsToDelete(before_offset=end) for place, end in ends.items() if end}
            )
        finally:
            await admin.close()

    async def execute(self, statement: str, *arguments: object) -> None:
        """Change what nobody may change: as the owner, with the triggers off."""
        connection = await asyncpg.connect(self.settings.dsn)
        try:
            await connection.execute("SET session_replication_role = replica")
            await connection.execute(statement, *arguments)
        finally:
            await connection.close()


def record_of(record: Any) -> Record:
    position = Position(record.topic, record.partition, record.offset)
    return Record(position, record.key, record.value, record.headers, record.timestamp)


def settings_of(kafka: Kafka, dsn: str, topics: Topics) -> Settings:
    """The settings of a service on these."""
    return read_settings(
        {},
        kafka_bootstrap_servers=kafka.bootstrap,
        postgres_dsn=dsn,
        consumer_group=topics.group,
        topic_commands=topics.commands,
        topic_events=topics.events,
        topic_replies=topics.replies,
        topic_dead_letter=topics.dead_letter,
    )


@asynccontextmanager
async def staged(settings: Settings) -> AsyncIterator[Stage]:
    sellers = Sellers()
    pool = await open_writer_pool(settings)
    store = PostgresStore(pool, partial(format_number, sellers=sellers), settings.consumer_group)
    lanes = [TopicPartition(settings.topic_commands, number) for number in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)
    publishers = {lane.partition: Publisher.connecting(settings, lane, consumer) for lane in lanes}
    started = [consumer, producer, *publishers.values()]
    for client in started:
        await client.start()
    consumer.assign(lanes)
    handler = BatchHandler(store, sellers, lambda: datetime.now(UTC))
    try:
        yield Stage(settings, handler, consumer, producer, publishers)
    finally:
        for publisher in publishers.values():
            await publisher.stop(1)
        await producer.stop()
        await consumer.stop()
        await pool.close()
