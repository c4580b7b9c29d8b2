"""What is kept of a round that failed, for nobody can ask its Kafka and its Postgres later."""

import asyncio
import shutil

from aiokafka import AIOKafkaConsumer, TopicPartition

from invoicing.runtime.kafka.groups import committed_offsets
from invoicing.runtime.settings import read_settings
from tests.chaos.report import Round
from tests.support.service.service import Service
from tests.support.service.tail import Tail

ASK_SECONDS_MAX = 120


async def keep_evidence(told: Round, service: Service) -> None:
    """The workers' logs, what consumers saw, how far the group came, and what `verify` says now."""
    directory = told.save().parent
    shutil.copytree(service.directory, directory / "workers", dirs_exist_ok=True)
    for name in ("events", "answers", "dead_letters"):
        (directory / f"{name}.txt").write_bytes(_seen(getattr(service, name)))
    for name, ask in (("offsets.txt", _offsets), ("verify.jsonl", _verified)):
        try:
            async with asyncio.timeout(ASK_SECONDS_MAX):
                said = await ask(service)
        except Exception as error:  # noqa: BLE001 (the round's own failure is what must be told)
            said = repr(error)
        (directory / name).write_text(said)


def _seen(tail: Tail) -> bytes:
    return b"".join(
        f"{record.partition}@{record.offset} ".encode() + (record.value or b"") + b"\n"
        for record in tail.records
    )


async def _offsets(service: Service) -> str:
    topics = service.topics
    places = [TopicPartition(topics.commands, number) for number in range(topics.partitions)]
    settings = read_settings({}, kafka_bootstrap_servers=service.bootstrap)
    committed = await committed_offsets(settings, topics.group, places)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=service.bootstrap, isolation_level="read_committed"
    )
    await consumer.start()
    try:
        stable = await consumer.end_offsets(places)
    finally:
        await consumer.stop()
    return "".join(
        f"{place.partition}: committed {committed.get(place)}, stable end {stable[place]}\n"
        for place in places
    )


async def _verified(service: Service) -> str:
    _, said = await service.verified()
    return said
