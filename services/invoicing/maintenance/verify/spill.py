"""Digests of what both sides hold, in a temporary SQLite file on this machine's disk.

Neither side can be read in the order of the comparison, and neither fits in memory. So both are
written to the file as they are read, and read back sorted: SQLite sorts on disk in little memory.
Kafka and Postgres are only read sequentially, and need not agree on a collation.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

CACHE_KIB: Final = 32 * 1024
# Inserting rows one at a time costs several times as much.
ROWS_AT_ONCE: Final = 1_000
DIGEST_BYTES: Final = 16

Row = tuple[Any, ...]
"""A row to write, in the order of its table's columns."""

SCHEMA: Final = """
CREATE TABLE stored_events (invoice_id, version, digest, source, id, recorded_at);
CREATE TABLE published_events (invoice_id, version, digest, is_keyed, "partition", "offset");
CREATE TABLE stored_replies (
    source, id, invoice_id, body_hash, digest, first_version, last_version,
    "partition", "offset", recorded_at);
CREATE TABLE published_replies (
    source, id, invoice_id, code, digest, "partition", "offset");
CREATE TABLE records (source, id, invoice_id, body_hash, digest, is_routed, "partition", "offset");
CREATE TABLE dead_letters (
    of_partition, of_offset, digest, "partition", "offset");
CREATE TABLE numbers (seller_id, kind, prefix, digits, value, text, invoice_id);
"""

# For the joins below; created once all rows are there, which is cheapest.
INDEXES: Final = """
CREATE INDEX replies_of_command ON stored_replies (source, id);
CREATE INDEX dead_letters_of_record ON dead_letters (of_partition, of_offset);
"""

EVENTS_BY_INVOICE: Final = """
SELECT event.invoice_id, event.version, event.digest, 0 AS published,
       reply."partition", reply."offset", event.recorded_at, reply.id IS NOT NULL AS has_reply,
       NULL AS is_keyed
FROM stored_events AS event
LEFT JOIN stored_replies AS reply
    ON reply.source = event.source AND reply.id = event.id
    AND reply.invoice_id = event.invoice_id
    AND event.version BETWEEN reply.first_version AND reply.last_version
UNION ALL
SELECT invoice_id, version, digest, 1, "partition", "offset", NULL, NULL, is_keyed
FROM published_events
ORDER BY 1, 2, 4, 5, 6
"""

STORED, RECORD, PUBLISHED = range(3)
CASES_BY_COMMAND: Final = f"""
SELECT source, id, {STORED} AS side, invoice_id, "partition", "offset", digest, body_hash,
       NULL AS code, NULL AS is_routed, recorded_at
FROM stored_replies
UNION ALL
SELECT source, id, {RECORD}, invoice_id, record."partition", record."offset", record.digest,
       body_hash, NULL, is_routed, NULL
FROM records AS record
LEFT JOIN dead_letters AS dead_letter
    ON of_partition = record."partition" AND of_offset = record."offset"
WHERE source IS NOT NULL AND of_offset IS NULL
UNION ALL
SELECT source, id, {PUBLISHED}, invoice_id, "partition", "offset", digest, NULL,
       code, NULL, NULL
FROM published_replies
ORDER BY 1, 2, 3, 5, 6
"""  # noqa: S608 (the numbers above)

# Unreadable or dead-lettered records, each with how many dead letters it has.
DEAD_LETTERED: Final = """
SELECT record."partition", record."offset", record.source, record.id, record.invoice_id,
       record.digest, count(dead_letter."offset") AS letters,
       coalesce(sum(dead_letter.digest = record.digest), 0) AS equal_letters
FROM records AS record
LEFT JOIN dead_letters AS dead_letter
    ON of_partition = record."partition" AND of_offset = record."offset"
WHERE record.source IS NULL OR of_offset IS NOT NULL
GROUP BY 1, 2
ORDER BY 1, 2
"""

NUMBERS: Final = """
SELECT seller_id, kind, text, invoice_id FROM numbers
ORDER BY seller_id, kind, prefix, digits, value, text, invoice_id
"""


def digest(value: bytes) -> bytes:
    """A value's digest, to compare and store in its stead."""
    return hashlib.blake2b(value, digest_size=DIGEST_BYTES).digest()


class Spill:
    """The tables of the file, to be filled, indexed and then read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._waiting: dict[str, list[Row]] = {}
        self._insertions: dict[str, str] = {}
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            columns = connection.execute(f"PRAGMA table_info ({table})").fetchall()
            parameters = ", ".join("?" * len(columns))
            self._insertions[table] = f"INSERT INTO {table} VALUES ({parameters})"  # noqa: S608
            self._waiting[table] = []

    def add(self, table: str, rows: Iterable[Row]) -> None:
        """Add rows to a table."""
        waiting = self._waiting[table]
        waiting += rows
        if len(waiting) >= ROWS_AT_ONCE:
            self._write(table)

    def index(self) -> None:
        """Write the remaining rows and create the indexes. Nothing is added afterwards."""
        for table in self._waiting:
            self._write(table)
        self._connection.executescript(INDEXES)

    def _write(self, table: str) -> None:
        self._connection.executemany(self._insertions[table], self._waiting[table])
        self._waiting[table].clear()

    def read(self, query: str) -> Iterator[sqlite3.Row]:
        """Yield the rows of one of this module's queries."""
        return iter(self._connection.execute(query))


@contextmanager
def spilling() -> Iterator[Spill]:
    """An empty spill, deleted at the end, in the system's directory for temporary files."""
    with TemporaryDirectory(prefix="invoicing-verify-") as directory:
        connection = sqlite3.connect(Path(directory) / "spill", isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            # Useless after a crash, so nothing is done to survive one.
            connection.executescript(
                f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                f"PRAGMA cache_size = -{CACHE_KIB}; PRAGMA temp_store = FILE;"
                f"PRAGMA temp_store_directory = '{directory}';" + SCHEMA + "BEGIN;"
            )
            yield Spill(connection)
        finally:
            connection.close()
