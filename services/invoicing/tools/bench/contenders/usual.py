"""The usual design: one FastStream handler call, transaction and publish for each command.

    python -m invoicing.tools.bench.contenders.usual

Written as FastStream's documentation shows it, around the same domain, and tuned as a competent
user would: one consumer for each partition, a connection pool, uvloop, no log line for a message.
It promises less than the service: a crash between the transaction and the publish loses events.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

import asyncpg
import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from invoicing.contracts.envelope import HEADERS
from invoicing.domain.numbering import format_number
from invoicing.domain.sellers import Sellers
from invoicing.runtime.settings import Settings, read_settings
from invoicing.store.postgres import PostgresStore, open_writer_pool, save_invoices
from invoicing.store.rows import (
    COMMAND_COLUMNS,
    EVENT_COLUMNS,
    Position,
    StoredEvent,
    WriteBatch,
    event_rows,
    reply_rows,
)
from invoicing.tools.bench.decided import LANE
from invoicing.worker.batch import BatchHandler
from invoicing.worker.consumer import security
from invoicing.worker.records import Record

WORKERS_MAX: Final = 8


def _insert(table: str, columns: tuple[str, ...]) -> str:
    parameters = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    names = ", ".join(f'"{column}"' for column in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({parameters})"  # noqa: S608 (constants of ours)


INSERT_EVENT: Final = _insert("events", EVENT_COLUMNS)
INSERT_REPLY: Final = _insert("commands", COMMAND_COLUMNS)


class InsertingStore(PostgresStore):
    """Writes one command's rows with INSERT: for so few, COPY only costs another round trip."""

    async def append(self, write_batch: WriteBatch) -> Sequence[StoredEvent]:
        """Write it all in one transaction."""
        async with self._pool.acquire() as connection, connection.transaction():
            numbers = await self._take_numbers(connection, write_batch.numbers)
            events = write_batch.numbered_events(numbers)
            if events:
                await connection.executemany(INSERT_EVENT, event_rows(events))
            if write_batch.replies:
                await connection.executemany(INSERT_REPLY, reply_rows(write_batch.replies))
            await save_invoices(connection, write_batch.numbered_invoices(numbers))
        return events


def create_broker(settings: Settings, pool: asyncpg.Pool) -> KafkaBroker:
    """The broker with its one subscriber."""
    sellers = Sellers()
    numbered = partial(format_number, sellers=sellers)
    store = InsertingStore(pool, numbered, settings.consumer_group)
    handler = BatchHandler(store, sellers, lambda: datetime.now(UTC))
    broker = KafkaBroker(
        settings.kafka_bootstrap_servers,
        security=security(settings),
        acks="all",
        enable_idempotence=True,
        logger=None,
    )

    async def keep_bytes(message: KafkaMessage) -> bytes:
        return bytes(message.body)

    @broker.subscriber(
        settings.topic_commands,
        group_id=settings.consumer_group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        max_workers=WORKERS_MAX,
        session_timeout_ms=int(settings.session_timeout_seconds * 1000),
        decoder=keep_bytes,
    )
    async def handle(message: KafkaMessage) -> None:
        record = message.raw_message
        assert not isinstance(record, tuple)
        position = Position(record.topic, record.partition, record.offset)
        outgoing = await handler.handle(
            [Record(position, record.key, record.value, record.headers, record.timestamp)],
            LANE,
        )
        headers = {name: value.decode() for name, value in HEADERS}
        for stored, topic in (
            (outgoing.events, settings.topic_events),
            (outgoing.replies, settings.topic_replies),
        ):
            await asyncio.gather(
                *(
                    broker.publish(
                        row.document.encode(), topic, key=row.invoice_id.encode(), headers=headers
                    )
                    for row in stored
                )
            )

    return broker


async def main(settings: Settings) -> None:
    """Consume until the process is terminated."""
    pool = await open_writer_pool(settings)
    await FastStream(create_broker(settings, pool), logger=None).run()


if __name__ == "__main__":
    uvloop.run(main(read_settings()))
