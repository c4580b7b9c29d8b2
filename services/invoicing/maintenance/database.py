"""Read Postgres at one moment, without time limits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from invoicing.maintenance.topics import HighWatermarks
from invoicing.runtime.settings import Settings
from invoicing.store.errors import check_schema
from invoicing.store.history import READER_ROLE
from invoicing.store.postgres import LOAD_ROUTING_PARTITIONS

LANES: Final = """
SELECT "partition", next_offset FROM lanes WHERE consumer_group = $1 AND topic = $2
"""

# Readers of the feed see the transactions below those that may still be running.
FEED_HIDDEN: Final = """
SELECT count(*) FROM events WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot())
"""


@asynccontextmanager
async def snapshot(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A connection on which every query sees the same moment. Raises `SchemaError`."""
    connection = await asyncpg.connect(
        settings.dsn, server_settings={"application_name": "invoicing-verify"}
    )
    try:
        await check_schema(connection)
        await connection.execute(f"SET ROLE {READER_ROLE}")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection
    finally:
        await connection.close()


async def routing_partitions(settings: Settings, watermarks: HighWatermarks) -> int:
    """How many partitions invoices are routed to: all of them until a worker has pinned the number.

    Raises `SchemaError`.
    """
    async with snapshot(settings) as connection:
        topic = settings.topic_commands
        pinned: int | None = await connection.fetchval(LOAD_ROUTING_PARTITIONS, topic)
        return pinned or watermarks.partitions(topic)


async def checkpoints(connection: asyncpg.Connection, settings: Settings) -> dict[int, int]:
    """The next offset of each lane, as the database has it."""
    rows = await connection.fetch(LANES, settings.consumer_group, settings.topic_commands)
    return {row["partition"]: row["next_offset"] for row in rows}
