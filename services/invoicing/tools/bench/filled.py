"""Databases that are full already: a few commands decided and stored, then copied many times."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

import asyncpg

from invoicing.domain.numbering import format_number
from invoicing.domain.sellers import Sellers
from invoicing.ops.support.command_file import ReadyCommand
from invoicing.runtime.settings import read_settings
from invoicing.store import rules
from invoicing.store.postgres import PostgresStore, open_writer_pool
from invoicing.store.rows import INVOICE_COLUMNS
from invoicing.tools.bench.decided import LANE, recorded
from invoicing.worker.batch import BatchHandler

BATCH: Final = 500

# Each copy is another seller's, for a seller's numbers come once.
_OF_COPY: Final = {
    "id": "id || '-' || copy",
    "seller_id": "'seller_' || copy",
    "snapshot": """replace(replace(snapshot, id, id || '-' || copy),
           '"seller_id":"default"', '"seller_id":"seller_' || copy || '"')""",
}
COPY: Final = (
    """
    INSERT INTO events (invoice_id, version, type, data, command_source, command_id, recorded_at)
    SELECT invoice_id || '-' || copy, version, type,
           replace(replace(data, invoice_id, invoice_id || '-' || copy),
                   '"seller_id":"default"', '"seller_id":"seller_' || copy || '"'),
           command_source || '/' || copy, command_id, recorded_at
    FROM events CROSS JOIN generate_series($1::int, $2::int) AS copy
    WHERE command_source = '/bench'
    """,
    """
    INSERT INTO commands (source, id, invoice_id, body_hash, answer, first_version, last_version,
                          topic, "partition", "offset", recorded_at)
    SELECT source || '/' || copy, id, invoice_id || '-' || copy, body_hash,
           replace(answer, invoice_id, invoice_id || '-' || copy), first_version, last_version,
           topic, "partition", "offset", recorded_at
    FROM commands CROSS JOIN generate_series($1::int, $2::int) AS copy
    WHERE source = '/bench'
    """,
    f"""
    INSERT INTO invoices ({", ".join(INVOICE_COLUMNS)})
    SELECT {", ".join(_OF_COPY.get(column, column) for column in INVOICE_COLUMNS)}
    FROM invoices CROSS JOIN generate_series($1::int, $2::int) AS copy
    WHERE seller_id = 'default'
    """,  # noqa: S608 (constants of ours)
    """
    INSERT INTO invoice_labels (invoice_id, labels)
    SELECT invoice_id || '-' || copy, labels
    FROM invoice_labels JOIN invoices ON id = invoice_id
    CROSS JOIN generate_series($1::int, $2::int) AS copy
    WHERE seller_id = 'default'
    """,
    """
    INSERT INTO invoice_entries (invoice_id, kind, id, position, document)
    SELECT invoice_id || '-' || copy, kind, invoice_entries.id, position, document
    FROM invoice_entries JOIN invoices ON invoices.id = invoice_id
    CROSS JOIN generate_series($1::int, $2::int) AS copy
    WHERE seller_id = 'default'
    """,
)
SECONDARY_INDEXES: Final = """
SELECT indexname, indexdef FROM pg_indexes
WHERE schemaname = current_schema() AND indexname NOT LIKE '%_pkey'
    AND tablename IN ('events', 'commands', 'invoices', 'invoice_labels')
"""


async def stored(dsn: str, commands: Sequence[ReadyCommand]) -> int:
    """Decide and store the commands, past Kafka; returns how many events there are."""
    sellers = Sellers()
    pool = await open_writer_pool(read_settings({}, postgres_dsn=dsn))
    store = PostgresStore(pool, partial(format_number, sellers=sellers), "bench")
    handler = BatchHandler(store, sellers, lambda: datetime.now(UTC))
    records = recorded(commands)
    try:
        for start in range(0, len(records), BATCH):
            await handler.handle(records[start : start + BATCH], LANE)
        return int(await pool.fetchval("SELECT count(*) FROM events"))
    finally:
        await pool.close()


async def multiplied(dsn: str, copies: range) -> None:
    """Copy everything that `stored` has stored, once for each number."""
    connection = await asyncpg.connect(dsn, server_settings=rules.SESSION)
    try:
        indexes = await connection.fetch(SECONDARY_INDEXES)
        for index in indexes:  # to make them anew is several times faster
            await connection.execute(f"DROP INDEX {index['indexname']}")
        for statement in COPY:
            await connection.execute(statement, copies.start, copies.stop - 1)
        for index in indexes:
            await connection.execute(index["indexdef"])
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
