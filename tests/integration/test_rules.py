"""Releases that do not know an invoice's events are kept from writing."""

import asyncpg
import pytest

from tests.integration.test_lists import Write, write
from tests.support.service.commands import Sent, create_invoice, record_payment

__all__ = ["write"]

PIN = "INSERT INTO homes VALUES ('invoices.commands', 4) ON CONFLICT DO NOTHING"
"""As a worker does when it starts."""


async def test_events_that_older_releases_know_keep_nobody_out(write: Write, database: str) -> None:
    await write(create_invoice("inv_1"), record_payment("inv_1"))

    connection = await asyncpg.connect(database)
    await connection.execute(PIN)
    assert await connection.fetch("SELECT rules FROM event_rules") == []
    await connection.close()


@pytest.mark.parametrize(("rules", "is_refused"), [(None, True), ("1", True), ("2", False)])
async def test_after_the_first_other_event_sessions_with_lower_rules_write_nothing(
    write: Write, database: str, rules: str | None, is_refused: bool
) -> None:
    await write(
        create_invoice("inv_1"),
        Sent("WriteOffInvoice", "inv_1", {}),
        Sent("ReinstateInvoice", "inv_1", {}),
        Sent("WriteOffInvoice", "inv_1", {}),
        Sent("ReinstateInvoice", "inv_1", {}),
    )

    settings = {"invoicing.rules": rules} if rules else {}
    connection = await asyncpg.connect(database, server_settings=settings)
    [row] = await connection.fetch("SELECT rules FROM event_rules")
    assert row["rules"] == 2
    if is_refused:
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="newer release"):
            await connection.execute(PIN)
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="newer release"):
            await connection.execute("INSERT INTO events (invoice_id) SELECT 'x' WHERE false")
    else:
        await connection.execute(PIN)
    await connection.close()
