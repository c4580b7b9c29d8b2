"""Reading, fenced: a client of one seller reads as a role that Postgres shows that seller only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from asyncpg.pool import PoolConnectionProxy

from api.tokens import Client
from invoicing.history import READER_ROLE
from runtime.postgres import Pool, open_pool
from runtime.settings import Settings

SELLER_READER_ROLE: Final = "invoicing_seller_reader"

# Ended by the RESET ALL after each loan.
SEE_SELLER: Final = """
SELECT set_config('invoicing.seller_id', $1, false), set_config('invoicing.source', $2, false)
"""


class Database:
    """The read side's only way to Postgres."""

    def __init__(self, everything: Pool, of_seller: Pool) -> None:
        self.everything = everything
        self._of_seller = of_seller

    @asynccontextmanager
    async def reading(self, client: Client) -> AsyncIterator[PoolConnectionProxy]:
        """A connection that sees what the client may see."""
        if client.sees_all:
            async with self.everything.acquire() as connection:
                yield connection
        else:
            async with self._of_seller.acquire() as connection:
                await connection.execute(SEE_SELLER, client.seller_id, client.id)
                yield connection


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database while the block runs."""
    # What a list asks for differs so much that a plan for all of it is a bad one for most.
    planned = {"plan_cache_mode": "force_custom_plan"}
    everything = await open_pool(settings, READER_ROLE, **planned)
    of_seller = await open_pool(
        settings, SELLER_READER_ROLE, search_path='invoicing_of_seller, "$user", public', **planned
    )
    try:
        yield Database(everything, of_seller)
    finally:
        everything.terminate()
        of_seller.terminate()
