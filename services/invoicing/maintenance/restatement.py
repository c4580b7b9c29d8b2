"""Find the invoices whose published amounts contradict their facts."""

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from invoicing.domain.balance import Balance
from invoicing.domain.restatement import published_balance, restated_balance
from invoicing.maintenance.database import snapshot
from invoicing.runtime.settings import Settings
from invoicing.store.entries import read

ROWS_A_FETCH: Final = 1_000

INVOICES: Final = """
SELECT snapshot FROM invoices WHERE state <> 'deleted' ORDER BY id
"""


class Restatement(NamedTuple):
    """An invoice, what was published of it, and what follows from its facts."""

    invoice_id: str
    before: Balance
    after: Balance


async def restatements_due(settings: Settings) -> AsyncIterator[Restatement]:
    """Yield the restatements that are due, as of one moment. Raises `SchemaError`."""
    async with snapshot(settings) as connection:
        async for row in connection.cursor(INVOICES, prefetch=ROWS_A_FETCH):
            invoice = read(row["snapshot"])
            after = restated_balance(invoice)
            if after is not None:
                yield Restatement(invoice.invoice_id, published_balance(invoice), after)
