"""Whether Kafka and Postgres answer right now, asked again and again beside the work."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

import asyncpg
import structlog
from aiokafka.admin import AIOKafkaAdminClient

from invoicing.runtime import metrics
from invoicing.runtime.kafka.connect import client_options
from invoicing.runtime.retry import describe
from invoicing.runtime.settings import Settings

PING_SECONDS_MAX: Final = 2.0
PING_INTERVAL_SECONDS: Final = 1.0

log = structlog.get_logger()


class HealthProbe:
    """Pings one dependency until cancelled; `is_up` is what the last ping said."""

    def __init__(self, name: str, ping: Callable[[], Awaitable[None]]) -> None:
        self.is_up = False
        self._name = name
        self._ping = ping

    async def run(self) -> None:
        """Ping for ever, and say when the answer changes."""
        error: BaseException | None = None
        while True:
            try:
                async with asyncio.timeout(PING_SECONDS_MAX):
                    await self._ping()
                error = None
            except Exception as caught:  # noqa: BLE001 (however it fails, it does not answer)
                error = caught
            self._note(error)
            await asyncio.sleep(PING_INTERVAL_SECONDS)

    def _note(self, error: BaseException | None) -> None:
        was_up, self.is_up = self.is_up, error is None
        metrics.DEPENDENCY_UP.labels(dependency=self._name).set(self.is_up)
        if self.is_up and not was_up:
            log.info("dependency_up", dependency=self._name)
        elif error is not None and was_up:
            log.warning("dependency_down", dependency=self._name, error=describe(error))


def kafka_ping(settings: Settings) -> Callable[[], Awaitable[None]]:
    """A ping that asks a broker about our topics, over a connection of its own."""
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
    """A ping over a connection of its own: the pool may be busy and well."""
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


def unready(probes: Mapping[str, bool]) -> list[str]:
    """The names of what is not as it must be."""
    return [name for name, is_well in probes.items() if not is_well]
