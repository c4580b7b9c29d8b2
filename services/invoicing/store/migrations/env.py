"""How Alembic reaches the database: over asyncpg, by the same address as the worker."""

import asyncio

import asyncpg
from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

# Two migrators at once take turns. Any number that nothing else uses.
MIGRATION_LOCK = 7_203_114_589_122_337
# Well below a worker's own lock timeout: workers are slowed for a moment only.
LOCK_TIMEOUT_SECONDS = 2


def run(connection: Connection) -> None:
    context.configure(connection=connection, transactional_ddl=True)
    with context.begin_transaction():
        connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        # While a migration waits for a table, every later query of that table waits behind it.
        # Waiting for another migration, above, delays no query.
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
        context.run_migrations()


async def run_online() -> None:
    dsn = context.config.attributes["dsn"]

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(dsn)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
            await connection.commit()
    finally:
        await engine.dispose()


asyncio.run(run_online())
