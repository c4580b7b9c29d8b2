"""The checker, checked: every fault that it is for is planted, and must be found and named."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from invoicing.batch import BatchHandler, Publication, Record
from invoicing.checking.findings import Finding, FindingKind
from invoicing.checking.verify import Verified, verify
from invoicing.domain.numbering import format_number
from invoicing.domain.sellers import Sellers
from invoicing.publisher import Publisher
from invoicing.store import WRITER_ROLE, Position, Store
from runtime.kafka import partition_of
from runtime.postgres import open_pool
from runtime.settings import Settings, read_settings
from tests.service.commands import Sent, create_invoice, invoice_id, record_payment, void_invoice
from tests.stack.kafka import Kafka
from tests.stack.topics import fresh_topics

PARTITIONS = 2

pytestmark = pytest.mark.real_kafka

Tamper = Callable[[Publication], None]


def leave_alone(_: Publication) -> None:
    """What a worker that keeps its promises publishes."""


@dataclass
class Stage:
    """A worker in this process, whose publications a test can tamper with."""

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
        while batches := await self._fetch():
            for lane, records in batches.items():
                publication = await self.handler.handle(
                    [_record(record) for record in records],
                    lambda id_, own=lane.partition: self.home(id_) == own,
                )
                tamper(publication)
                await self.publishers[lane.partition].publish(
                    publication, records[-1].offset + 1, PARTITIONS
                )

    async def _fetch(self) -> dict[TopicPartition, list[Any]]:
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

    async def execute(self, statement: str, *arguments: object) -> None:
        """Change what nobody may change: as the owner, with the triggers off."""
        connection = await asyncpg.connect(self.settings.dsn)
        try:
            await connection.execute("SET session_replication_role = replica")
            await connection.execute(statement, *arguments)
        finally:
            await connection.close()


def _record(record: Any) -> Record:
    position = Position(record.topic, record.partition, record.offset)
    return Record(position, record.key, record.value, record.headers, record.timestamp)


@pytest.fixture
async def stage(kafka: Kafka, database: str) -> AsyncIterator[Stage]:
    async with fresh_topics(kafka, PARTITIONS) as topics:
        settings = read_settings(
            {},
            kafka_bootstrap_servers=kafka.bootstrap,
            postgres_dsn=database,
            consumer_group=topics.group,
            topic_commands=topics.commands,
            topic_events=topics.events,
            topic_replies=topics.replies,
            topic_dead_letter=topics.dead_letter,
        )
        async with _staged(settings) as made:
            yield made


@asynccontextmanager
async def _staged(settings: Settings) -> AsyncIterator[Stage]:
    sellers = Sellers()
    pool = await open_pool(settings, WRITER_ROLE)
    store = Store(pool, partial(format_number, sellers=sellers), "group")
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


async def test_nothing_is_found_where_every_promise_is_kept(stage: Stage) -> None:
    await stage.send_story()
    await stage.work()

    findings, verified = await stage.verify()

    assert findings == []
    assert (verified.tables.invoices, verified.tables.events) == (3, 9)
    assert verified.extents.commands.records == 12
    assert verified.extents.dead_letters.records == 1


async def test_nothing_is_found_while_commands_are_still_to_be_handled(stage: Stage) -> None:
    await stage.send_story()

    findings, verified = await stage.verify()

    assert findings == []
    assert verified.offsets_not_due == 10


async def test_nothing_is_found_between_the_two_commits(stage: Stage) -> None:
    """Stored, and not published yet: the next owner of the lane will."""
    await stage.send_story()
    for lane, records in (await stage._fetch()).items():
        await stage.handler.handle(
            [_record(record) for record in records],
            lambda id_, own=lane.partition: stage.home(id_) == own,
        )

    findings, _ = await stage.verify()

    assert findings == []


def drop_event(publication: Publication) -> None:
    if len(publication.events) > 3:
        del publication.events[2]


def repeat_event(publication: Publication) -> None:
    publication.events += publication.events[-1:]


def swap_events(publication: Publication) -> None:
    publication.events.sort(key=lambda event: -event.version)


def change_a_byte(publication: Publication) -> None:
    for event in publication.events[:1]:
        event.document = event.document.replace("cus_42", "cus_43")


def invent_event(publication: Publication) -> None:
    for event in publication.events[-1:]:
        document = event.document.replace(f'"version":{event.version}', '"version":99')
        publication.events.append(replace(event, version=99, document=document))


def drop_answer(publication: Publication) -> None:
    del publication.answers[:1]


def repeat_answer(publication: Publication) -> None:
    publication.answers += publication.answers[:1]


def say_something_else(publication: Publication) -> None:
    for answer in publication.answers[:1]:
        answer.document = answer.document.replace('"version":2', '"version":3')


def drop_forward(publication: Publication) -> None:
    publication.forwards.clear()


def drop_dead_letter(publication: Publication) -> None:
    publication.dead_letters.clear()


def cut_dead_letter(publication: Publication) -> None:
    publication.dead_letters[:] = [
        replace(letter, record=replace(letter.record, value=b"brok"))
        for letter in publication.dead_letters
    ]


@pytest.mark.parametrize(
    ("tamper", "kind"),
    [
        (drop_event, FindingKind.EVENT_MISSING),
        (repeat_event, FindingKind.EVENT_REPEATED),
        (swap_events, FindingKind.EVENTS_OUT_OF_ORDER),
        (change_a_byte, FindingKind.EVENT_DIFFERS),
        (invent_event, FindingKind.EVENT_UNKNOWN),
        (drop_answer, FindingKind.ANSWER_MISSING),
        (repeat_answer, FindingKind.ANSWER_REPEATED),
        (say_something_else, FindingKind.ANSWER_DIFFERS),
        (drop_forward, FindingKind.COMMAND_NOT_FORWARDED),
        (drop_dead_letter, FindingKind.COMMAND_NOT_SET_ASIDE),
        (cut_dead_letter, FindingKind.DEAD_LETTER_DIFFERS),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_fault_in_what_is_published_is_found_and_named(
    stage: Stage, tamper: Tamper, kind: FindingKind
) -> None:
    await stage.send_story()
    await stage.work(tamper)

    findings, _ = await stage.verify()

    assert {finding.kind for finding in findings} == {kind}
    nameless = {FindingKind.COMMAND_NOT_SET_ASIDE, FindingKind.DEAD_LETTER_DIFFERS}
    invoices = {finding.invoice_id for finding in findings}
    assert kind in nameless or invoices <= {stage.paid, stage.voided, stage.misrouted}


@pytest.mark.parametrize(
    ("statement", "kinds"),
    [
        (
            "UPDATE events SET version = 9, data = replace(data, '\"version\":4', '\"version\":9')"
            " WHERE invoice_id = $1 AND version = 4",
            {FindingKind.VERSION_GAP},
        ),
        (
            "UPDATE events SET data = replace(data, 'cus_42', 'cus_43')"
            " WHERE invoice_id = $1 AND version = 4",
            {FindingKind.EVENT_DIFFERS},
        ),
        (
            "UPDATE events SET type = 'invoice.voided' WHERE invoice_id = $1 AND version = 3",
            {FindingKind.EVENT_MISLABELLED},
        ),
        (
            "UPDATE invoices SET amount_due = amount_due + 1 WHERE id = $1",
            {FindingKind.STATE_DIFFERS},
        ),
        (
            'UPDATE invoices SET snapshot = replace(snapshot, \'"amount_paid":"214.25"\','
            ' \'"amount_paid":"214.24"\') WHERE id = $1',
            {FindingKind.STATE_DIFFERS},
        ),
        ("DELETE FROM invoices WHERE id = $1", {FindingKind.STATE_MISSING}),
        ("UPDATE invoices SET id = 'stranger' WHERE id = $1", {FindingKind.STATE_WITHOUT_EVENTS}),
        (
            "DELETE FROM commands WHERE invoice_id = $1 AND first_version = 3",
            {
                FindingKind.COMMAND_UNANSWERED,
                FindingKind.ANSWER_UNKNOWN,
                FindingKind.EVENT_WITHOUT_ANSWER,
            },
        ),
        (
            'UPDATE commands SET answer = replace(answer, \'"state":"paid"\', \'"state":"open"\')'
            " WHERE invoice_id = $1",
            {FindingKind.ANSWER_CONTRADICTED, FindingKind.ANSWER_DIFFERS},
        ),
        (
            "UPDATE commands SET answer = left(answer, 99) WHERE invoice_id = $1",
            {FindingKind.ANSWER_CONTRADICTED, FindingKind.ANSWER_DIFFERS},
        ),
        (
            "UPDATE events SET data = left(data, 99) WHERE invoice_id = $1 AND version = 2",
            {FindingKind.EVENT_UNREADABLE, FindingKind.EVENT_DIFFERS},
        ),
        (
            "UPDATE commands SET last_version = 3 WHERE invoice_id = $1 AND first_version = 3",
            {FindingKind.ANSWER_CONTRADICTED, FindingKind.EVENT_WITHOUT_ANSWER},
        ),
    ],
)
async def test_a_fault_in_what_is_stored_is_found_and_named(
    stage: Stage, statement: str, kinds: set[FindingKind]
) -> None:
    await stage.send_story()
    await stage.work()

    await stage.execute(statement, stage.paid)

    findings, _ = await stage.verify()
    assert kinds <= {finding.kind for finding in findings if finding.invoice_id != stage.voided}
    assert {finding.invoice_id for finding in findings} <= {stage.paid, "stranger", None}


async def test_a_number_that_was_taken_twice_is_found(stage: Stage) -> None:
    await stage.send_story()
    await stage.work()
    number = await _number_of(stage, stage.paid)

    await stage.execute(
        "UPDATE events SET data = replace(data, $2, $3) WHERE invoice_id = $1",
        stage.voided,
        await _number_of(stage, stage.voided),
        number,
    )

    findings, _ = await stage.verify()
    (repeated,) = [f for f in findings if f.kind == FindingKind.NUMBER_REPEATED]
    assert number in repeated.expected
    assert {repeated.invoice_id, repeated.found.split()[-1]} == {stage.paid, stage.voided}


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE number_series SET next = next + 1", "4, as number_series counts"),
        ("UPDATE number_series SET next = next - 1", "2, as number_series counts"),
    ],
)
async def test_a_series_that_counts_other_numbers_than_were_given_is_found(
    stage: Stage, statement: str, told: str
) -> None:
    await stage.send_story()
    await stage.work()

    await stage.execute(statement)

    findings, _ = await stage.verify()
    assert [told in finding.expected for finding in findings] == [True]


async def test_a_number_that_was_skipped_is_found_and_named(stage: Stage) -> None:
    await stage.send_story()
    await stage.work()
    second = min([await _number_of(stage, id_) for id_ in (stage.paid, stage.voided)])[:-1] + "2"

    await stage.execute("UPDATE events SET data = replace(data, $1, 'INV-000004')", second)

    findings, _ = await stage.verify()
    (skipped,) = [f for f in findings if f.kind == FindingKind.NUMBER_SKIPPED]
    assert second in skipped.expected


async def test_a_command_below_the_committed_offset_without_an_answer_is_found(
    stage: Stage,
) -> None:
    command = create_invoice(invoice_id())
    await stage.send(command)
    ((lane, records),) = (await stage._fetch()).items()

    await stage.publishers[lane.partition].publish(
        Publication(), records[-1].offset + 1, PARTITIONS
    )

    findings, _ = await stage.verify()
    (finding,) = findings
    assert (finding.kind, finding.invoice_id) == ("command_unanswered", command.subject)
    assert f"{lane.topic}-{lane.partition}@{records[0].offset}" in finding.expected


async def test_a_message_of_a_stranger_is_found(stage: Stage) -> None:
    await stage.producer.send_and_wait(stage.settings.topic_events, b'{"subject": "inv_1"}')

    findings, _ = await stage.verify()

    assert [finding.kind for finding in findings] == [FindingKind.MESSAGE_UNREADABLE]


async def test_repeated_events_are_no_fault_without_transactions(stage: Stage) -> None:
    await stage.send_story()
    await stage.work(repeat_event)
    stage.settings = stage.settings.model_copy(update={"kafka_transactions": "off"})

    findings, _ = await stage.verify()

    assert findings == []


async def test_records_lost_by_age_are_no_fault(stage: Stage) -> None:
    await stage.send_story()
    await stage.work()
    await _forget_all_records(stage)

    findings, verified = await stage.verify()

    assert findings == []
    assert verified.extents.events.records == 0
    assert verified.partitions_cut > 0


async def test_an_event_that_is_missing_after_what_was_lost_by_age_is_found(stage: Stage) -> None:
    await stage.send(create_invoice(stage.paid))
    await stage.work()
    await _forget_all_records(stage)
    await stage.send(record_payment(stage.paid, "1.00"), record_payment(stage.paid, "2.00"))
    await stage.send(record_payment(stage.paid, "3.00"))

    await stage.work(lambda publication: publication.events.pop(1))

    findings, _ = await stage.verify()

    assert [finding.kind for finding in findings] == [FindingKind.EVENT_MISSING]


async def _number_of(stage: Stage, id_: str) -> str:
    connection = await asyncpg.connect(stage.settings.dsn)
    try:
        number: str = await connection.fetchval(
            "SELECT invoice_number FROM invoices WHERE id = $1", id_
        )
    finally:
        await connection.close()
    return number


async def _forget_all_records(stage: Stage) -> None:
    settings = stage.settings
    topics = (settings.topic_commands, settings.topic_events, settings.topic_replies)
    places = [TopicPartition(topic, n) for topic in topics for n in range(PARTITIONS)]
    ends = await stage.consumer.end_offsets(places)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_records(
            {place: RecordsToDelete(before_offset=end) for place, end in ends.items() if end}
        )
    finally:
        await admin.close()
