"""The service's store alone: events, answers and states of decided commands, batch by batch.

    python -m invoicing.tools.bench.contenders.own_store COMMANDS

Prints how many events it stored a second.
"""

import asyncio
import gc
import sys
from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import Final

import uvloop

from invoicing.domain.numbering import format_number
from invoicing.domain.sellers import Sellers
from invoicing.ops.support.console import print_line
from invoicing.runtime.settings import Settings, read_settings
from invoicing.store.postgres import PostgresStore, open_writer_pool
from invoicing.store.rows import WriteBatch
from invoicing.tools.bench.decided import decided
from invoicing.tools.bench.load import mixed

LANES: Final = 4
BATCH: Final = 500


def prepared(number: int) -> list[list[WriteBatch]]:
    """What each lane has to store."""
    return [
        # A seller each: what was decided in memory has the numbers that the store will give again.
        decided(mixed(number // LANES, seed=lane, seller=f"seller_{lane}"), BATCH)
        for lane in range(LANES)
    ]


async def stored(settings: Settings, lanes: Sequence[Sequence[WriteBatch]]) -> float:
    """Store it all; returns events a second."""
    pool = await open_writer_pool(settings)
    numbered = partial(format_number, sellers=Sellers())
    store = PostgresStore(pool, numbered, settings.consumer_group)

    async def lane(batches: Sequence[WriteBatch]) -> None:
        for write_batch in batches:
            await store.append(write_batch)

    events = sum(len(write_batch.events) for lane in lanes for write_batch in lane)
    began = perf_counter()
    await asyncio.gather(*map(lane, lanes))
    seconds = perf_counter() - began
    await pool.close()
    return events / seconds


if __name__ == "__main__":
    to_store = prepared(int(sys.argv[1]))
    gc.freeze()
    print_line(str(uvloop.run(stored(read_settings(), to_store))))
