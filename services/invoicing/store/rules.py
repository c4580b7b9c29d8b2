"""The rules that a session writes by, so that the database can refuse older releases.

Every writer's session sets `invoicing.rules`. The first event of a type that the first releases do
not know stores `RULES` in the table `event_rules`, and the first entry with a row of its own stores
`ENTRY_RULES`. From then on, triggers refuse the writes of a session with lower rules: the worker of
an older release would take such an invoice for another.
"""

from collections.abc import Iterable
from typing import Final

import asyncpg

from invoicing.domain.restatement import RULES

ENTRY_RULES: Final = 3
"""With these, some invoices have entries that their snapshots do not contain."""

SESSION: Final = {"invoicing.rules": str(ENTRY_RULES)}
"""Settings of every session that writes events."""

KNOWN_TO_FIRST_RELEASES: Final = frozenset(
    f"invoice.{name}"
    for name in (
        "created", "updated", "deleted", "opened", "unposted", "voided", "cancelled", "reversed",
        "written_off", "payment_requested", "payment_recorded", "payment_settled", "payment_failed",
        "paid", "overpaid", "payment_refunded", "credited", "source_attached", "source_detached",
        "archived", "restored", "send_requested", "sent", "send_failed", "overdue",
    )
)  # fmt: skip

_REQUIRE: Final = "INSERT INTO event_rules (rules) VALUES ($1) ON CONFLICT DO NOTHING"


def need_these_rules(event_types: Iterable[str]) -> bool:
    """Whether the first releases do not know one of these types of events."""
    return not KNOWN_TO_FIRST_RELEASES.issuperset(event_types)


async def require_these_rules(
    connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy,
) -> None:
    """Keep older releases from writing, once the transaction commits."""
    await connection.execute(_REQUIRE, RULES)


async def require_entry_rules(
    connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy,
) -> None:
    """The same, for releases that know snapshots with all entries in them only."""
    await connection.execute(_REQUIRE, ENTRY_RULES)
