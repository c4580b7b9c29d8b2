"""The Postgres schema, as migrations. Each release expands first and contracts in a later one."""

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg
import structlog
from alembic import command
from alembic.config import Config

HERE = Path(__file__).parent
PATIENCE_SECONDS: Final = 120.0
PAUSE_SECONDS_MAX: Final = 5.0

log = structlog.get_logger()


class MigrationBlockedError(Exception):
    """Somebody holds a lock that a migration needs. The message says what to do."""


def configuration(dsn: str) -> Config:
    """Alembic's settings for the database at `dsn` (as asyncpg takes it)."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("path_separator", "os")
    config.attributes["dsn"] = dsn
    return config


def migrate(dsn: str, revision: str = "head", patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Bring the database at `dsn` up to `revision`. Safe to run twice and side by side.

    It waits for a lock for a short while only, since everybody else waits behind it; then it lets
    them pass and tries again. Raises `MigrationBlockedError` when that has not helped for so long;
    nothing is changed then. It runs an event loop of its own, so call it from a thread where one
    runs already.
    """
    for _ in _tries(patience_seconds):
        try:
            return command.upgrade(configuration(dsn), revision)
        except asyncpg.LockNotAvailableError:
            log.warning("migration_blocked")
    raise MigrationBlockedError(
        f"Others have held locks on the tables for {patience_seconds:g} seconds. Nothing was"
        " changed. pg_stat_activity shows whose transactions are open; run it again when they are"
        " over."
    )


def _tries(patience_seconds: float) -> Iterator[None]:
    """Again and again until the time is over, with pauses in which others get through."""
    ends_at = time.monotonic() + patience_seconds
    while True:
        yield
        pause = random.uniform(0.2, 1.0) * PAUSE_SECONDS_MAX  # noqa: S311
        if time.monotonic() + pause > ends_at:
            return
        time.sleep(pause)


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
