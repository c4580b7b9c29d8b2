"""The shadow compared with the current state, and the rows that differ swapped."""

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
from invoicing.store.rules import ENTRY_RULES

LOCK_SECONDS_MAX: Final = 5
LOCK_TRIES_MAX: Final = 6

# One of $1 equal shares of the invoices: number $2.
_SHARE: Final = "abs(hashtext({id})::bigint) % $1 = $2"

# The shadow may be ahead of the position, but never behind it.
WRONG_IN_SHADOW: Final = f"""
SELECT stored.invoice_id, stored.last, coalesce(shadow.version, 0) AS found
FROM (
    SELECT invoice_id, max(version) AS last FROM events
    WHERE {_SHARE.format(id="invoice_id")} GROUP BY invoice_id
) AS stored
LEFT JOIN {SHADOW}.invoices AS shadow ON shadow.id = stored.invoice_id
WHERE coalesce(shadow.version, 0) < stored.last AND EXISTS (
    SELECT FROM events WHERE events.invoice_id = stored.invoice_id
        AND events.version > coalesce(shadow.version, 0) AND events.position <= $3)
LIMIT 5
"""  # noqa: S608 (constants of ours, here and below)

# An INSERT runs in one process. Parallel workers need shared memory, and a container has little.
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
UNION
SELECT coalesce(old.invoice_id, new.invoice_id)
FROM (SELECT * FROM invoice_entries WHERE {_SHARE.format(id="invoice_id")}) AS old
FULL JOIN (SELECT * FROM {SHADOW}.invoice_entries WHERE {_SHARE.format(id="invoice_id")}) AS new
    USING (invoice_id, kind, id)
WHERE old IS DISTINCT FROM new
"""  # noqa: S608

RECORD_DIFFERING: Final = f"""
INSERT INTO {SHADOW}.differing SELECT unnest($1::text[]) ON CONFLICT DO NOTHING
"""

# Checked again under the lock: a row must never be replaced by an older one.
WRONG_IN_DIFFERING: Final = f"""
SELECT differing.id, stored.last, coalesce(shadow.version, 0) AS found
FROM {SHADOW}.differing AS differing
CROSS JOIN LATERAL (
    SELECT max(version) AS last FROM events WHERE invoice_id = differing.id
) AS stored
LEFT JOIN {SHADOW}.invoices AS shadow ON shadow.id = differing.id
WHERE coalesce(shadow.version, 0) < stored.last
LIMIT 5
"""  # noqa: S608

# Deleted and inserted, not updated: rows that swap numbers would violate the unique index.
SWAP: Final = f"""
DELETE FROM {SHADOW}.differing AS differing
USING invoices AS old, {SHADOW}.invoices AS new, invoice_labels AS old_labels,
      {SHADOW}.invoice_labels AS new_labels
WHERE old.id = differing.id AND new.id = differing.id AND old = new
  AND old_labels.invoice_id = differing.id AND new_labels.invoice_id = differing.id
  AND old_labels.labels @> new_labels.labels AND old_labels.labels <@ new_labels.labels
  AND NOT EXISTS (
      SELECT FROM (SELECT * FROM invoice_entries WHERE invoice_id = differing.id) AS old_entry
      FULL JOIN (
          SELECT * FROM {SHADOW}.invoice_entries WHERE invoice_id = differing.id
      ) AS new_entry USING (invoice_id, kind, id)
      WHERE old_entry IS DISTINCT FROM new_entry);
DELETE FROM invoices USING {SHADOW}.differing AS differing WHERE invoices.id = differing.id;
DELETE FROM invoice_labels USING {SHADOW}.differing AS differing WHERE invoice_id = differing.id;
DELETE FROM invoice_entries USING {SHADOW}.differing AS differing WHERE invoice_id = differing.id;
INSERT INTO invoices SELECT new.* FROM {SHADOW}.invoices AS new
JOIN {SHADOW}.differing USING (id);
INSERT INTO invoice_labels SELECT new.* FROM {SHADOW}.invoice_labels AS new
JOIN {SHADOW}.differing AS differing ON differing.id = invoice_id;
INSERT INTO invoice_entries SELECT new.* FROM {SHADOW}.invoice_entries AS new
JOIN {SHADOW}.differing AS differing ON differing.id = invoice_id;
INSERT INTO event_rules (rules) SELECT {ENTRY_RULES} WHERE EXISTS (SELECT FROM invoice_entries)
ON CONFLICT DO NOTHING;
"""  # noqa: S608

COUNT_DIFFERING: Final = f"SELECT count(*) FROM {SHADOW}.differing"  # noqa: S608


async def compare(connection: asyncpg.Connection, dsn: str, shares: int) -> None:
    """Check that the shadow is complete, and record what differs, in parallel shares."""
    position = await caught_up_to(connection)
    await connection.execute(f"TRUNCATE {SHADOW}.differing")

    async def compare_share(share: int) -> Sequence[asyncpg.Record]:
        own = await connect(dsn)
        try:
            wrong = await own.fetch(WRONG_IN_SHADOW, shares, share, position)
            if not wrong:
                await own.execute(FIND_DIFFERING, shares, share)
        finally:
            await own.close()
        return wrong

    wrong = await asyncio.gather(*map(compare_share, range(shares)))
    _require_none(chain.from_iterable(wrong))


def _require_none(wrong: Iterable[asyncpg.Record]) -> None:
    missing = ", ".join(f"{id_}: {found} of {last} versions" for id_, last, found in wrong)
    if missing:
        raise ShadowIncompleteError(
            f"The shadow is incomplete ({missing}). Nothing was changed. Run it again: it starts"
            " from the beginning."
        )


async def swap(connection: asyncpg.Connection) -> int:
    """Swap the rows that differ, in one transaction; returns the number of invoices."""
    for tries_left in reversed(range(LOCK_TRIES_MAX)):
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS_MAX}s'")
                # Readers continue; writers wait, since they lock the events first as well.
                await connection.execute("LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE")
                changed = await replay_changed(connection, await caught_up_to(connection))
                await connection.execute(RECORD_DIFFERING, changed)
                _require_none(await connection.fetch(WRONG_IN_DIFFERING))
                await connection.execute(SWAP)
                differed: int = await connection.fetchval(COUNT_DIFFERING)
                return differed
        except asyncpg.LockNotAvailableError:
            # Writers queue behind our lock request: withdraw it, so that they can continue first.
            if not tries_left:
                raise RebuildError(
                    "Another transaction holds the events table, and the rows could not be swapped."
                    " Nothing was changed. Run it again to resume from here."
                ) from None
    raise AssertionError("unreachable")
