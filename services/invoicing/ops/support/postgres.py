"""A connection to Postgres for tools, and its known failures."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import asyncpg

from invoicing.ops.support.failures import UnreachableError, forbidden
from invoicing.runtime.postgres import open_pool, usable_dsn
from invoicing.runtime.retry import describe
from invoicing.runtime.settings import Settings
from invoicing.store.errors import check_schema
from invoicing.store.history import READER_ROLE

_POSTGRES_UNREACHABLE: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
    """A read-only connection. Raises `SchemaError`."""
    pool = await open_pool(settings, READER_ROLE)
    try:
        await check_schema(pool)
        async with pool.acquire() as connection:
            yield connection
    finally:
        await pool.close()


@contextmanager
def reaching_postgres() -> Iterator[None]:
    """Turn errors of connecting to Postgres into `UnreachableError` or `ForbiddenError`."""
    with usable_dsn():
        try:
            yield
        except asyncpg.InsufficientPrivilegeError as error:
            raise forbidden("Postgres", error) from error
        except _POSTGRES_UNREACHABLE as error:
            raise UnreachableError(
                f"Postgres cannot be reached: {describe(error)}. Check INVOICING_POSTGRES_DSN."
            ) from error
