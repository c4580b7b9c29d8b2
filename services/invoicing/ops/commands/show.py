"""`invoicing show` and `invoicing history`: an invoice by replay of its events."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, NoReturn

import typer

from invoicing.ops.support.console import out, print_line, print_note
from invoicing.ops.support.failures import reaching_postgres
from invoicing.ops.support.formatting import clock
from invoicing.ops.support.kafka_readers import database
from invoicing.ops.support.panels import history_table, invoice_panel
from invoicing.runtime.settings import read_settings
from invoicing.store.history import events_of, replay
from invoicing.store.rows import StoredEvent

InvoiceId = Annotated[str, typer.Argument(metavar="ID", help="The invoice's id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for a program to read.")]


def show(
    invoice_id: InvoiceId,
    version: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="As it was after its Nth event.")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="As it was then: 2026-11-20T10:00:00Z; a day is its first moment;"
            " without an offset, UTC.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show an invoice: as it is, as it was after an event, or as it was at a time.

    It is worked out from the events alone.
    """
    if version is not None and as_of is not None:
        raise typer.BadParameter("give --version or --as-of, not both")
    time = None if as_of is None else _time(as_of)
    events = _events(invoice_id, version, time)
    if not events or (version is not None and events[-1].version < version):
        _say_not_found(invoice_id, version, time)
    invoice = replay(events)[-1]
    if as_json:
        print_line(invoice.model_dump_json())
    else:
        out.print(invoice_panel(invoice))


def history(invoice_id: InvoiceId, as_json: AsJson = False) -> None:
    """List an invoice's events, and what changed in each.

    With --json, each event is printed as it is stored and was published, one a line.
    """
    events = _events(invoice_id, None, None)
    if not events:
        _say_not_found(invoice_id, None, None)
    if as_json:
        for event in events:
            print_line(event.document)
    else:
        out.print(history_table(events))


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time such as 2026-11-20T10:00:00Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _events(invoice_id: str, version: int | None, as_of: datetime | None) -> list[StoredEvent]:
    settings = read_settings()

    async def read() -> list[StoredEvent]:
        async with database(settings) as connection:
            return await events_of(connection, invoice_id, version=version, as_of=as_of)

    with reaching_postgres():
        return asyncio.run(read())


def _say_not_found(invoice_id: str, version: int | None, as_of: datetime | None) -> NoReturn:
    then = f" with version {version}" if version else f" as of {clock(as_of)}" if as_of else ""
    print_note(f"There is no invoice {invoice_id}{then}.")
    raise typer.Exit(1)
