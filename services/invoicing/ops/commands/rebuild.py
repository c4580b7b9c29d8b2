"""`invoicing rebuild`: the current state, made anew from the events."""

import asyncio
from typing import Annotated, Final

import orjson
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from invoicing.maintenance.rebuild.rebuild import Rebuilt
from invoicing.maintenance.rebuild.rebuild import rebuild as make_anew
from invoicing.ops.support.console import err, print_line
from invoicing.ops.support.failures import reaching_postgres
from invoicing.runtime.settings import read_settings

_COLUMNS: Final = (
    TextColumn("events replayed"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
)


def rebuild(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, for a program to read.")
    ] = False,
) -> None:
    """Make the current state anew from the events, and swap in what differs.

    The events are replayed into a shadow, which is checked; then the rows that differ are swapped
    in one transaction. Workers may run meanwhile, and wait for that one moment. Interrupted, it
    goes on where it was when it is run again. The DSN's user must own the tables.
    """
    dsn = read_settings().dsn
    with (
        Progress(*_COLUMNS, console=err, disable=not err.is_terminal) as progress,
        reaching_postgres(),
    ):
        task = progress.add_task("replayed", total=None)

        def tell(replayed: int, events: int) -> None:
            progress.update(task, completed=replayed, total=events)

        rebuilt = asyncio.run(make_anew(dsn, tell))
    print_line(_json(rebuilt) if as_json else _sentence(rebuilt))


def _json(rebuilt: Rebuilt) -> str:
    return orjson.dumps(rebuilt).decode()


def _sentence(rebuilt: Rebuilt) -> str:
    went_on = " An earlier run was gone on with." if rebuilt.resumed else ""
    return (
        f"{rebuilt.invoices:,} invoices were made anew from {rebuilt.events:,} events;"
        f" {rebuilt.differed:,} differed from what was there.{went_on}"
    )
