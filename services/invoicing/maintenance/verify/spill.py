"""What both sides hold, by digests, in a temporary file on this machine's disk.

Neither side comes in the order that it must be compared in, and neither fits in memory. So both
are written to an SQLite file as they are read, and read back sorted: SQLite sorts on disk with the
little memory that it is given. Nothing but the sequential reads falls on Kafka and Postgres, and
the two never have to agree on a collation.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

CACHE_KIB: Final = 32 * 1024
# To hand over each row by itself costs several times as much as to write it.
ROWS_AT_ONCE: Final = 1_000

SCHEMA: Final = """
CREATE TABLE stored_events (invoice_id, version, digest, source, id, recorded_at);
CREATE TABLE published_events (invoice_id, version, digest, is_keyed, "partition", "offset");
CREATE TABLE stored_answers (
    source, id, invoice_id, body_hash, digest, first_version, last_version,
    "partition", "offset", recorded_at);
CREATE TABLE published_answers (
    source, id, invoice_id, code, digest, "partition", "offset");
CREATE TABLE records (source, id, invoice_id, body_hash, digest, at_home, "partition", "offset");
CREATE TABLE dead_letters (
    of_partition, of_offset, digest, "partition", "offset");
CREATE TABLE numbers (seller_id, kind, prefix, digits, value, text, invoice_id);
"""

TABLES: Final = (
    "stored_events", "published_events", "stored_answers", "published_answers", "records",
    "dead_letters", "numbers",
)  # fmt: skip

# Only what is looked up needs an index, and an index is cheapest made when all is there.
INDEXES: Final = """
CREATE INDEX answers_of_command ON stored_answers (source, id);
CREATE INDEX dead_letters_of_record ON dead_letters (of_partition, of_offset);
"""

EVENTS_BY_INVOICE: Final = """
SELECT event.invoice_id, event.version, event.digest, 0 AS published,
       answer."partition", answer."offset", event.recorded_at, answer.id IS NOT NULL AS answered,
       NULL AS is_keyed
FROM stored_events AS event
LEFT JOIN stored_answers AS answer
    ON answer.source = event.source AND answer.id = event.id
    AND answer.invoice_id = event.invoice_id
    AND event.version BETWEEN answer.first_version AND answer.last_version
UNION ALL
SELECT invoice_id, version, digest, 1, "partition", "offset", NULL, NULL, is_keyed
FROM published_events
ORDER BY 1, 2, 4, 5, 6
"""

STORED, RECORD, PUBLISHED = range(3)
CASES_BY_COMMAND: Final = f"""
SELECT source, id, {STORED} AS side, invoice_id, "partition", "offset", digest, body_hash,
       NULL AS code, NULL AS at_home, recorded_at
FROM stored_answers
UNION ALL
SELECT source, id, {RECORD}, invoice_id, record."partition", record."offset", record.digest,
       body_hash, NULL, at_home, NULL
FROM records AS record
LEFT JOIN dead_letters AS dead_letter
    ON of_partition = record."partition" AND of_offset = record."offset"
WHERE source IS NOT NULL AND of_offset IS NULL
UNION ALL
SELECT source, id, {PUBLISHED}, invoice_id, "partition", "offset", digest, NULL,
       code, NULL, NULL
FROM published_answers
ORDER BY 1, 2, 3, 5, 6
"""  # noqa: S608 (the numbers above)

# A record that is unreadable or was set aside: the dead letters that stand for it.
SET_ASIDE: Final = """
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


class Spill:
    """The file. It goes with the block of `spilling`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._insertions = {table: _insertion(connection, table) for table in TABLES}
        self._waiting: dict[str, list[tuple[Any, ...]]] = {table: [] for table in TABLES}

    def add(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows, in the order of the table's columns."""
        waiting = self._waiting[table]
        waiting += rows
        if len(waiting) >= ROWS_AT_ONCE:
            self._write(table)

    def _write(self, table: str) -> None:
        self._connection.executemany(self._insertions[table], self._waiting[table])
        self._waiting[table].clear()

    def index(self) -> None:
        """All is there: make ready to read it, and to look things up."""
        for table in TABLES:
            self._write(table)
        self._connection.executescript(INDEXES)

    def read(self, query: str) -> Iterator[sqlite3.Row]:
        """The rows of a query of this module, one by one."""
        return iter(self._connection.execute(query))


def _insertion(connection: sqlite3.Connection, table: str) -> str:
    columns = connection.execute(f"PRAGMA table_info ({table})").fetchall()
    places = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} VALUES ({places})"  # noqa: S608 (a name of ours)


@contextmanager
def spilling() -> Iterator[Spill]:
    """An empty spill, in the system's directory for temporary files."""
    with TemporaryDirectory(prefix="invoicing-verify-") as directory:
        connection = sqlite3.connect(Path(directory) / "spill", isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            # It is worth nothing after a crash, so it need not survive one.
            connection.executescript(
                f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                f"PRAGMA cache_size = -{CACHE_KIB}; PRAGMA temp_store = FILE;"
                f"PRAGMA temp_store_directory = '{directory}';" + SCHEMA + "BEGIN;"
            )
            yield Spill(connection)
        finally:
            connection.close()
