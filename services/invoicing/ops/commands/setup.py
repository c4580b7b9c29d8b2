"""`invoicing migrate` and `invoicing topics`: what must be there before a worker can run."""

import asyncio
from typing import Annotated

import orjson
import typer
from rich.table import Table

from invoicing.ops.support.console import err, out, print_line
from invoicing.ops.support.failures import reaching_kafka, reaching_postgres
from invoicing.runtime.kafka.topics import (
    advice_on_limits,
    batch_limits,
    check_topics,
    create_topics,
    existing_topics,
)
from invoicing.runtime.settings import Settings, read_settings
from invoicing.store.migrations import current_revision
from invoicing.store.migrations import migrate as migrate_database

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for a program to read.")]


def migrate(as_json: AsJson = False) -> None:
    """Bring the database up to the newest schema.

    Safe to run again, and by several at once. An old worker keeps running on the new schema, so
    migrate first, then replace the workers. The DSN's user must be allowed to create tables and
    roles.
    """
    dsn = read_settings().dsn
    with reaching_postgres():
        before = current_revision(dsn)
        migrate_database(dsn)
        after = current_revision(dsn)
    if as_json:
        print_line(orjson.dumps({"before": before, "after": after}).decode())
    elif before == after:
        print_line(f"The database is up to date, at revision {after}.")
    else:
        print_line(f"The database was at {before or 'nothing'}, and is at revision {after} now.")


def topics(as_json: AsJson = False) -> None:
    """Create the topics that are missing, and check those that are there.

    Names, partitions and replication come from INVOICING_TOPIC_*. Commands and events must have
    the same number of partitions; it is said where dead letters have less room than commands.
    Topics that exist are never changed.
    """
    settings = read_settings()
    with reaching_kafka():
        created, partitions = asyncio.run(_prepare_topics(settings))
    rows = [
        {"topic": name, "partitions": count, "created": name in created}
        for name, count in partitions.items()
    ]
    if as_json:
        print_line(orjson.dumps(rows).decode())
    else:
        out.print(_topics_table(rows))


async def _prepare_topics(settings: Settings) -> tuple[list[str], dict[str, int]]:
    created = await create_topics(settings)
    partitions = await existing_topics(settings)
    check_topics(settings, partitions)
    if advice := advice_on_limits(settings, await batch_limits(settings)):
        err.print(advice)
    return created, partitions


def _topics_table(rows: list[dict[str, object]]) -> Table:
    table = Table("Topic", "Partitions", "", box=None)
    for row in rows:
        table.add_row(
            str(row["topic"]),
            str(row["partitions"]),
            "created" if row["created"] else "was there",
        )
    return table
