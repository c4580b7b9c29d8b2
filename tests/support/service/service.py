"""A service under test: its topics, its database, its workers."""

import asyncio
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from tests.support.service.commands import Sent
from tests.support.service.tail import Tail, following
from tests.support.stack.ports import free_port
from tests.support.stack.topics import Topics
from tests.support.stack.wait import eventually

SESSION_TIMEOUT_SECONDS = 6
# A test that takes Kafka away goes on sending, and a busy machine takes its time to bring it back.
SEND_SECONDS_MAX = 180
# Python starts slowly on a machine that others keep busy.
READY_SECONDS_MAX = 90


class Worker:
    """A worker process."""

    process: subprocess.Popen[bytes]

    def __init__(self, module: str, environment: dict[str, str], log: Path) -> None:
        self.metrics_port = free_port()
        self._module = module
        self._environment = environment | {"INVOICING_METRICS_PORT": str(self.metrics_port)}
        self._log = log
        self.start()

    def start(self) -> None:
        """Start it, or start it again when it has ended."""
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self._module, "worker"],
                env=self._environment,
                stderr=output,
                stdout=output,
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page of its own; status 0 while nothing listens."""
        try:
            url = f"http://127.0.0.1:{self.metrics_port}{path}"
            with urllib.request.urlopen(url, timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log
        return self.get("/health/ready")[0] == 200

    @property
    def is_stopped(self) -> bool:
        """Whether SIGSTOP holds it."""
        return psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, seconds: float = 10) -> int:
        """Its exit code, once it has ended by itself."""
        await eventually(lambda: self.process.poll() is not None, seconds=seconds)
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()


@dataclass
class Service:
    """What a test drives: Kafka in, Kafka out, and a look into Postgres."""

    bootstrap: str
    dsn: str
    topics: Topics
    transactions: bool
    events: Tail
    answers: Tail
    dead_letters: Tail
    producer: AIOKafkaProducer
    directory: Path
    workers: list[Worker]

    def start_worker(self, module: str = "invoicing.ops.main", **settings: str) -> Worker:
        """Start a worker; `settings` come on top of the service's."""
        log = self.directory / f"worker-{len(self.workers)}.log"
        environment = {**os.environ, **self.environment, **settings}
        worker = Worker(module, environment, log)
        self.workers.append(worker)
        return worker

    async def ready_worker(self, module: str = "invoicing.ops.main", **settings: str) -> Worker:
        """Start a worker and wait until it handles commands."""
        worker = self.start_worker(module, **settings)
        await eventually(worker.is_ready, seconds=READY_SECONDS_MAX)
        return worker

    async def send(self, commands: Iterable[Sent]) -> None:
        """Send each with its invoice as the key, and wait until Kafka has them all."""
        futures = [
            await self.producer.send(
                self.topics.commands, command.value, key=command.subject.encode()
            )
            for command in commands
        ]
        for future in futures:
            await future

    async def ask(self, *commands: Sent, seconds: float = 60) -> list[dict[str, Any]]:
        """Send the commands and return their answers' data, in the order of the commands."""
        await self.send(commands)
        return await self.answered(commands, seconds=seconds)

    async def answered(self, commands: Sequence[Sent], seconds: float = 60) -> list[dict[str, Any]]:
        """The first answers to these commands, as soon as all are there."""
        wanted = {command.identity for command in commands}
        await self.answers.until(lambda _: wanted <= self.answers_by_command().keys(), seconds)
        by_command = self.answers_by_command()
        return [by_command[command.identity][0]["data"] for command in commands]

    def answers_by_command(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        by_command: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for document in self.answers.documents:
            data = document["data"]
            by_command.setdefault((data["command_source"], data["command_id"]), []).append(document)
        return by_command

    def events_of(self, subject: str) -> list[dict[str, Any]]:
        return [event for event in self.events.documents if event["subject"] == subject]

    async def verify(self) -> None:
        """`invoicing verify` finds nothing."""
        code, said = await self.verified()
        assert code == 0, said

    async def verified(self) -> tuple[int, str]:
        """What `invoicing verify --json` ends with, and what it says: a finding a line."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "invoicing.ops.main", "verify", "--json"),
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    async def set_partitions(self, number: int, *topics: str) -> None:
        """Add partitions to events and commands, or to these topics; wait for our producer."""
        topics = topics or (self.topics.events, self.topics.commands)
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            for topic in topics:
                await admin.create_partitions({topic: NewPartitions(number)})
        finally:
            await admin.close()

        async def are_known() -> bool:
            await self.producer.client.force_metadata_update()
            known = [len(await self.producer.partitions_for(topic)) for topic in topics]
            return min(known) >= number

        await eventually(are_known, seconds=SEND_SECONDS_MAX)

    async def rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    @asynccontextmanager
    async def locked(self, table: str) -> AsyncIterator[None]:
        """Nobody else reads or writes the table while the block runs."""
        connection = await asyncpg.connect(self.dsn)
        try:
            async with connection.transaction():
                await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                yield
        finally:
            await connection.close()

    @property
    def environment(self) -> dict[str, str]:
        """The settings of its workers."""
        settings = {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "KAFKA_TRANSACTIONS": "on" if self.transactions else "off",
            "POSTGRES_DSN": self.dsn,
            "CONSUMER_GROUP": self.topics.group,
            "SESSION_TIMEOUT_SECONDS": str(SESSION_TIMEOUT_SECONDS),
            "TOPIC_COMMANDS": self.topics.commands,
            "TOPIC_EVENTS": self.topics.events,
            "TOPIC_REPLIES": self.topics.replies,
            "TOPIC_DEAD_LETTER": self.topics.dead_letter,
            "METRICS_HOST": "127.0.0.1",
            "LOG_FORMAT": "json",
        }
        return {f"INVOICING_{name}": value for name, value in settings.items()}


@asynccontextmanager
async def running_service(
    bootstrap: str,
    dsn: str,
    topics: Topics,
    directory: Path,
    *,
    transactions: bool = True,
    tails: bool = True,
) -> AsyncIterator[Service]:
    """A service without workers yet. What it started ends with the block.

    `tails` follow its topics, and cost a processor's time while they do.
    """
    async with AsyncExitStack() as stack:
        followed = [Tail(topic) for topic in (topics.events, topics.replies, topics.dead_letter)]
        for tail in followed if tails else ():
            await stack.enter_async_context(following(tail, bootstrap, topics.partitions))
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            enable_idempotence=True,
            linger_ms=5,
            request_timeout_ms=SEND_SECONDS_MAX * 1000,
        )
        await producer.start()
        stack.push_async_callback(producer.stop)
        service = Service(
            bootstrap, dsn, topics, transactions, *followed, producer, directory, workers=[]
        )
        try:
            yield service
        finally:
            for worker in service.workers:
                worker.close()
