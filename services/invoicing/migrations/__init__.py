"""The Postgres schema, as migrations. Each release expands first and contracts in a later one."""

import asyncio
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config

HERE = Path(__file__).parent


def configuration(dsn: str) -> Config:
    """Alembic's settings for the database at `dsn` (as asyncpg takes it)."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("path_separator", "os")
    config.attributes["dsn"] = dsn
    return config


def migrate(dsn: str, revision: str = "head") -> None:
    """Bring the database at `dsn` up to `revision`. Safe to run twice and side by side.

    It runs an event loop of its own, so call it from a thread where one runs already.
    """
    command.upgrade(configuration(dsn), revision)


def current_revision(dsn: str) -> str | None:
    """The revision that the database at `dsn` is at; None where nothing was ever migrated."""
    return asyncio.run(_current_revision(dsn))


async def _current_revision(dsn: str) -> str | None:
    connection = await asyncpg.connect(dsn)
    try:
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return None
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        return revision
    finally:
        await connection.close()
