"""The shadow compared with what is there, and the rows that differ swapped in."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

import asyncpg

from invoicing.maintenance.rebuild.replay import replay_changed
from invoicing.maintenance.rebuild.shadow import (
    SHADOW,
    RebuildError,
    ShadowIncompleteError,
    caught_up_to,
    connect,
)

LOCK_SECONDS_MAX: Final = 5
LOCK_TRIES_MAX: Final = 6

# Of so many shares of the invoices, this one.
_SHARE: Final = "abs(hashtext({id})::bigint) % $1 = $2"

# The shadow may be ahead of the position, never behind it.
WRONG_IN_SHADOW: Final = f"""
SELECT told.invoice_id, told.last, coalesce(shadow.version, 0) AS found
FROM (
    SELECT invoice_id, max(version) AS last FROM events
    WHERE {_SHARE.format(id="invoice_id")} GROUP BY invoice_id
) AS told
LEFT JOIN {SHADOW}.invoices AS shadow ON shadow.id = told.invoice_id
WHERE coalesce(shadow.version, 0) < told.last AND EXISTS (
    SELECT FROM events WHERE events.invoice_id = told.invoice_id
        AND events.version > coalesce(shadow.version, 0) AND events.position <= $3)
LIMIT 5
"""  # noqa: S608 (constants of ours, here and below)

# An INSERT, for which Postgres takes one process: several would share memory, and a container has
# little of that.
FIND_DIFFERING: Final = f"""
INSERT INTO {SHADOW}.differing (id)
SELECT coalesce(old.id, new.id)
FROM (SELECT * FROM invoices WHERE {_SHARE.format(id="id")}) AS old
FULL JOIN (SELECT * FROM {SHADOW}.invoices WHERE {_SHARE.format(id="id")}) AS new
    ON new.id = old.id
WHERE old IS DISTINCT FROM new
UNION
SELECT coalesce(old.invoice_id, new.invoice_id)
FROM (SELECT * FROM invoice_labels WHERE {_SHARE.format(id="invoice_id")}) AS old
FULL JOIN (SELECT * FROM {SHADOW}.invoice_labels WHERE {_SHARE.format(id="invoice_id")}) AS new
    ON new.invoice_id = old.invoice_id
WHERE (old.labels @> new.labels AND old.labels <@ new.labels) IS NOT TRUE
"""  # noqa: S608

NOTE_DIFFERING: Final = f"""
INSERT INTO {SHADOW}.differing SELECT unnest($1::text[]) ON CONFLICT DO NOTHING
"""

# Once more, and under the lock: what is swapped in cannot be older than what it takes the place of.
WRONG_IN_DIFFERING: Final = f"""
SELECT differing.id, told.last, coalesce(shadow.version, 0) AS found
FROM {SHADOW}.differing AS differing
CROSS JOIN LATERAL (
    SELECT max(version) AS last FROM events WHERE invoice_id = differing.id
) AS told
LEFT JOIN {SHADOW}.invoices AS shadow ON shadow.id = differing.id
WHERE coalesce(shadow.version, 0) < told.last
LIMIT 5
"""  # noqa: S608

# Deleted and inserted, not updated: rows that have each other's numbers would get in their way.
SWAP: Final = f"""
DELETE FROM {SHADOW}.differing AS differing
USING invoices AS old, {SHADOW}.invoices AS new, invoice_labels AS old_labels,
      {SHADOW}.invoice_labels AS new_labels
WHERE old.id = differing.id AND new.id = differing.id AND old = new
  AND old_labels.invoice_id = differing.id AND new_labels.invoice_id = differing.id
  AND old_labels.labels @> new_labels.labels AND old_labels.labels <@ new_labels.labels;
DELETE FROM invoices USING {SHADOW}.differing AS differing WHERE invoices.id = differing.id;
DELETE FROM invoice_labels USING {SHADOW}.differing AS differing WHERE invoice_id = differing.id;
INSERT INTO invoices SELECT new.* FROM {SHADOW}.invoices AS new
JOIN {SHADOW}.differing USING (id);
INSERT INTO invoice_labels SELECT new.* FROM {SHADOW}.invoice_labels AS new
JOIN {SHADOW}.differing AS differing ON differing.id = invoice_id;
"""  # noqa: S608


async def compare(connection: asyncpg.Connection, dsn: str, shares: int) -> None:
    """Check that the shadow is complete, and note what differs: so many shares at once."""
    position = await caught_up_to(connection)
    await connection.execute(f"TRUNCATE {SHADOW}.differing")
    wrong = await asyncio.gather(
        *(_compare_share(dsn, shares, one, position) for one in range(shares))
    )
    _require_none(chain.from_iterable(wrong))


async def _compare_share(
    dsn: str, shares: int, share: int, position: int
) -> Sequence[asyncpg.Record]:
    """Note what differs in this share; returns what is wrong in the shadow, of which nothing is."""
    connection = await connect(dsn)
    try:
        wrong = await connection.fetch(WRONG_IN_SHADOW, shares, share, position)
        if not wrong:
            await connection.execute(FIND_DIFFERING, shares, share)
        return wrong
    finally:
        await connection.close()


def _require_none(wrong: Iterable[asyncpg.Record]) -> None:
    told = ", ".join(f"{id_}: {found} of {last} versions" for id_, last, found in wrong)
    if told:
        raise ShadowIncompleteError(
            f"The shadow is not complete ({told}). Nothing was changed; run it again, and it"
            " starts anew."
        )


async def swap(connection: asyncpg.Connection) -> int:
    """Swap the rows that differ, in one transaction; returns of how many invoices."""
    for tries_left in reversed(range(LOCK_TRIES_MAX)):
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS_MAX}s'")
                return await _swap_locked(connection)
        except asyncpg.LockNotAvailableError:
            # Writers wait behind us while we wait, so we step back and let them go on first.
            if not tries_left:
                raise RebuildError(
                    "Some transaction holds the events table, and the rows could not be swapped."
                    " Nothing was changed; run it again to go on from here."
                ) from None
    raise AssertionError("unreachable")


async def _swap_locked(connection: asyncpg.Connection) -> int:
    # Readers go on; whoever appends waits. Writers lock the events first as well.
    await connection.execute("LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE")
    changed = await replay_changed(connection, await caught_up_to(connection))
    await connection.execute(NOTE_DIFFERING, changed)
    _require_none(await connection.fetch(WRONG_IN_DIFFERING))
    await connection.execute(SWAP)
    differed: int = await connection.fetchval(f"SELECT count(*) FROM {SHADOW}.differing")  # noqa: S608
    return differed
