"""The Postgres schema, as migrations: `versions/NNNN_what.sql`, applied in order of number.

Each release expands first and contracts in a later one, so that the last release's workers run on.
"""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import asyncpg
import structlog
from alembic import op
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script, ScriptDirectory
from tenacity import Retrying, retry_if_exception_type, stop_before_delay, wait_random

from invoicing.runtime.errors import OperatorError

HERE = Path(__file__).parent
VERSIONS: Final = HERE / "versions"
PATIENCE_SECONDS: Final = 120.0
PAUSE_SECONDS_MAX: Final = 5.0

log = structlog.get_logger()


class MigrationBlockedError(OperatorError):
    """Another transaction holds a lock that a migration needs. The message says what to do."""


class _SqlScripts(ScriptDirectory):
    """Alembic's revisions, made from SQL files instead of Python modules."""

    def _load_revisions(self) -> Iterator[Script]:
        previous = None
        for path in sorted(VERSIONS.glob("*.sql")):
            revision, _, _ = path.name.partition("_")
            module: Any = ModuleType(path.stem)
            module.revision, module.down_revision = revision, previous
            module.upgrade = partial(_run_sql_file, path)
            yield Script(module, revision, path)
            previous = revision


def _run_sql_file(path: Path) -> None:
    adapted = op.get_bind().connection.dbapi_connection
    assert adapted is not None
    # Past SQLAlchemy, which prepares what it runs: a prepared statement is a single one.
    adapted.run_async(lambda connection: connection.execute(path.read_text()))


def _configuration(dsn: str) -> Config:
    """Alembic's settings for the database at `dsn` (as asyncpg takes it)."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("path_separator", "os")
    config.attributes["dsn"] = dsn
    return config


def migrate(dsn: str, revision: str = "head", patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Bring the database at `dsn` up to `revision`. Safe to run twice and side by side.

    It waits only briefly for a lock, since all later queries wait behind it; then it lets them
    through and tries again. Raises `MigrationBlockedError` when `patience_seconds` are over, and
    nothing is changed then. It runs an event loop of its own: beside one, call it from a thread.
    """
    config = _configuration(dsn)
    scripts = _SqlScripts(str(HERE))

    def pending(current: Any, _: object) -> Any:
        return scripts._upgrade_revs(revision, current)

    def upgrade() -> None:
        with EnvironmentContext(config, scripts, fn=pending, destination_rev=revision):
            scripts.run_env()

    retrying = Retrying(
        retry=retry_if_exception_type(asyncpg.LockNotAvailableError),
        wait=wait_random(PAUSE_SECONDS_MAX / 5, PAUSE_SECONDS_MAX),
        stop=stop_before_delay(patience_seconds),
        before_sleep=lambda _: log.warning("migration_blocked"),
        reraise=True,
    )
    try:
        retrying(upgrade)
    except asyncpg.LockNotAvailableError:
        raise MigrationBlockedError(
            f"Other transactions have held locks on the tables for {patience_seconds:g} seconds."
            " Nothing was changed. pg_stat_activity shows the open transactions; run it again when"
            " they are over."
        ) from None


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
