"""`invoicing rebuild`: the current state, rebuilt from the events."""

import asyncio

from invoicing.ops.support.options import AsJson


def rebuild(as_json: AsJson = False) -> None:
    """Rebuild the current state from the events.

    The events are replayed into a shadow copy, which is checked; then the rows that differ are
    swapped in one transaction. Workers may keep running, and wait during the swap only. An
    interrupted rebuild resumes when it is run again. The DSN's user must own the tables.
    """
    import orjson

    from invoicing.maintenance.rebuild.rebuild import rebuild as rebuild_state
    from invoicing.ops.support.console import print_line
    from invoicing.ops.support.postgres import reaching_postgres
    from invoicing.ops.support.progress import progress_bars
    from invoicing.runtime.settings import read_settings

    dsn = read_settings().dsn
    with progress_bars() as progress, reaching_postgres():
        task = progress.add_task("events replayed", total=None)

        def update(replayed: int, events: int) -> None:
            progress.update(task, completed=replayed, total=events)

        rebuilt = asyncio.run(rebuild_state(dsn, update))
    if as_json:
        print_line(orjson.dumps(rebuilt).decode())
        return
    resumed = " It resumed an earlier run." if rebuilt.resumed else ""
    print_line(
        f"Rebuilt {rebuilt.invoices:,} invoices from {rebuilt.events:,} events;"
        f" {rebuilt.differed:,} differed and were replaced.{resumed}"
    )
