"""The floor: the same consuming, COPY, publishing and committing as the worker's, with no logic.

    python -m invoicing.tools.bench.contenders.floor < SHAPE

Nothing is decoded, loaded or decided. The record's key serves as the invoice's id, and each command
becomes as many rows and bytes as the service wrote for it on average. SHAPE gives these averages as
JSON. Rows go to the same tables, and records are published the way the service publishes them.
"""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import cycle
from typing import Any, Final

import asyncpg
import orjson
import uvloop
from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition

from invoicing.contracts.envelope import HEADERS
from invoicing.runtime.gc_tuning import gc_tuned
from invoicing.runtime.kafka.connect import new_consumer, new_transactional_producer
from invoicing.runtime.settings import Settings, read_settings
from invoicing.store.postgres import save_invoices
from invoicing.store.rows import COMMAND_COLUMNS, EVENT_COLUMNS, StoredInvoice
from invoicing.worker.record_batches import BATCH_BYTES_MAX

FETCH_RECORDS_MAX: Final = 5_000
QUEUE_BATCHES_MAX: Final = 8
VERSIONS_A_COMMAND: Final = 10
"""So far apart are the versions of two commands, for none may come twice."""

Records = Sequence[ConsumerRecord]


@dataclass(frozen=True)
class Shape:
    """What the service wrote for the same load, on average, and some of the texts that it wrote."""

    events_a_command: float
    answers_a_command: float
    states_a_command: float
    labels_a_command: float
    events: list[str]
    answers: list[str]
    snapshots: list[str]


async def main(settings: Settings, shape: Shape) -> None:
    """Consume until the process is terminated."""
    pool = await asyncpg.create_pool(settings.dsn, max_size=10)
    consumer = new_consumer(
        settings,
        settings.topic_commands,
        group_id=settings.consumer_group,
        session_timeout_ms=int(settings.session_timeout_seconds * 1000),
    )
    await consumer.start()
    queues: dict[TopicPartition, asyncio.Queue[Records]] = {}
    with gc_tuned():
        async with asyncio.TaskGroup() as lanes:
            while True:
                fetched = await consumer.getmany(timeout_ms=100, max_records=FETCH_RECORDS_MAX)
                for partition, records in fetched.items():
                    if partition not in queues:
                        queue = queues[partition] = asyncio.Queue(QUEUE_BATCHES_MAX)
                        lanes.create_task(_run_lane(settings, shape, pool, partition, queue))
                    size = settings.batch_records_max
                    for start in range(0, len(records), size):
                        await queues[partition].put(records[start : start + size])


async def _run_lane(
    settings: Settings,
    shape: Shape,
    pool: asyncpg.Pool,
    partition: TopicPartition,
    queue: asyncio.Queue[Records],
) -> None:
    producer = new_transactional_producer(
        settings,
        f"{settings.consumer_group}-{partition.partition}",
        max_batch_size=BATCH_BYTES_MAX,
    )
    await producer.start()
    while True:
        records = await queue.get()
        await _store(pool, shape, records)
        await _publish(producer, settings, shape, partition, records)


async def _store(pool: asyncpg.Pool, shape: Shape, records: Records) -> None:
    now = datetime.now(UTC)
    events, answers = cycle(shape.events), cycle(shape.answers)
    async with pool.acquire() as connection, connection.transaction():
        await connection.copy_records_to_table(
            "events",
            records=(
                (
                    *(_id(record), record.offset * VERSIONS_A_COMMAND + n + 1, "invoice.opened"),
                    *(next(events), "/bench", "c", now),
                )
                for record, n in _spread(records, shape.events_a_command)
            ),
            columns=EVENT_COLUMNS,
        )
        await connection.copy_records_to_table(
            "commands",
            records=(
                (
                    *("/bench", f"{_id(record)}/{record.offset}", _id(record), b"h" * 32),
                    *(next(answers), 1, 2, record.topic, record.partition, record.offset, now),
                )
                for record, _ in _spread(records, shape.answers_a_command)
            ),
            columns=COMMAND_COLUMNS,
        )
        await save_invoices(connection, list(_states(shape, records, now)))


async def _publish(
    producer: AIOKafkaProducer,
    settings: Settings,
    shape: Shape,
    partition: TopicPartition,
    records: Records,
) -> None:
    await producer.begin_transaction()
    waiting: list[Any] = []
    for topic, texts, share in (
        (settings.topic_events, shape.events, shape.events_a_command),
        (settings.topic_replies, shape.answers, 1.0),
    ):
        keys = [record.key for record, _ in _spread(records, share)]
        waiting += [
            await producer.send_batch(batch, topic, partition=partition.partition)
            for batch in _batches(producer, keys, texts)
        ]
    await asyncio.gather(*waiting)
    await producer.send_offsets_to_transaction(
        {partition: records[-1].offset + 1}, settings.consumer_group
    )
    await producer.commit_transaction()


def _batches(
    producer: AIOKafkaProducer, keys: Sequence[bytes], texts: Sequence[str]
) -> Iterator[Any]:
    batch = producer.create_batch()
    for key, text in zip(keys, cycle(texts), strict=False):
        value = text.encode()
        fields = {"key": key, "value": value, "timestamp": None, "headers": list(HEADERS)}
        if batch.append(**fields) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(**fields)
    yield batch


def _spread(records: Records, share: float) -> Iterator[tuple[ConsumerRecord, int]]:
    """Repeat the records so that they come to `share` a record; with the number of the repeat."""
    for index, record in enumerate(records):
        for n in range(int((index + 1) * share) - int(index * share)):
            yield record, n


def _id(record: ConsumerRecord) -> str:
    return str(record.key.decode())


def _states(shape: Shape, records: Records, now: datetime) -> Iterator[StoredInvoice]:
    """States for the share of the batch's invoices that the service changed and labelled."""
    ids = list(dict.fromkeys(map(_id, records)))[: round(len(records) * shape.states_a_command)]
    labelled = round(len(records) * shape.labels_a_command)
    snapshots, day, amount = cycle(shape.snapshots), now.date(), Decimal("321.38")
    for index, id_ in enumerate(ids):
        yield StoredInvoice(
            id=id_, version=2, state="open", standing="upcoming", archived=False,
            seller_id="default", customer_id="cus_42", invoice_number=id_, total=amount,
            amount_due=amount, attempt_count=0, snapshot=next(snapshots), created_at=now,
            updated_at=now,
            document_date=day, due_date=day, live_mode=True,
            labels=("currency=USD",) if index < labelled else None,
        )  # fmt: skip


if __name__ == "__main__":
    uvloop.run(main(read_settings(), Shape(**orjson.loads(sys.stdin.buffer.read()))))
