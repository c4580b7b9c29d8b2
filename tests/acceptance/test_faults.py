"""Exactly once, whichever process or dependency is stopped or killed."""

import asyncio
import random
import signal

import pytest
from aiokafka import AIOKafkaProducer

from invoicing.tools.scratch.databases import Databases
from tests.support.service.commands import (
    Sent,
    create_invoice,
    invoice_id,
    open_invoice,
    record_payment,
    void_invoice,
)
from tests.support.service.promises import assert_promises_kept
from tests.support.service.service import Service
from tests.support.stack.kafka import RestartableKafka
from tests.support.stack.postgres import RestartablePostgres
from tests.support.stack.wait import eventually

pytestmark = pytest.mark.real_kafka

FAULTY = "tests.support.service.faulty_worker"


def mixed(number: int, seed: int = 1) -> list[Sent]:
    """Commands for many invoices, in orders that are legal and not."""
    chance = random.Random(seed)
    commands: list[Sent] = []
    while len(commands) < number:
        subject = invoice_id()
        seller = chance.choice(["north", "south", "west"])
        state = chance.choice(["open", "draft"])
        follow = [
            open_invoice(subject),
            record_payment(subject, "14.25"),
            record_payment(subject, "200.00"),
            void_invoice(subject),
        ]
        chance.shuffle(follow)
        commands.append(create_invoice(subject, seller_id=seller, state=state))
        commands += follow[: chance.randrange(len(follow) + 1)]
    return commands[:number]


@pytest.mark.parametrize("step", ["copying", "stored", "sent", "offsets"])
async def test_a_sleeper_is_shut_out_when_it_wakes(service: Service, step: str) -> None:
    sleeper = await service.ready_worker(FAULTY, FAULT=f"{step}:3:SIGSTOP")
    commands = mixed(300)
    await service.send(commands[:150])
    await eventually(lambda: sleeper.is_stopped, seconds=20)

    await service.ready_worker()
    await service.send(commands[150:200])
    await service.answered(commands[:200])
    sleeper.signal(signal.SIGCONT)
    await eventually(
        lambda: any(
            event in sleeper.log
            for event in ("lane_fenced", "lane_interrupted", "store_interrupted")
        ),
        seconds=30,
    )
    await service.send(commands[200:])

    await assert_promises_kept(service, commands)


@pytest.mark.parametrize("step", ["copying", "stored", "sent", "offsets", "committed"])
async def test_a_killed_worker_leaves_nothing_out_and_nothing_twice(
    service: Service, step: str
) -> None:
    victim = await service.ready_worker(FAULTY, FAULT=f"{step}:3:SIGKILL")
    commands = mixed(200)
    await service.send(commands[:100])
    await victim.ended(seconds=20)

    await service.ready_worker()
    await service.send(commands[100:])

    await assert_promises_kept(service, commands)


async def test_ten_thousand_commands_while_workers_come_and_go(service: Service) -> None:
    first, second = await asyncio.gather(service.ready_worker(), service.ready_worker())
    commands = mixed(10_000)

    async def feed() -> None:
        for place in range(0, len(commands), 500):
            await service.send(commands[place : place + 500])

    feeding = asyncio.create_task(feed())
    await service.answers.count(2_000)
    first.signal(signal.SIGKILL)
    await service.answers.count(4_000)
    joined = await service.ready_worker()
    await feeding

    await assert_promises_kept(service, commands)
    await service.verify()
    assert second.process.poll() is None
    assert joined.process.poll() is None


async def test_racing_producers_have_one_outcome_in_the_order_of_the_log(
    service: Service,
) -> None:
    await service.ready_worker()
    subject = invoice_id()
    create, void, pay = create_invoice(subject), void_invoice(subject), record_payment(subject)
    producers = [AIOKafkaProducer(bootstrap_servers=service.bootstrap) for _ in range(10)]
    await asyncio.gather(*(producer.start() for producer in producers))

    async def race(producer: AIOKafkaProducer, commands: list[Sent]) -> list[tuple[int, Sent]]:
        sent = []
        for command in commands:
            metadata = await producer.send_and_wait(
                service.topics.commands, command.value, key=subject.encode()
            )
            sent.append((metadata.offset, command))
        return sent

    rest = [void, pay]
    orders = [[create, *random.Random(place).sample(rest, 2)] for place in range(10)]
    records = await asyncio.gather(*map(race, producers, orders))
    await asyncio.gather(*(producer.stop() for producer in producers))
    await service.answers.count(30)

    in_log = sorted((pair for sent in records for pair in sent), key=lambda pair: pair[0])
    void_came_first = next(c for _, c in in_log if c is not create) is void
    expected = (
        ["invoice.created", "invoice.opened", "invoice.voided"]
        if void_came_first
        else ["invoice.created", "invoice.opened", "invoice.payment_recorded", "invoice.paid"]
    )
    await service.events.count(len(expected))
    assert [event["type"] for event in service.events_of(subject)] == expected
    for answers in service.answers_by_command().values():
        assert len(answers) == 10
        assert all(answer == answers[0] for answer in answers)


async def test_sigterm_ends_the_worker_with_nothing_half_done(service: Service) -> None:
    worker = await service.ready_worker()
    commands = mixed(3_000)
    feeding = asyncio.create_task(service.send(commands))
    await service.answers.count(100)

    worker.signal(signal.SIGTERM)

    assert await worker.ended(seconds=10) == 0
    await feeding
    await service.ready_worker()
    await assert_promises_kept(service, commands)


async def test_a_database_from_before_stops_the_worker_with_what_to_do(
    service: Service, databases: Databases
) -> None:
    worker = await service.ready_worker()
    await service.ask(create_invoice(invoice_id()))
    worker.signal(signal.SIGTERM)
    await worker.ended()

    async with databases.fresh() as restored:
        lost = service.start_worker(
            INVOICING_POSTGRES_DSN=restored, INVOICING_RETRY_LIMIT_SECONDS="1"
        )

        assert await lost.ended(seconds=30) == 1
        assert "restored to an earlier point" in lost.log.splitlines()[-1]
        assert "`invoicing recover postgres`" in lost.log.splitlines()[-1]


async def test_the_worker_outlives_ten_seconds_without_kafka(
    fragile: Service, own_kafka: RestartableKafka
) -> None:
    worker = await fragile.ready_worker()
    commands = mixed(2_000)
    await fragile.send(commands[:1_000])

    await asyncio.to_thread(own_kafka.stop)
    await eventually(lambda: worker.get("/health/ready")[0] == 503, seconds=10)
    assert worker.get("/health/live")[0] == 200
    await asyncio.sleep(10)  # the outage itself, no wait for anything
    await asyncio.to_thread(own_kafka.start)
    await fragile.send(commands[1_000:])

    await assert_promises_kept(fragile, commands)
    await eventually(worker.is_ready, seconds=30)


async def test_the_worker_outlives_a_restart_of_postgres(
    fragile: Service, own_postgres: RestartablePostgres
) -> None:
    worker = await fragile.ready_worker()
    commands = mixed(2_000)
    feeding = asyncio.create_task(fragile.send(commands))
    await fragile.answers.count(100)

    await asyncio.to_thread(own_postgres.stop)
    await eventually(lambda: worker.get("/health/ready")[0] == 503, seconds=10)
    await asyncio.to_thread(own_postgres.start)
    await feeding

    await assert_promises_kept(fragile, commands)
    await eventually(worker.is_ready, seconds=30)


async def test_the_worker_gives_up_on_a_postgres_that_stays_away(
    fragile: Service, own_postgres: RestartablePostgres
) -> None:
    worker = await fragile.ready_worker(INVOICING_RETRY_LIMIT_SECONDS="3")
    await asyncio.to_thread(own_postgres.stop)
    try:
        await fragile.send([create_invoice(invoice_id())])

        assert await worker.ended(seconds=40) == 1
        assert "worker_gave_up" in worker.log.splitlines()[-1]
        assert "Postgres" in worker.log.splitlines()[-1]
    finally:
        await asyncio.to_thread(own_postgres.start)


async def test_a_group_by_another_name_ends_the_start_with_one_sentence(service: Service) -> None:
    command = create_invoice(invoice_id())
    first = await service.ready_worker()
    await service.ask(command)
    first.close()

    renamed = service.start_worker(INVOICING_CONSUMER_GROUP=f"{service.topics.group}-renamed")

    # Well before RETRY_LIMIT_SECONDS.
    assert await renamed.ended(seconds=30) == 1
    assert "Check INVOICING_CONSUMER_GROUP first" in renamed.log.splitlines()[-1]
    assert "worker_started" not in renamed.log
    assert "lane_interrupted" not in renamed.log
    assert [event["version"] for event in service.events.documents] == [1, 2]
