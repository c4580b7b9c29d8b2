"""Commands a second: a warm contender is suspended while they are sent, then resumed and timed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import psutil
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from invoicing.ops.support.command_file import ReadyCommand
from invoicing.ops.support.failures import BenchError
from invoicing.ops.support.kafka import producing, reading
from invoicing.ops.support.sender import send_all
from invoicing.runtime.kafka.connect import admin_client
from invoicing.runtime.settings import Settings
from invoicing.tools.bench.ground import Site
from invoicing.tools.bench.processes import Contender, Running, held, profiled, running

WAIT_SECONDS_MAX: Final = 180
POLL_INTERVAL_SECONDS: Final = 0.1
WARM_UP: Final = 0.05
"""The share of commands that are handled before the clock starts: start-up is no throughput."""

WAL_POSITION: Final = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"


@dataclass(frozen=True)
class Run:
    """A contender's run. All but the first are costs of one command."""

    commands_a_second: float
    process_cpu_seconds: float
    postgres_cpu_seconds: float
    wal_bytes: float


@dataclass(frozen=True)
class _Reading:
    """Clock and meters at one moment."""

    seconds: float
    process_cpu_seconds: float
    postgres_cpu_seconds: float
    wal_bytes: float


async def measure(
    site: Site,
    contender: Contender,
    commands: Sequence[ReadyCommand],
    processes: int = 1,
    profile: Path | None = None,
) -> Run:
    """Time the contender, in this many processes, on the commands.

    With `profile`, py-spy writes its samples of the first process there.
    """
    settings, number = site.settings, len(commands)
    warm_up = max(1, int(number * WARM_UP))
    with running(contender, site, processes) as started:
        await _until(settings, _members, len(started), "processes in their group", started)
        await send(settings, commands[:warm_up])
        await until_handled(settings, warm_up, started)
        with profiled(started[0], profile) if profile else nullcontext():
            with held(started):
                await send(settings, commands[warm_up:])
                before = await _reading(settings, started)
            await until_handled(settings, number, started)
            after = await _reading(settings, started)
    last_reply, timed = await _last_reply(settings, number), number - warm_up
    return Run(
        timed / (last_reply - before.seconds),
        (after.process_cpu_seconds - before.process_cpu_seconds) / timed,
        (after.postgres_cpu_seconds - before.postgres_cpu_seconds) / timed,
        (after.wal_bytes - before.wal_bytes) / timed,
    )


async def send(settings: Settings, commands: Sequence[ReadyCommand]) -> None:
    """Send the commands to their topic."""
    async with producing(settings) as producer:
        await send_all(producer, settings.topic_commands, commands, lambda: None)


async def until_handled(settings: Settings, number: int, started: Sequence[Running]) -> None:
    """Wait until the group has committed this many commands.

    Raises `BenchError` when that takes too long or a process has ended.
    """
    await _until(settings, handled, number, "commands handled", started)


async def handled(admin: AIOKafkaAdminClient, group: str) -> int:
    """The number of commands that the group has committed."""
    offsets = await admin.list_consumer_group_offsets(group)
    return sum(offset.offset for offset in offsets.values() if offset.offset > 0)


async def _members(admin: AIOKafkaAdminClient, group: str) -> int:
    (response,) = await admin.describe_consumer_groups([group])
    (described,) = response.to_object()["groups"]
    return len(described["members"]) if described["state"] == "Stable" else 0


async def _until(
    settings: Settings,
    count: Callable[[AIOKafkaAdminClient, str], Awaitable[int]],
    number: int,
    what: str,
    started: Sequence[Running],
) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    async with admin_client(settings) as admin:
        while True:
            try:
                counted = await count(admin, settings.consumer_group)
            except GroupCoordinatorNotAvailableError:  # until the group has a first member
                counted = 0
            if counted >= number:
                return
            for process in started:
                process.check()
            if time.monotonic() > deadline:
                name = started[0].contender.name
                counts = f"{counted} of {number} {what}"
                raise BenchError(f"{name}: after {WAIT_SECONDS_MAX} seconds, {counts}.")
            await asyncio.sleep(POLL_INTERVAL_SECONDS)


async def _reading(settings: Settings, started: Sequence[Running]) -> _Reading:
    connection = await asyncpg.connect(settings.dsn)
    try:
        wal_bytes = float(await connection.fetchval(WAL_POSITION))
    finally:
        await connection.close()
    return _Reading(
        time.time(),
        sum(process.cpu_seconds for process in started),
        _postgres_cpu_seconds(settings),
        wal_bytes,
    )


def _postgres_cpu_seconds(settings: Settings) -> float:
    """Processor time of this database's sessions so far; 0 if Postgres runs on another machine.

    A session's process names its database in its title.
    """
    database = settings.dsn.partition("?")[0].rpartition("/")[2]
    seconds = 0.0
    for process in psutil.process_iter(["cmdline", "cpu_times"]):
        title = " ".join(process.info["cmdline"] or ())
        if title.startswith("postgres:") and f" {database} " in title:
            seconds += process.info["cpu_times"].user + process.info["cpu_times"].system
    return seconds


async def _last_reply(settings: Settings, number: int) -> float:
    """The time of the last of so many replies, as published, in seconds."""
    times: list[float] = []
    async with reading(settings, settings.topic_replies, from_beginning=True) as consumer:
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while len(times) < number:
            if time.monotonic() > deadline:
                raise BenchError(f"There are {len(times)} replies to {number} commands.")
            for records in (await consumer.getmany(timeout_ms=500)).values():
                times += [record.timestamp / 1000 for record in records]
    return max(times)
