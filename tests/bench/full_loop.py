"""Commands a second for the full loop, beside the floor, in turns.

    python -m tests.bench.full_loop [commands] [rounds]

Kafka and Postgres are chosen as for the tests. The commands are all there before the process under
test starts, and what counts is the time from the first tenth of the answers to the last.
"""

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from tests.service.commands import Sent, create_invoice, invoice_id, record_payment, void_invoice
from tests.service.service import Service, running_service
from tests.stack.databases import migrated_databases
from tests.stack.kafka import choose_kafka
from tests.stack.postgres import choose_postgres
from tests.stack.topics import fresh_topics
from tests.stack.wait import eventually

PARTITIONS = 8
WARM_UP = 0.1


def mixed_commands(number: int) -> list[Sent]:
    """Half of them create and open an invoice of three lines, the others pay or void one."""
    line = {"description": "Pro plan", "unit_price": "100.00", "tax": {"rate": "0.07125"}}
    commands: list[Sent] = []
    while len(commands) < number:
        subject = invoice_id()
        commands.append(create_invoice(subject, items=[line, line, line]))
        follow = record_payment(subject) if len(commands) % 4 else void_invoice(subject)
        commands.append(follow)
    return commands[:number]


async def measure(service: Service, module: str, commands: list[Sent]) -> float:
    """Commands a second of the process that `module` runs."""
    await service.send(commands)
    worker = service.start_worker(module)
    admin = AIOKafkaAdminClient(bootstrap_servers=service.bootstrap)
    await admin.start()

    async def handled() -> int:
        assert worker.process.poll() is None, worker.log
        try:
            offsets = await admin.list_consumer_group_offsets(service.topics.group)
        except GroupCoordinatorNotAvailableError:  # until there was a first member
            return 0
        return sum(offset.offset for offset in offsets.values())

    await eventually(handled, until=lambda done: done >= len(commands), seconds=60)
    await admin.close()
    worker.close()
    times = await answer_times(service)
    assert len(times) == len(commands)
    first = int(len(times) * WARM_UP)
    return (len(times) - first) / ((times[-1] - times[first]) / 1000)


async def answer_times(service: Service) -> list[int]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=service.bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    await consumer.start()
    partitions = [TopicPartition(service.topics.replies, number) for number in range(PARTITIONS)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    ends = await consumer.end_offsets(partitions)
    times = []
    while any([await consumer.position(p) < ends[p] for p in partitions]):
        for records in (await consumer.getmany(timeout_ms=500)).values():
            times += [record.timestamp for record in records]
    await consumer.stop()
    return sorted(times)


async def main(number: int, rounds: int) -> None:
    kafka = await asyncio.to_thread(choose_kafka().option)
    postgres = await asyncio.to_thread(choose_postgres().option)
    commands = mixed_commands(number)
    rates: dict[str, list[float]] = {"tests.bench.floor": [], "ops.main": []}
    try:
        async with migrated_databases(postgres.dsn) as databases:
            for _ in range(rounds):
                for module, measured in rates.items():
                    async with (
                        databases.fresh() as dsn,
                        fresh_topics(kafka, PARTITIONS) as topics,
                        running_service(
                            kafka.bootstrap, dsn, topics, Path(tempfile.mkdtemp()), tails=False
                        ) as service,
                    ):
                        measured.append(await measure(service, module, commands))
                        print(f"{module}: {measured[-1]:,.0f} commands/s", flush=True)
    finally:
        kafka.close()
        postgres.close()
    floor, full = (statistics.median(measured) for measured in rates.values())
    print(f"floor {floor:,.0f}/s, full loop {full:,.0f}/s: {full / floor:.2f} of the floor")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(main(*(given + [20_000, 3][len(given) :])))
