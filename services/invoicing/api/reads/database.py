"""Row-level security: a single-seller client reads through a role that sees only that seller."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, cast

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from invoicing.api.auth.tokens import Client
from invoicing.runtime.postgres import Pool, open_pool
from invoicing.runtime.settings import Settings
from invoicing.store.history import READER_ROLE

SELLER_READER_ROLE: Final = "invoicing_seller_reader"

# The filters of lists differ so much that a generic plan is bad for most of them.
PLANNED: Final = "force_custom_plan"
# Beyond this wait, a 503 with Retry-After serves the client better.
LOAN_SECONDS_MAX: Final = 5.0

SEE_SELLER: Final = """
SELECT set_config('invoicing.seller_id', $1, false), set_config('invoicing.source', $2, false)
"""


class FencedConnection(asyncpg.Connection):
    """A connection that sees the seller of one client at a time."""

    _shows: tuple[str, str] | None = None

    async def show_to(self, client: Client) -> None:
        """Restrict the connection to the client's seller; a round trip only if that changes."""
        wanted = (client.seller_id, client.id)
        if self._shows != wanted:
            self._shows = None
            await self.execute(SEE_SELLER, *wanted)
            self._shows = wanted


class Database:
    """The read side's access to Postgres."""

    def __init__(self, everything: Pool, of_seller: Pool) -> None:
        self.everything = everything
        self._of_seller = of_seller

    @asynccontextmanager
    async def reading(self, client: Client) -> AsyncIterator[PoolConnectionProxy]:
        """A connection restricted to what the client may see."""
        if client.sees_all:
            async with self.everything.acquire(timeout=LOAN_SECONDS_MAX) as connection:
                yield connection
        else:
            async with self._of_seller.acquire(timeout=LOAN_SECONDS_MAX) as connection:
                # The pool's proxy delegates unknown attributes to the connection.
                await cast("FencedConnection", connection).show_to(client)
                yield connection


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The connection pools, closed at the end of the block."""
    everything = await open_pool(settings, READER_ROLE, plan_cache_mode=PLANNED)
    of_seller = await open_pool(
        settings,
        SELLER_READER_ROLE,
        FencedConnection,
        plan_cache_mode=PLANNED,
        search_path='invoicing_of_seller, "$user", public',
    )
    try:
        yield Database(everything, of_seller)
    finally:
        everything.terminate()
        of_seller.terminate()
