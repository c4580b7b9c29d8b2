"""`invoicing show` and `invoicing history`: an invoice, replayed from its events."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from invoicing.ops.support.options import AsJson, parse_time

if TYPE_CHECKING:
    from invoicing.store.rows import StoredEvent

InvoiceId = Annotated[str, typer.Argument(metavar="ID", help="The invoice's id.")]


def show(
    invoice_id: InvoiceId,
    version: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The invoice after its Nth event.")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="The invoice at a time: 2026-11-20T10:00:00Z, or a day for its first moment;"
            " UTC unless it has an offset.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show an invoice, now or in the past.

    It is replayed from its events, not read from the current state.
    """
    from invoicing.ops.support.console import out, print_line
    from invoicing.ops.support.panels import invoice_panel
    from invoicing.store.history import replay

    if version is not None and as_of is not None:
        raise typer.BadParameter("give --version or --as-of, not both")
    time = None if as_of is None else parse_time(as_of)
    events = _read_events(invoice_id, version, time)
    if not events or (version is not None and events[-1].version < version):
        _exit_not_found(invoice_id, version, time)
    invoice = replay(events)[-1]
    if as_json:
        print_line(invoice.to_json())
    else:
        out.print(invoice_panel(invoice))


def history(invoice_id: InvoiceId, as_json: AsJson = False) -> None:
    """List an invoice's events, and what each one changed.

    With --json, print each event as it was stored and published, one a line.
    """
    from invoicing.ops.support.console import out, print_line
    from invoicing.ops.support.panels import history_table

    events = _read_events(invoice_id, None, None)
    if not events:
        _exit_not_found(invoice_id, None, None)
    if as_json:
        for event in events:
            print_line(event.document)
    else:
        out.print(history_table(events))


def _read_events(
    invoice_id: str, version: int | None, as_of: datetime | None
) -> "list[StoredEvent]":
    from invoicing.ops.support.postgres import database, reaching_postgres
    from invoicing.runtime.settings import read_settings
    from invoicing.store.history import events_of

    settings = read_settings()

    async def read() -> "list[StoredEvent]":
        async with database(settings) as connection:
            return await events_of(connection, invoice_id, version=version, as_of=as_of)

    with reaching_postgres():
        return asyncio.run(read())


def _exit_not_found(invoice_id: str, version: int | None, as_of: datetime | None) -> NoReturn:
    from invoicing.ops.support.console import print_note
    from invoicing.ops.support.formatting import clock

    when = f" with version {version}" if version else f" as of {clock(as_of)}" if as_of else ""
    print_note(f"There is no invoice {invoice_id}{when}.")
    raise typer.Exit(1)
