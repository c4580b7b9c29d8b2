"""Connections to Postgres: a pool whose sessions are bounded in time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from invoicing.runtime import metrics
from invoicing.runtime.settings import PREFIX, Settings, WrongSettingError

POOL_CONNECTIONS_MAX: Final = 10
CONNECT_SECONDS_MAX: Final = 5
# A worker that hangs inside a transaction blocks the next owner of its lanes until this ends it.
IDLE_IN_TRANSACTION_SECONDS_MAX: Final = 5
STATEMENT_SECONDS_MAX: Final = 20
LOCK_SECONDS_MAX: Final = 5

Pool = asyncpg.Pool


async def open_pool(
    settings: Settings,
    role: str,
    connection_class: type[asyncpg.Connection] = asyncpg.Connection,
    **session: str,
) -> Pool:
    """A pool of connections that act as `role`, opened on demand: Postgres may be down right now.

    `session` holds Postgres settings for every session of the pool. A session is not reset when its
    connection returns to the pool; an open transaction is rolled back.
    """

    async def act_as_role(connection: asyncpg.Connection) -> None:
        await connection.execute(f"SET ROLE {role}")

    pool = await asyncpg.create_pool(
        settings.dsn,
        min_size=0,
        max_size=POOL_CONNECTIONS_MAX,
        timeout=CONNECT_SECONDS_MAX,
        command_timeout=STATEMENT_SECONDS_MAX + 5,
        init=act_as_role,
        reset=_keep_session,
        connection_class=connection_class,
        server_settings={
            "application_name": "invoicing",
            "statement_timeout": f"{STATEMENT_SECONDS_MAX}s",
            "lock_timeout": f"{LOCK_SECONDS_MAX}s",
            "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS_MAX}s",
            **session,
        },
    )
    metrics.POOL_CONNECTIONS.labels(role).set_function(pool.get_size)
    metrics.POOL_IDLE.labels(role).set_function(pool.get_idle_size)
    # asyncpg does not expose it, and it is the first sign that the pool is too small.
    waiting = pool._queue._getters  # type: ignore[attr-defined]
    metrics.POOL_WAITING.labels(role).set_function(lambda: len(waiting))
    return pool


async def _keep_session(connection: asyncpg.Connection) -> None:
    """Instead of asyncpg's RESET ALL, a round trip each time a connection is returned."""


def is_refused_login(error: BaseException) -> bool:
    """Whether Postgres refuses our user, password or database: SQLSTATE class 28, and 3D000.

    https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    return isinstance(
        error, asyncpg.InvalidAuthorizationSpecificationError | asyncpg.InvalidCatalogNameError
    )


@contextmanager
def usable_dsn() -> Iterator[None]:
    """Raises `WrongSettingError` if asyncpg or Postgres refuse the DSN inside the block."""
    try:
        yield
    except asyncpg.ClientConfigurationError as error:
        raise WrongSettingError(f"{PREFIX}POSTGRES_DSN is wrong: {error}.") from None
    except asyncpg.PostgresError as error:
        if not is_refused_login(error):
            raise
        raise WrongSettingError(
            f"Postgres refuses the user or database of {PREFIX}POSTGRES_DSN: {error}."
        ) from None
