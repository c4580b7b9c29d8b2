"""Health probes: whether Kafka and Postgres answer right now."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg
import structlog
from aiokafka.admin import AIOKafkaAdminClient

from invoicing.runtime import metrics
from invoicing.runtime.kafka.connect import client_options
from invoicing.runtime.process import background
from invoicing.runtime.retry import describe
from invoicing.runtime.settings import Settings

PING_SECONDS_MAX: Final = 2.0
PING_INTERVAL_SECONDS: Final = 1.0

log = structlog.get_logger()


class HealthProbe:
    """Pings one dependency until cancelled; `is_up` is the outcome of the last ping."""

    def __init__(self, name: str, ping: Callable[[], Awaitable[None]]) -> None:
        self.is_up = False
        self._was_pinged = False
        self._name = name
        self._ping = ping

    async def run(self) -> None:
        """Ping forever, and log the first outcome and every change."""
        while True:
            error: Exception | None = None
            try:
                async with asyncio.timeout(PING_SECONDS_MAX):
                    await self._ping()
            except Exception as caught:  # noqa: BLE001 (whatever it is, the dependency is not up)
                error = caught
            is_news = not self._was_pinged or self.is_up != (error is None)
            self.is_up, self._was_pinged = error is None, True
            metrics.DEPENDENCY_UP.labels(dependency=self._name).set(self.is_up)
            if is_news and error is None:
                log.info("dependency_up", dependency=self._name)
            elif is_news and error is not None:
                log.warning("dependency_down", dependency=self._name, error=describe(error))
            await asyncio.sleep(PING_INTERVAL_SECONDS)


@asynccontextmanager
async def running_probes(probes: Mapping[str, HealthProbe]) -> AsyncIterator[None]:
    """Run the probes while the block runs."""
    async with background(*(probe.run() for probe in probes.values())):
        yield


def kafka_ping(settings: Settings) -> Callable[[], Awaitable[None]]:
    """A ping that asks a broker about the commands topic, over its own connection."""
    clients: list[AIOKafkaAdminClient] = []

    async def ping() -> None:
        try:
            if not clients:
                clients.append(AIOKafkaAdminClient(**client_options(settings)))
                await clients[0].start()
            await clients[0].describe_topics([settings.topic_commands])
        except BaseException:
            while clients:
                with suppress(Exception):
                    await clients.pop().close()
            raise

    return ping


def postgres_ping(settings: Settings) -> Callable[[], Awaitable[None]]:
    """A ping over its own connection, since a busy pool is no outage."""
    connections: list[asyncpg.Connection] = []

    async def ping() -> None:
        try:
            if not connections:
                dsn = settings.dsn
                connections.append(await asyncpg.connect(dsn, timeout=PING_SECONDS_MAX))
            await connections[0].execute("SELECT 1")
        except BaseException:
            while connections:
                connections.pop().terminate()
            raise

    return ping
