"""What is done to a service under load, by kind. Each returns when it is over."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from tests.chaos.crew import Crew
from tests.chaos.load import Load
from tests.support.service.service import Service
from tests.support.stack.kafka import RestartableKafka
from tests.support.stack.postgres import RestartablePostgres
from tests.support.stack.proxy import Proxy

LATENCY_SECONDS = 0.05
LATE_FOR_SECONDS = 2.0
FROZEN_FOR_SECONDS = 2.0
LOCK_FOR_SECONDS = 1.0
PARTITIONS_MAX = 6

# Ours would find the ring of two waits later than the worker's, so it is the worker that fails.
RING = """
SET deadlock_timeout = '30s';
SET lock_timeout = '20s';
"""
LOCK_NUMBERS = "SELECT FROM number_series WHERE seller_id = $1 FOR UPDATE"


@dataclass
class Stage:
    """What faults are done to."""

    service: Service
    crew: Crew
    kafka: RestartableKafka
    postgres: RestartablePostgres
    proxy: Proxy
    load: Load


@asynccontextmanager
async def _session(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    session = await asyncpg.connect(dsn)
    try:
        yield session
    finally:
        await session.close()


async def let_be(_stage: Stage) -> None:
    """Nothing: what meets the workers by themselves is to be seen alone."""


async def kill(stage: Stage) -> None:
    stage.crew.signal_one(signal.SIGKILL)


async def terminate(stage: Stage) -> None:
    """One leaves, and its lanes go to the others."""
    stage.crew.signal_one(signal.SIGTERM)


async def add_partitions(stage: Stage) -> None:
    """One more for commands and events each; producers place by it at once."""
    load = stage.load
    number = load.partitions + 1
    if number > PARTITIONS_MAX:
        return
    await stage.service.set_partitions(number)
    load.partitions = number


async def join(stage: Stage) -> None:
    stage.crew.join()


async def stop_for_longer_than_a_session(stage: Stage) -> None:
    stage.crew.signal_one(signal.SIGSTOP)


async def restart_postgres(stage: Stage) -> None:
    await asyncio.to_thread(stage.postgres.stop)
    await asyncio.to_thread(stage.postgres.start)


async def kill_postgres(stage: Stage) -> None:
    await asyncio.to_thread(stage.postgres.kill)
    await asyncio.to_thread(stage.postgres.start)


async def terminate_backends(stage: Stage) -> None:
    """As a failover does to connections."""
    async with _session(stage.service.dsn) as session:
        await session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'invoicing'"
        )


async def cut_inside_commit(stage: Stage) -> None:
    """A COMMIT arrives, and its answer does not."""
    stage.proxy.cut_next_commit()


async def reset_connections(stage: Stage) -> None:
    stage.proxy.reset()


async def delay_postgres(stage: Stage) -> None:
    stage.proxy.latency_seconds = LATENCY_SECONDS
    await asyncio.sleep(LATE_FOR_SECONDS)  # the fault itself
    stage.proxy.latency_seconds = 0.0


async def deadlock(stage: Stage) -> None:
    """A made ring: a worker takes numbers in the order of the sellers, and this goes against it."""
    async with _session(stage.service.dsn) as session:
        await session.execute(RING)
        try:
            async with session.transaction():
                await session.fetch(LOCK_NUMBERS, "west")
                await asyncio.sleep(LOCK_FOR_SECONDS)  # a worker comes to wait behind this
                await session.fetch(LOCK_NUMBERS, "north")
        except (asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError):
            pass  # then it was the worker who found out too late


async def restart_kafka(stage: Stage) -> None:
    await asyncio.to_thread(stage.kafka.stop)
    await asyncio.to_thread(stage.kafka.start)


async def kill_kafka(stage: Stage) -> None:
    await asyncio.to_thread(stage.kafka.kill)
    await asyncio.to_thread(stage.kafka.start)


async def freeze_kafka(stage: Stage) -> None:
    """The broker answers nobody for a while: latency, without a proxy at its address."""
    await asyncio.to_thread(stage.kafka.freeze)
    await asyncio.sleep(FROZEN_FOR_SECONDS)  # the fault itself
    await asyncio.to_thread(stage.kafka.thaw)


Fault = Callable[[Stage], Awaitable[None]]

OF_PROCESSES: dict[Fault, float] = {
    kill: 20,
    terminate: 1,
    join: 1,
    stop_for_longer_than_a_session: 0.5,
    add_partitions: 0.1,
}
OF_POSTGRES: dict[Fault, float] = {
    terminate_backends: 0.5,
    cut_inside_commit: 2,
    reset_connections: 0.5,
    delay_postgres: 0.3,
    deadlock: 0.3,
    restart_postgres: 0.1,
    kill_postgres: 0.1,
}
OF_KAFKA: dict[Fault, float] = {freeze_kafka: 0.1, restart_kafka: 0.1, kill_kafka: 0.1}
EVERYTHING: dict[Fault, float] = OF_PROCESSES | OF_POSTGRES | OF_KAFKA
