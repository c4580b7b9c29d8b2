"""The feed of all events, after a dump of them was restored into another cluster.

The feed goes by the transactions that events were stored in, below those that may still run. A
cluster's own transactions count from its own beginning: of a cluster that has counted further, the
events lie in its future, and no reader sees them. So all of them are put before its first.
"""

from typing import Final

import asyncpg

from invoicing.maintenance.database import FEED_HIDDEN
from invoicing.maintenance.recover.preconditions import check_quiet
from invoicing.runtime.settings import Settings

# By position they keep their order. Nothing else of an event may ever change, hence the trigger.
PUT_BEFORE: Final = """
LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE;
ALTER TABLE events DISABLE TRIGGER events_append_only;
UPDATE events SET transaction_id = '0';
ALTER TABLE events ENABLE TRIGGER events_append_only;
"""


async def recover_feed(settings: Settings) -> int:
    """Make events visible that are of later transactions than this cluster has begun.

    Returns how many there were; without any, nothing is changed. The DSN's user must own the
    tables. Raises `RecoveryError` while workers run.
    """
    await check_quiet(settings)
    connection = await asyncpg.connect(settings.dsn)
    try:
        async with connection.transaction():
            hidden: int = await connection.fetchval(FEED_HIDDEN)
            if hidden:
                await connection.execute(PUT_BEFORE)
    finally:
        await connection.close()
    return hidden
