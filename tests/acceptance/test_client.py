"""The client library, against a real worker."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from invoicing.client import (
    CommandClient,
    Event,
    FieldError,
    InMemoryVersions,
    NoReplyError,
    NotAnEventError,
    VersionStore,
    follow_events,
)
from invoicing.tools.scratch.databases import Databases
from tests.support.service.commands import create_invoice, invoice_id, record_payment
from tests.support.service.service import Service, running_service
from tests.support.stack.kafka import Kafka
from tests.support.stack.topics import fresh_topics
from tests.support.stack.wait import eventually

PARTITIONS = 4

INVOICE = {
    "customer_id": "cus_42",
    "currency": "USD",
    "due_date": date(2026, 12, 20),
    "items": [{"unit_price": Decimal("100.00"), "tax": {"rate": Decimal("0.2")}}],
}


@pytest.fixture(scope="module")
async def working(
    kafka: Kafka, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    """A service with a worker for the tests of this module, each with invoices of its own."""
    directory = tmp_path_factory.mktemp("client")
    async with (
        fresh_topics(kafka, PARTITIONS) as topics,
        databases.fresh() as dsn,
        running_service(kafka.bootstrap, dsn, topics, directory, transactions=kafka.real) as made,
    ):
        await made.ready_worker()
        yield made


@asynccontextmanager
async def client_of(service: Service) -> AsyncIterator[CommandClient]:
    async with CommandClient(
        service.bootstrap,
        source="/orders",
        topic_commands=service.topics.commands,
        topic_replies=service.topics.replies,
    ) as client:
        yield client


class Followed:
    """A follower in the background, and the events of these invoices that it handled."""

    def __init__(
        self,
        service: Service,
        group: str,
        subjects: Collection[str],
        versions: VersionStore | None = None,
    ) -> None:
        self.events: list[Event] = []
        self._subjects = frozenset(subjects)
        self.failing_at: int | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_at_gate = False
        self.task = asyncio.create_task(
            follow_events(
                service.bootstrap,
                self._handle,
                group=group,
                versions=versions,
                topic=service.topics.events,
            )
        )

    @property
    def versions(self) -> list[tuple[str, int]]:
        return [(event.invoice_id, event.version) for event in self.events]

    async def count(self, number: int) -> None:
        def are_there() -> bool:
            if self.task.done():
                self.task.result()
            return len(self.events) >= number

        await eventually(are_there, seconds=60)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})

    async def _handle(self, event: Event) -> None:
        if event.invoice_id not in self._subjects:
            return
        self.is_at_gate = True
        await self.gate.wait()
        if event.version == self.failing_at:
            raise ZeroDivisionError("the handler failed")
        self.events.append(event)


@asynccontextmanager
async def following(
    service: Service,
    group: str,
    subjects: Collection[str],
    versions: VersionStore | None = None,
) -> AsyncIterator[Followed]:
    followed = Followed(service, group, subjects, versions)
    try:
        yield followed
    finally:
        await followed.stop()


def group_name() -> str:
    return f"ledger-{uuid.uuid4().hex}"


def command_id() -> str:
    return uuid.uuid4().hex


async def test_a_command_gets_its_reply(working: Service) -> None:
    async with client_of(working) as client:
        subject = invoice_id()

        created = await client.send("CreateInvoice", subject, INVOICE, command_id=command_id())
        voided = await client.send(
            "VoidInvoice", subject, {}, command_id=command_id(), expected_version=2
        )

    assert created.accepted
    assert (created.invoice_id, created.version, created.state) == (subject, 2, "open")
    assert created.events == ("invoice.created", "invoice.opened")
    assert (voided.accepted, voided.version, voided.state) == (True, 3, "void")


async def test_a_rejection_names_its_code_and_the_fields_to_correct(working: Service) -> None:
    async with client_of(working) as client:
        subject = invoice_id()
        wrong = {**INVOICE, "items": [{"unit_price": 100.0}]}

        as_number = await client.send("CreateInvoice", subject, wrong, command_id=command_id())
        await client.send("CreateInvoice", subject, INVOICE, command_id=command_id())
        late = await client.send(
            "VoidInvoice", subject, {}, command_id=command_id(), expected_version=1
        )

    assert not as_number.accepted
    assert (as_number.code, as_number.version, as_number.state) == ("invalid_command", None, None)
    (error,) = as_number.errors
    assert isinstance(error, FieldError)
    assert error.field == "items.0.unit_price"
    assert as_number.message
    assert late.code == "version_conflict"
    assert "VoidInvoice" in late.available_commands


@pytest.mark.parametrize("subject", ["a.b", "", "x" * 300])
async def test_a_command_to_an_impossible_invoice_gets_its_reply(
    working: Service, subject: str
) -> None:
    async with client_of(working) as client:
        reply = await client.send("VoidInvoice", subject, {}, command_id=command_id())

    assert reply.code == "invalid_command"
    assert [error.field for error in reply.errors] == ["subject"]
    assert reply.version is None


async def test_correlation_and_trace_reach_the_events(working: Service) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    subject, order = invoice_id(), command_id()
    async with (
        client_of(working) as client,
        following(working, group_name(), {subject}) as followed,
    ):
        await client.send(
            "CreateInvoice",
            subject,
            {**INVOICE, "state": "draft"},
            command_id=order,
            correlation_id="basket-4",
            traceparent=trace,
        )
        await followed.count(1)

    (event,) = followed.events
    assert (event.type, event.invoice_id, event.version) == ("invoice.created", subject, 1)
    assert (event.command_id, event.command_source) == (order, "/orders")
    assert (event.correlation_id, event.traceparent) == ("basket-4", trace)
    assert event.data["total"] == "120.00"
    assert event.time.tzinfo is not None


async def test_a_retry_by_another_process_gets_the_same_reply_and_no_second_invoice(
    working: Service,
) -> None:
    subject, order = invoice_id(), command_id()
    async with client_of(working) as client:
        first = await client.send("CreateInvoice", subject, INVOICE, command_id=order)
    async with client_of(working) as client:
        again = await client.send("CreateInvoice", subject, INVOICE, command_id=order)

    assert again == first
    await working.events.until(lambda _: len(working.events_of(subject)) >= 2)
    assert [event["version"] for event in working.events_of(subject)] == [1, 2]


async def test_a_command_without_a_reply_may_be_sent_again(service: Service) -> None:
    async with client_of(service) as client:
        subject = invoice_id()
        with pytest.raises(NoReplyError, match="'order-17' got no reply"):
            await client.send(
                "CreateInvoice", subject, INVOICE, command_id="order-17", timeout_seconds=0.5
            )
        await service.ready_worker()

        reply = await client.send("CreateInvoice", subject, INVOICE, command_id="order-17")

    assert reply.accepted
    await service.events.count(2)
    assert [event["version"] for event in service.events_of(subject)] == [1, 2]


async def test_many_commands_wait_side_by_side_but_one_id_only_once(working: Service) -> None:
    subjects = [invoice_id() for _ in range(50)]
    async with client_of(working) as client:
        sending = [
            asyncio.create_task(client.send("CreateInvoice", subject, INVOICE, command_id=subject))
            for subject in subjects
        ]
        await asyncio.sleep(0)
        with pytest.raises(ValueError, match="already waiting for its reply"):
            await client.send("VoidInvoice", subjects[0], {}, command_id=subjects[0])
        replies = await asyncio.gather(*sending)

    assert [reply.invoice_id for reply in replies] == subjects
    assert all(reply.accepted for reply in replies)


async def test_a_waiting_call_ends_when_its_client_does(service: Service) -> None:
    async with client_of(service) as client:
        sending = asyncio.create_task(
            client.send("CreateInvoice", invoice_id(), INVOICE, command_id="1")
        )
        await asyncio.sleep(0)
    with pytest.raises(NoReplyError, match="no longer read"):
        await sending


@pytest.mark.real_kafka
async def test_replies_in_an_added_partition_are_read(service: Service) -> None:
    async with CommandClient(
        service.bootstrap,
        source="/orders",
        topic_commands=service.topics.commands,
        topic_replies=service.topics.replies,
        metadata_max_age_ms=200,
    ) as client:
        admin = AIOKafkaAdminClient(bootstrap_servers=service.bootstrap)
        await admin.start()
        try:
            more = service.topics.partitions * 8
            await admin.create_partitions({service.topics.replies: NewPartitions(more)})
        finally:
            await admin.close()
        await service.ready_worker()

        replies = await asyncio.gather(
            *(
                client.send("CreateInvoice", subject, INVOICE, command_id=subject)
                for subject in (invoice_id() for _ in range(40))
            )
        )

    assert all(reply.accepted for reply in replies)


async def test_events_are_followed_in_order_and_from_where_the_group_stopped(
    working: Service,
) -> None:
    group = group_name()
    subjects = [invoice_id() for _ in range(20)]
    await working.ask(*map(create_invoice, subjects))
    async with following(working, group, subjects) as first:
        await first.count(40)
    await working.ask(*map(record_payment, subjects))
    async with following(working, group, subjects) as second:
        await second.count(40)

    assert sorted(first.versions) == sorted((s, v) for s in subjects for v in (1, 2))
    assert sorted(second.versions) == sorted((s, v) for s in subjects for v in (3, 4))
    for subject in subjects:
        seen = [version for id_, version in first.versions + second.versions if id_ == subject]
        assert seen == [1, 2, 3, 4]


async def test_the_event_that_a_handler_failed_at_comes_again(working: Service) -> None:
    group, subject = group_name(), invoice_id()
    await working.ask(create_invoice(subject), record_payment(subject))
    async with following(working, group, {subject}) as first:
        first.failing_at = 3
        with pytest.raises(ZeroDivisionError):
            await first.task
    async with following(working, group, {subject}) as second:
        await second.count(2)

    assert first.versions == [(subject, 1), (subject, 2)]
    assert second.versions == [(subject, 3), (subject, 4)]


async def test_an_event_published_twice_is_handled_once(working: Service) -> None:
    subject = invoice_id()
    await working.ask(create_invoice(subject))
    await working.events.until(lambda _: len(working.events_of(subject)) >= 2)
    for record in [r for r in working.events.records if r.key == subject.encode()]:
        await working.producer.send(
            working.topics.events, record.value, key=record.key, partition=record.partition
        )
    await working.ask(record_payment(subject))
    async with following(working, group_name(), {subject}) as followed:
        await followed.count(4)

    assert followed.versions == [(subject, version) for version in (1, 2, 3, 4)]


async def test_versions_kept_outside_survive_a_lost_group(working: Service) -> None:
    subject, kept = invoice_id(), InMemoryVersions()
    await working.ask(create_invoice(subject))
    async with following(working, group_name(), {subject}, kept) as first:
        await first.count(2)
    await working.ask(record_payment(subject))
    async with following(working, group_name(), {subject}, kept) as second:
        await second.count(2)

    assert first.versions + second.versions == [(subject, version) for version in (1, 2, 3, 4)]


@pytest.mark.real_kafka
async def test_an_event_of_an_aborted_transaction_is_not_handled(working: Service) -> None:
    subject = invoice_id()
    producer = AIOKafkaProducer(
        bootstrap_servers=working.bootstrap, transactional_id=uuid.uuid4().hex
    )
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(
            working.topics.events, json.dumps(_event(subject, 1)).encode(), key=subject.encode()
        )
        await producer.abort_transaction()
    finally:
        await producer.stop()
    await working.ask(create_invoice(subject))
    async with following(working, group_name(), {subject}) as followed:
        await followed.count(2)

    assert [event.command_source for event in followed.events] == ["/tests", "/tests"]


@pytest.mark.real_kafka
async def test_a_partition_changes_hands_between_two_events(
    working: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "aiokafka.consumer.group_coordinator")
    group = group_name()
    subjects = [invoice_id() for _ in range(40)]
    await working.ask(*map(create_invoice, subjects))
    async with following(working, group, subjects) as first:
        first.gate.clear()
        await eventually(lambda: first.is_at_gate, seconds=60)
        caplog.clear()
        async with following(working, group, subjects) as second:
            # The first member has an event in hand, and more fetched, when it must let go.
            await eventually(lambda: re.search(r"Revoking .*TopicPartition", caplog.text))
            first.gate.set()
            await eventually(lambda: len(first.events + second.events) >= 80, seconds=60)
        await working.ask(*map(record_payment, subjects))
        await eventually(lambda: len(first.events + second.events) >= 160, seconds=60)

    assert second.events
    handled = first.versions + second.versions
    assert sorted(handled) == sorted((subject, v) for subject in subjects for v in (1, 2, 3, 4))


async def test_a_foreign_record_ends_the_following_with_its_position(service: Service) -> None:
    await service.producer.send_and_wait(service.topics.events, b"not an event", partition=0)
    async with following(service, group_name(), set()) as followed:
        with pytest.raises(NotAnEventError, match=r"partition 0, offset 0"):
            await followed.task


def _event(subject: str, version: int) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "source": "/invoicing",
        "type": "invoice.created",
        "subject": subject,
        "time": "2026-11-20T10:00:00.000000Z",
        "causationid": "1",
        "causationsource": "/aborted",
        "version": version,
        "data": {},
    }
