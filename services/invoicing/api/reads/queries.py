"""Queries for one invoice and its history."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy

from invoicing.api.auth.tokens import Client
from invoicing.api.http.problems import ProblemCode, ProblemError, invoice_not_found
from invoicing.api.reads.views import View, view_of
from invoicing.domain.status import status_at, status_unarchived
from invoicing.runtime import clock
from invoicing.store.entries import has_rows, rows_of, whole
from invoicing.store.history import events_of, replay
from invoicing.store.rows import OVERDUE_FROM

_COLUMNS: Final = (
    f"id, version, state, snapshot, standing, archived, {OVERDUE_FROM} AS overdue_from"
)

FIND_INVOICE: Final = f"""
SELECT {_COLUMNS} FROM invoices WHERE id = $1 AND ($2 = '*' OR seller_id = $2)
"""  # noqa: S608 (constants of ours, here and below)

FIND_INVOICES: Final = f"SELECT {_COLUMNS} FROM invoices WHERE id = ANY($1::text[])"  # noqa: S608

HISTORY_PAGE: Final = """
SELECT version, data FROM events
WHERE invoice_id = $1 AND version > $2
ORDER BY version LIMIT $3
"""

HISTORIES: Final = """
SELECT invoice_id, data FROM events WHERE invoice_id = ANY($1::text[]) ORDER BY invoice_id, version
"""


@dataclass(frozen=True, slots=True)
class InvoiceVersion:
    """An invoice at one of its versions."""

    version: int
    snapshot: str
    status_unarchived: str

    @property
    def view(self) -> View:
        """The invoice as HTTP returns it."""
        return view_of(self.snapshot, self.status_unarchived)


async def find_row(connection: PoolConnectionProxy, invoice_id: str, client: Client) -> Record:
    """The invoice's row, deleted or not. Raises `ProblemError` if the client sees none."""
    row = await connection.fetchrow(FIND_INVOICE, invoice_id, client.seller_id)
    if row is None:
        raise invoice_not_found()
    return row


async def get_current(
    connection: PoolConnectionProxy, invoice_id: str, client: Client
) -> InvoiceVersion:
    """The current version. Raises `ProblemError` if there is none, or it is deleted."""
    row = await find_row(connection, invoice_id, client)
    if row["state"] == "deleted":
        raise invoice_not_found()
    [version] = await versions_of_rows(connection, [row], clock.now())
    return version


async def get_as_of(
    connection: PoolConnectionProxy,
    invoice_id: str,
    *,
    version: int | None = None,
    as_of: datetime | None = None,
) -> InvoiceVersion:
    """The invoice at a version or time. Raises `ProblemError` if it did not exist then."""
    events = await events_of(connection, invoice_id, version=version, as_of=as_of)
    if not events or (version is not None and events[-1].version < version):
        raise ProblemError(
            ProblemCode.VERSION_NOT_FOUND, "The invoice did not exist at that version or time."
        )
    invoice = replay(events)[-1]
    status = status_unarchived(invoice, as_of or clock.now())
    return InvoiceVersion(invoice.version, invoice.to_json(), status)


async def versions_of_rows(
    connection: PoolConnectionProxy, rows: Sequence[Record], at: datetime
) -> list[InvoiceVersion]:
    """The versions in these rows, with those of their entries that have rows of their own."""
    many = [row["id"] for row in rows if has_rows(row["snapshot"])]
    if not many:
        return [version_of_row(row, at) for row in rows]
    # Both are read as of one moment: entries may have changed since the invoices were read.
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        again = {row["id"]: row for row in await connection.fetch(FIND_INVOICES, many)}
        entries = await rows_of(connection, many)
    versions = [version_of_row(again.get(row["id"], row), at) for row in rows]
    return [
        replace(version, snapshot=whole(version.snapshot, entries.get(row["id"], ())))
        for row, version in zip(rows, versions, strict=True)
    ]


def version_of_row(row: Record, at: datetime) -> InvoiceVersion:
    """The version in a row, with its status at an instant.

    It lacks the payments, credit notes and sendings that have rows of their own.
    """
    # Rows written by an older release have no `standing` and no dates.
    current: str = row["standing"] or row["state"]
    if row["overdue_from"] is not None:
        current = status_at(current, row["overdue_from"], at)
    return InvoiceVersion(row["version"], row["snapshot"], current)


async def histories(
    connection: PoolConnectionProxy, invoice_ids: Sequence[str]
) -> dict[str, list[str]]:
    """All events of these invoices, in order, byte for byte as published."""
    found: dict[str, list[str]] = {invoice_id: [] for invoice_id in invoice_ids}
    for row in await connection.fetch(HISTORIES, list(invoice_ids)):
        found[row["invoice_id"]].append(row["data"])
    return found
