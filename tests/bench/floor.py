"""The floor: the same consuming, COPY, publishing and committing as the worker's, with no logic.

Nothing is decoded or decided. Every command becomes two events, one answer and one row of state of
the sizes that the service writes, and the batches are stored and published as the service does it.
"""

import asyncio
import gc
import os
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from contracts.envelope import HEADERS
from invoicing.domain.listing import Listing
from invoicing.store import COMMAND_COLUMNS, EVENT_COLUMNS, StoredInvoice, save_states
from runtime.settings import Settings, read_settings

EVENT_BYTES = int(os.environ.get("FLOOR_EVENT_BYTES", "1400"))
ANSWER_BYTES = int(os.environ.get("FLOOR_ANSWER_BYTES", "560"))
SNAPSHOT_BYTES = int(os.environ.get("FLOOR_SNAPSHOT_BYTES", "1900"))
FETCH_RECORDS_MAX = 5_000


async def main(settings: Settings) -> None:
    pool = await asyncpg.create_pool(settings.dsn, max_size=10)
    consumer = AIOKafkaConsumer(
        settings.topic_commands,
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=settings.consumer_group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    gc.freeze()
    gc.set_threshold(100_000)
    queues: dict[TopicPartition, asyncio.Queue[list[Any]]] = {}
    async with asyncio.TaskGroup() as lanes:
        while True:
            fetched = await consumer.getmany(timeout_ms=100, max_records=FETCH_RECORDS_MAX)
            for partition, records in fetched.items():
                if partition not in queues:
                    queues[partition] = asyncio.Queue(maxsize=8)
                    lanes.create_task(lane(settings, pool, partition, queues[partition]))
                for start in range(0, len(records), settings.batch_records_max):
                    await queues[partition].put(records[start : start + settings.batch_records_max])


def state_of(id_: str, document: str, now: datetime) -> StoredInvoice:
    day = now.date()
    return StoredInvoice(
        id=id_,
        version=2,
        state="open",
        standing="upcoming",
        archived=False,
        seller_id="default",
        customer_id="cus_42",
        number=id_,
        total=Decimal("321.38"),
        amount_due=Decimal("321.38"),
        attempt_count=0,
        document=document,
        created_at=now,
        updated_at=now,
        listing=Listing(day, day, live_mode=True, labels=("currency=USD",)),
    )


async def lane(
    settings: Settings, pool: asyncpg.Pool, partition: TopicPartition, queue: asyncio.Queue[Any]
) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        transactional_id=f"{settings.consumer_group}-{partition.partition}",
        max_batch_size=1_040_000,
        acks="all",
    )
    await producer.start()
    event, answer, state = "e" * EVENT_BYTES, "a" * ANSWER_BYTES, "s" * SNAPSHOT_BYTES
    while True:
        records = await queue.get()
        now = datetime.now(UTC)
        ids = [uuid.uuid4().hex for _ in records]
        async with pool.acquire() as connection, connection.transaction():
            await connection.copy_records_to_table(
                "events",
                records=[
                    (id_, version, "invoice.opened", event, "/bench", id_, now)
                    for id_ in ids
                    for version in (1, 2)
                ],
                columns=EVENT_COLUMNS,
            )
            await connection.copy_records_to_table(
                "commands",
                records=[
                    ("/bench", id_, id_, b"h" * 32, answer, 1, 2, "t", 0, 0, now) for id_ in ids
                ],
                columns=COMMAND_COLUMNS,
            )
            await save_states(connection, [state_of(id_, state, now) for id_ in ids])
        await producer.begin_transaction()
        waiting = []
        for topic, value, times in (
            (settings.topic_events, event.encode(), 2),
            (settings.topic_replies, answer.encode(), 1),
        ):
            batch = producer.create_batch()
            for record in records:
                for _ in range(times):
                    fields = {
                        "key": record.key, "value": value, "timestamp": None,
                        "headers": list(HEADERS),
                    }  # fmt: skip
                    if batch.append(**fields) is None:
                        waiting.append(
                            await producer.send_batch(batch, topic, partition=partition.partition)
                        )
                        batch = producer.create_batch()
                        batch.append(**fields)
            waiting.append(await producer.send_batch(batch, topic, partition=partition.partition))
        await asyncio.gather(*waiting)
        await producer.send_offsets_to_transaction(
            {partition: records[-1].offset + 1}, settings.consumer_group
        )
        await producer.commit_transaction()


if __name__ == "__main__":
    uvloop.run(main(read_settings()))
