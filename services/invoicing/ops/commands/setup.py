"""`invoicing migrate` and `invoicing topics`: prepare Postgres and Kafka for the workers."""

import asyncio

from invoicing.ops.support.options import AsJson


def migrate(as_json: AsJson = False) -> None:
    """Migrate the database to the newest schema.

    Safe to run again, and to run several times at once. Workers of the previous release keep
    running on the new schema, so migrate first, then replace the workers. The DSN's user must be
    allowed to create tables and roles.
    """
    import orjson

    from invoicing.ops.support.console import print_line
    from invoicing.ops.support.postgres import reaching_postgres
    from invoicing.runtime.settings import read_settings
    from invoicing.store.migrations import current_revision
    from invoicing.store.migrations import migrate as migrate_database

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
        print_line(f"The database was migrated from {before or 'nothing'} to revision {after}.")


def topics(as_json: AsJson = False) -> None:
    """Create missing topics, and check existing ones.

    Names, partitions and replication come from INVOICING_TOPIC_*. The events topic needs at
    least as many partitions as the commands topic. A warning is printed if the dead-letter topic
    allows smaller records than the commands topic. Existing topics are never changed.
    """
    import orjson
    from rich.table import Table

    from invoicing.ops.support.console import err, out, print_line
    from invoicing.ops.support.kafka import reaching_kafka
    from invoicing.runtime.kafka.topics import (
        advice_on_limits,
        batch_limits,
        check_partition_setting,
        check_topics,
        create_topics,
        existing_topics,
    )
    from invoicing.runtime.settings import read_settings

    settings = read_settings()

    async def prepare() -> tuple[list[str], dict[str, int]]:
        created = await create_topics(settings)
        partitions = await existing_topics(settings)
        check_topics(settings, partitions)
        check_partition_setting(settings, partitions)
        if advice := advice_on_limits(settings, await batch_limits(settings)):
            err.print(advice)
        return created, partitions

    with reaching_kafka():
        created, partitions = asyncio.run(prepare())
    if as_json:
        rows = [
            {"topic": name, "partitions": count, "created": name in created}
            for name, count in partitions.items()
        ]
        print_line(orjson.dumps(rows).decode())
        return
    table = Table("Topic", "Partitions", "", box=None)
    for name, count in partitions.items():
        table.add_row(name, str(count), "created" if name in created else "exists")
    out.print(table)
