"""A backup of a database, and the restore of it: a copy as it is at one moment."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg


@asynccontextmanager
async def backup_of(dsn: str) -> AsyncIterator[str]:
    """The DSN of a copy that goes with the block. Ends the sessions of the database."""
    copied, copy = urlsplit(dsn).path.removeprefix("/"), f"backup_{uuid.uuid4().hex}"
    server = await asyncpg.connect(_on_database(dsn, "postgres"))
    try:
        await server.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{copied}'"
        )
        await server.execute(f"CREATE DATABASE {copy} TEMPLATE {copied}")
        yield _on_database(dsn, copy)
        await server.execute(f"DROP DATABASE {copy} WITH (FORCE)")
    finally:
        await server.close()


async def fail_over(dsn: str, standby: str) -> None:
    """Let the standby take the database's place: whoever was connected finds it by the same name.

    The lost one is then to be found at the standby's.
    """
    name, other = (urlsplit(each).path.removeprefix("/") for each in (dsn, standby))
    server = await asyncpg.connect(_on_database(dsn, "postgres"))
    try:
        await server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await server.execute(
            f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            f" WHERE datname = '{name}'"
        )
        for old, new in ((name, f"{name}_lost"), (other, name), (f"{name}_lost", other)):
            await server.execute(f"ALTER DATABASE {old} RENAME TO {new}")
    finally:
        await server.close()


def _on_database(dsn: str, name: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))
