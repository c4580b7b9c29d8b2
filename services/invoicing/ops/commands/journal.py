"""`invoicing journal`: the bookkeeping of all invoices."""

import asyncio
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    """The formats that entries are written in."""

    CSV = "csv"
    JSONL = "jsonl"
    HLEDGER = "hledger"


def journal(
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], metavar="DAY", help="The first posting date."),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], metavar="DAY", help="The last posting date."),
    ] = None,
    seller: Annotated[str | None, typer.Option(help="The entries of this seller alone.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.CSV,
    test: Annotated[
        bool, typer.Option("--test", help="Test invoices (live_mode: false) instead of live ones.")
    ] = False,
) -> None:
    """Print the bookkeeping of all invoices.

    Every event that concerns money is an entry whose postings sum to zero. Entries are ordered by
    invoice and version, so the same database gives the same text. They are read as of one moment,
    and workers may run meanwhile. In CSV, a text that a spreadsheet would take for a formula begins
    with an apostrophe. `hledger` reads the last format as its journal.

    Example: `invoicing journal --from 2026-01-01 --to 2026-12-31 --format hledger`
    """
    import sys

    from invoicing.maintenance.journal import JournalPeriod, journal_entries
    from invoicing.ops.support.journal_formats import FORMATS
    from invoicing.ops.support.postgres import reaching_postgres
    from invoicing.runtime.settings import read_settings

    settings = read_settings()
    chosen = FORMATS[format_]
    period = JournalPeriod(
        first.date() if first else None, last.date() if last else None, seller, not test
    )

    async def print_entries() -> None:
        async for entry in journal_entries(settings, period):
            sys.stdout.write(chosen.write(entry))

    # CSV's own line ends, whatever the platform's are.
    sys.stdout.reconfigure(newline="")  # type: ignore[union-attr]
    sys.stdout.write(chosen.head)
    with reaching_postgres():
        asyncio.run(print_entries())
