"""`invoicing recover`: one side was restored or has lost its last; the other brings it forward."""

import asyncio
from typing import Annotated

import orjson
import typer

from invoicing.maintenance.recover.feed import recover_feed
from invoicing.maintenance.recover.kafka import recover_kafka
from invoicing.maintenance.recover.postgres import recover_postgres
from invoicing.ops.commands.worker import sellers_of
from invoicing.ops.support.console import print_line
from invoicing.ops.support.failures import reaching_kafka, reaching_postgres
from invoicing.ops.support.progress import bars
from invoicing.ops.support.times import time_of
from invoicing.runtime.settings import read_settings

recover = typer.Typer(
    name="recover",
    help="After a restore or a loss: bring Postgres or Kafka forward by the other. Stop the"
    " workers first.",
    no_args_is_help=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for a program to read.")]


@recover.command()
def postgres(as_json: AsJson = False) -> None:
    """Store what was published and is not stored: Postgres was restored to an earlier point.

    Events and answers are put back byte for byte, with the numbers that they gave; the state, the
    number series and the lanes' marks follow from them. One transaction: all of it or nothing. The
    topics must reach back to the backup. The DSN's user must own the tables.
    """
    settings = read_settings()
    sellers = sellers_of(settings)
    with bars() as progress, reaching_postgres(), reaching_kafka():
        recovered = asyncio.run(recover_postgres(settings, sellers, progress))
    print_line(
        orjson.dumps(recovered).decode()
        if as_json
        else f"{recovered.events:,} events and {recovered.answers:,} answers were put back, of"
        f" {recovered.invoices:,} invoices."
    )


@recover.command()
def kafka(
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Publish only what was recorded then or later: 2026-11-20T10:00Z."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Publish what is stored and not published: Kafka was restored, made anew, or lost its last.

    Events and answers are published as they are stored, and each lane is set to the first record
    that nobody has handled. Where the topics lost old records by age, those are left out. A run
    that was cut short can be run again. The DSN's user must own the tables.
    """
    settings = read_settings()
    with bars() as progress, reaching_postgres(), reaching_kafka():
        recovered = asyncio.run(recover_kafka(settings, time_of(since), progress))
    print_line(
        orjson.dumps(recovered, option=orjson.OPT_NON_STR_KEYS).decode()
        if as_json
        else f"{recovered.events:,} events and {recovered.answers:,} answers were published;"
        f" {len(recovered.next_offsets)} lanes were set to where they go on."
    )


@recover.command()
def feed(as_json: AsJson = False) -> None:
    """Make the feed of all events tell what was restored from a dump into another cluster.

    Readers of the feed must begin anew afterwards: their cursors are the old cluster's. It writes
    every event's row once more, and needs room for that.
    """
    settings = read_settings()
    with reaching_postgres(), reaching_kafka():
        hidden = asyncio.run(recover_feed(settings))
    told = f"{hidden:,} events were hidden from the feed; none is now."
    print_line(orjson.dumps({"hidden": hidden}).decode() if as_json else told)
