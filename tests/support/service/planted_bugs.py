"""Bugs to plant in a worker, to check that they are found: `BUG=<name>` for the faulty worker."""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from invoicing.domain.numbering import NumberRequest
from invoicing.store.postgres import PostgresStore
from invoicing.store.rows import Loaded, StoredEvent, WriteBatch
from invoicing.worker import lane, publisher
from invoicing.worker.lane import Lane
from invoicing.worker.offsets import Offsets
from invoicing.worker.outgoing import OutgoingMessages
from invoicing.worker.publisher import Publisher
from invoicing.worker.records import LaneState, Record


def commit_the_offset_first() -> None:
    handle = Lane._handle

    async def committed_first(
        self: Lane, records: Sequence[Record], state: LaneState
    ) -> OutgoingMessages:
        await self._consumer.commit({self.topic_partition: records[-1].position.offset + 1})
        return await handle(self, records, state)

    Lane._handle = committed_first  # type: ignore[method-assign]


def remember_no_offset() -> None:
    def from_the_beginning(_lane: str, offsets: Offsets) -> int:
        return offsets.begin

    lane.resume_at = from_the_beginning


def remember_no_answer() -> None:
    load = PostgresStore.load

    async def without_answers(*arguments: Any) -> Loaded:
        return Loaded((await load(*arguments)).snapshots, {}, {})

    PostgresStore.load = without_answers  # type: ignore[method-assign]


def publish_before_the_commit() -> None:
    append, appending = PostgresStore.append, set[asyncio.Task[None]]()

    async def later(self: PostgresStore, write_batch: WriteBatch) -> Sequence[StoredEvent]:
        async def appended() -> None:
            await asyncio.sleep(60)  # the bug: by then all is published
            await append(self, write_batch)

        appending.add(asyncio.create_task(appended()))
        return write_batch.events

    PostgresStore.append = later  # type: ignore[method-assign]


def swap_two_events() -> None:
    _tamper_with(lambda outgoing: outgoing.events.reverse())


def drop_an_answer() -> None:
    _tamper_with(lambda outgoing: outgoing.replies.pop())


def fence_nobody() -> None:
    new_producer = publisher.new_transactional_producer

    def under_a_name_of_its_own(settings: Any, _name: str, **options: Any) -> Any:
        return new_producer(settings, uuid.uuid4().hex, **options)

    publisher.new_transactional_producer = under_a_name_of_its_own


def take_a_number_twice() -> None:
    take = PostgresStore._take_numbers

    async def the_same(
        self: PostgresStore, connection: Any, requests: Sequence[NumberRequest]
    ) -> Mapping[str, str]:
        numbers = await take(self, connection, requests)
        series = {request.placeholder: request.series for request in requests}
        return {placeholder: self._format_number(series[placeholder], 1) for placeholder in numbers}

    PostgresStore._take_numbers = the_same  # type: ignore[method-assign,assignment]


def _tamper_with(tamper: Callable[[OutgoingMessages], object]) -> None:
    publish = Publisher.publish

    async def tampered(self: Publisher, outgoing: OutgoingMessages, *arguments: Any) -> None:
        tamper(outgoing)
        await publish(self, outgoing, *arguments)

    Publisher.publish = tampered  # type: ignore[method-assign]
