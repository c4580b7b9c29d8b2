"""How we reach Postgres: a pool whose sessions cannot outlive their welcome."""

from typing import Final

import asyncpg

from invoicing.runtime import metrics
from invoicing.runtime.settings import Settings

POOL_CONNECTIONS_MAX: Final = 10
CONNECT_SECONDS_MAX: Final = 5
# A worker that sleeps in a transaction holds up whoever takes over its lanes, until this ends it.
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
    """Connections that act as `role`. Opened as they are needed: Postgres may be away right now.

    `session` are settings of Postgres's own that hold for every session of the pool. What a loan
    changes of its session outlasts the loan; an open transaction does not.
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
        reset=_leave_as_it_is,
        connection_class=connection_class,
        server_settings={
            "application_name": "invoicing",
            "statement_timeout": f"{STATEMENT_SECONDS_MAX}s",
            "lock_timeout": f"{LOCK_SECONDS_MAX}s",
            "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS_MAX}s",
            **session,
        },
    )
    _show(pool, role)
    return pool


async def _leave_as_it_is(connection: asyncpg.Connection) -> None:
    """In place of asyncpg's RESET ALL, which is a round trip after each loan."""


def _show(pool: Pool, role: str) -> None:
    metrics.POOL_CONNECTIONS.labels(role).set_function(pool.get_size)
    metrics.POOL_IDLE.labels(role).set_function(pool.get_idle_size)
    # asyncpg tells of it nowhere, and this is what shows first that the pool is too small.
    waiting = pool._queue._getters  # type: ignore[attr-defined]
    metrics.POOL_WAITING.labels(role).set_function(lambda: len(waiting))
