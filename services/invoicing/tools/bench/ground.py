"""What contenders run on: Kafka and Postgres that are there, with topics and a database a run."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from invoicing.runtime.kafka.topics import create_topics, delete_topics
from invoicing.runtime.settings import Settings, read_settings
from invoicing.tools.scratch.databases import Databases, migrated_databases
from invoicing.tools.scratch.names import own_names

PARTITIONS: Final = 8

Report = Callable[[str], None]


@dataclass(frozen=True)
class Site:
    """A service's own topics and database. `settings` reach them, `chosen` is their environment."""

    chosen: Mapping[str, str]
    directory: Path

    @property
    def settings(self) -> Settings:
        """The settings, for what runs in this process."""
        return read_settings({}, **{name.lower(): value for name, value in self.chosen.items()})


@dataclass(frozen=True)
class Ground:
    """Makes sites, and passes on how the benchmark comes along."""

    databases: Databases
    directory: Path
    report: Report

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[Site]:
        """Empty topics and an empty database, both gone with the block."""
        async with self.databases.fresh() as dsn, self.on(dsn) as site:
            yield site

    @asynccontextmanager
    async def on(self, dsn: str) -> AsyncIterator[Site]:
        """Empty topics, gone with the block, beside a database that stays."""
        chosen = {
            **own_names("bench"),
            "TOPIC_PARTITIONS": str(PARTITIONS),
            "POSTGRES_DSN": dsn,
            # A contender is held while its commands are sent, and must keep its lanes.
            "SESSION_TIMEOUT_SECONDS": "60",
        }
        site = Site(chosen, self.directory)
        created = await create_topics(site.settings)
        try:
            yield site
        finally:
            await delete_topics(site.settings, created)


@asynccontextmanager
async def prepared(settings: Settings, report: Report) -> AsyncIterator[Ground]:
    """A ground on the servers that the settings name. What is on them is left alone.

    The DSN's user must be allowed to create databases and roles.
    """
    with TemporaryDirectory(prefix="invoicing-bench-") as directory:
        async with migrated_databases(settings.dsn) as databases:
            yield Ground(databases, Path(directory), report)
