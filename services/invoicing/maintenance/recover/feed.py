"""Recover the feed of all events after a dump was restored into another cluster.

The feed is ordered by the transaction that stored an event, and shows those below the transactions
that may still be running. Each cluster numbers its transactions from its own start, so events from
a cluster that has counted further are in the future and hidden. All events are moved to the start.
"""

from typing import Final

import asyncpg

from invoicing.maintenance.database import FEED_HIDDEN
from invoicing.maintenance.recover.preconditions import check_quiet
from invoicing.runtime.settings import Settings

# Within a transaction the feed is ordered by position, so the order stays. Nothing else in an event
# ever changes, which the trigger enforces.
MOVE_TO_START: Final = """
LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE;
ALTER TABLE events DISABLE TRIGGER events_append_only;
UPDATE events SET transaction_id = '0';
ALTER TABLE events ENABLE TRIGGER events_append_only;
"""


async def recover_feed(settings: Settings) -> int:
    """Show events whose transactions are later than any that this cluster has begun.

    Returns how many were hidden; if none were, nothing is changed. The DSN's user must own the
    tables. Raises `RecoveryError` while workers run.
    """
    await check_quiet(settings)
    connection = await asyncpg.connect(settings.dsn)
    try:
        async with connection.transaction():
            hidden: int = await connection.fetchval(FEED_HIDDEN)
            if hidden:
                await connection.execute(MOVE_TO_START)
    finally:
        await connection.close()
    return hidden
