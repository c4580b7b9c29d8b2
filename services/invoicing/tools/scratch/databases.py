"""A database for each test or run, copied from one that was migrated once."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from invoicing.store.migrations import migrate


class Databases:
    """Fresh databases on the server at `server_dsn`, each with the newest schema and no rows."""

    def __init__(self, server_dsn: str, template: str) -> None:
        self._server_dsn = server_dsn
        self._template = template

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[str]:
        """The DSN of a database that goes with the block."""
        name = _unique_name()
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        try:
            yield _with_database(self._server_dsn, name)
        finally:
            await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        await _execute(self._server_dsn, statement)


@asynccontextmanager
async def unmigrated_database(server_dsn: str) -> AsyncIterator[str]:
    """The DSN of a database without a schema; it goes with the block."""
    name = _unique_name()
    await _execute(server_dsn, f"CREATE DATABASE {name}")
    try:
        yield _with_database(server_dsn, name)
    finally:
        await _execute(server_dsn, f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def migrated_databases(server_dsn: str) -> AsyncIterator[Databases]:
    """Databases on the server at `server_dsn`; their template goes with the block."""
    async with unmigrated_database(server_dsn) as dsn:
        await asyncio.to_thread(migrate, dsn)
        yield Databases(server_dsn, template=urlsplit(dsn).path.removeprefix("/"))


def _unique_name() -> str:
    return f"invoicing_{uuid.uuid4().hex}"


def _with_database(dsn: str, name: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
