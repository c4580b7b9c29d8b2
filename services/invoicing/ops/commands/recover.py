"""`invoicing recover`: bring one side up to date from the other after a restore or a loss."""

import asyncio
from typing import Annotated

import typer

from invoicing.ops.support.options import AsJson, parse_time

recover = typer.Typer(
    name="recover",
    help="Recover Postgres or Kafka after a restore or a loss. Stop the workers first.",
    no_args_is_help=True,
)


@recover.command()
def postgres(as_json: AsJson = False) -> None:
    """Store what was published but is missing in Postgres, which was restored to an earlier point.

    Events and replies are restored byte for byte with their numbers; the current state, the number
    series and the lanes' checkpoints follow from them. One transaction: all of it or nothing. The
    topics must reach back to the backup. The DSN's user must own the tables.
    """
    import orjson

    from invoicing.maintenance.recover.postgres import recover_postgres
    from invoicing.ops.support.console import print_line
    from invoicing.ops.support.kafka import reaching_kafka
    from invoicing.ops.support.postgres import reaching_postgres
    from invoicing.ops.support.progress import source_bars
    from invoicing.ops.support.sellers import sellers_of
    from invoicing.runtime.settings import read_settings

    settings = read_settings()
    sellers = sellers_of(settings)
    with source_bars() as progress, reaching_postgres(), reaching_kafka():
        recovered = asyncio.run(recover_postgres(settings, sellers, progress))
    print_line(
        orjson.dumps(recovered).decode()
        if as_json
        else f"Restored {recovered.events:,} events and {recovered.answers:,} replies of"
        f" {recovered.invoices:,} invoices."
    )


@recover.command()
def kafka(
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Publish only what was recorded at or after: 2026-11-20T10:00Z."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Publish what is stored but missing in Kafka, which was restored, recreated or lost records.

    Events and replies are published as they are stored, and each lane resumes at its first
    unhandled record. Records that a topic lost to retention are not published again. An interrupted
    run can be run again. The DSN's user must own the tables.
    """
    import orjson

    from invoicing.maintenance.recover.kafka import recover_kafka
    from invoicing.ops.support.console import print_line
    from invoicing.ops.support.kafka import reaching_kafka
    from invoicing.ops.support.postgres import reaching_postgres
    from invoicing.ops.support.progress import source_bars
    from invoicing.runtime.settings import read_settings

    earliest = None if since is None else parse_time(since)
    settings = read_settings()
    with source_bars() as progress, reaching_postgres(), reaching_kafka():
        recovered = asyncio.run(recover_kafka(settings, earliest, progress))
    print_line(
        orjson.dumps(recovered, option=orjson.OPT_NON_STR_KEYS).decode()
        if as_json
        else f"Published {recovered.events:,} events and {recovered.answers:,} replies;"
        f" set the offsets of {len(recovered.next_offsets)} lanes."
    )


@recover.command()
def feed(as_json: AsJson = False) -> None:
    """Make events readable in the feed again after a dump was restored into another cluster.

    Readers of the feed must start from the beginning afterwards, since their cursors belong to the
    old cluster. Every row of `events` is rewritten, which needs as much room again.
    """
    import orjson

    from invoicing.maintenance.recover.feed import recover_feed
    from invoicing.ops.support.console import print_line
    from invoicing.ops.support.kafka import reaching_kafka
    from invoicing.ops.support.postgres import reaching_postgres
    from invoicing.runtime.settings import read_settings

    settings = read_settings()
    with reaching_postgres(), reaching_kafka():
        hidden = asyncio.run(recover_feed(settings))
    print_line(
        orjson.dumps({"hidden": hidden}).decode()
        if as_json
        else f"{hidden:,} events were hidden from the feed; all are readable now."
    )
