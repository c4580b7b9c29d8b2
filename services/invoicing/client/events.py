"""Follow events with a handler."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn, Protocol

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from invoicing.client.connect import STOP_SECONDS_MAX, new_consumer, stop

POLL_MS: Final = 1_000
# Offsets are committed after so many events at the latest.
EVENTS_A_COMMIT_MAX: Final = 100
VERSIONS_KEPT: Final = 100_000


class NotAnEventError(Exception):
    """A record of the events topic is not an event. Only the service may write to that topic."""


@dataclass(frozen=True)
class Event:
    """Something that happened to an invoice; `version` is the invoice's afterwards."""

    id: str
    type: str
    invoice_id: str
    version: int
    time: datetime
    data: Mapping[str, Any]
    command_id: str
    command_source: str
    correlation_id: str | None
    traceparent: str | None


Handler = Callable[[Event], Awaitable[None]]


class VersionStore(Protocol):
    """Remembers the last version handled of each invoice, so that no event is handled twice.

    Kafka delivers an event again if a consumer ends between handling it and committing its offset.
    To make the handler's effect exactly once, keep the version beside the effect and write both in
    one transaction, in the handler; `mark_handled` then has nothing left to do.
    """

    async def last_handled(self, invoice_id: str) -> int:
        """The last version handled; 0 if there is none."""

    async def mark_handled(self, invoice_id: str, version: int) -> None:
        """Remember that this version was handled."""


class InMemoryVersions:
    """Versions of the invoices handled last. They do not survive the process."""

    def __init__(self, kept: int = VERSIONS_KEPT) -> None:
        self._kept = kept
        self._versions: OrderedDict[str, int] = OrderedDict()

    async def last_handled(self, invoice_id: str) -> int:
        """The last version handled; 0 if there is none."""
        return self._versions.get(invoice_id, 0)

    async def mark_handled(self, invoice_id: str, version: int) -> None:
        """Remember that this version was handled."""
        self._versions[invoice_id] = version
        self._versions.move_to_end(invoice_id)
        if len(self._versions) > self._kept:
            self._versions.popitem(last=False)


async def follow_events(
    bootstrap_servers: str,
    handle: Handler,
    *,
    group: str,
    versions: VersionStore | None = None,
    topic: str = "invoices.events",
    **kafka_options: Any,
) -> NoReturn:
    """Handle every event, an invoice's in the order of its versions, until cancelled.

    Consumers of one `group` share the partitions. A new group starts with the oldest event. Offsets
    are committed after the handler, so each event is handled at least once; `versions` (in memory
    by default) drops those already handled.

    An exception of the handler ends the call; the same event comes first after a restart. Raises
    `NotAnEventError` for a foreign record, and `KafkaError` for errors that a retry cannot mend.
    """
    consumer = new_consumer(bootstrap_servers=bootstrap_servers, group_id=group, **kafka_options)
    follower = _Follower(consumer, handle, versions or InMemoryVersions())
    consumer.subscribe([topic], listener=follower)
    try:
        await consumer.start()
        while True:
            await follower.handle_next()
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await follower.commit()
        await stop(consumer)


class _Follower(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, consumer: AIOKafkaConsumer, handle: Handler, versions: VersionStore) -> None:
        self._consumer = consumer
        self._handle = handle
        self._versions = versions
        self._handled: dict[TopicPartition, int] = {}
        self._handling = asyncio.Lock()
        self._rebalances = 0

    async def handle_next(self) -> None:
        """Handle the records that have come, and commit."""
        fetched = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=EVENTS_A_COMMIT_MAX)
        rebalances = self._rebalances
        for partition, records in fetched.items():
            for record in records:
                async with self._handling:
                    if self._rebalances != rebalances:
                        return  # the new owner, perhaps this one, reads on from the last commit
                    event = _event(record)
                    if event.version > await self._versions.last_handled(event.invoice_id):
                        await self._handle(event)
                        await self._versions.mark_handled(event.invoice_id, event.version)
                    self._handled[partition] = record.offset + 1
        await self.commit()

    async def commit(self) -> None:
        """Commit the offsets of the events handled, once the one in hand is."""
        async with self._handling:
            offsets, self._handled = self._handled, {}
            # If the partitions have moved on, their events come again, and `versions` drops them.
            with suppress(CommitFailedError, IllegalStateError):
                if offsets:
                    await self._consumer.commit(offsets)

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Let the next owner start after the event in hand."""
        self._rebalances += 1
        await self.commit()

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Positions are the committed offsets."""


def _event(record: ConsumerRecord) -> Event:
    try:
        document = orjson.loads(record.value)
        return Event(
            id=document["id"],
            type=document["type"],
            invoice_id=document["subject"],
            version=document["version"],
            time=datetime.fromisoformat(document["time"]),
            data=document["data"],
            command_id=document["causationid"],
            command_source=document["causationsource"],
            correlation_id=document.get("correlationid"),
            traceparent=document.get("traceparent"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NotAnEventError(
            f"{record.topic}, partition {record.partition}, offset {record.offset}"
        ) from error
