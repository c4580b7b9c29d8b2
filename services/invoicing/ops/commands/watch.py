"""`invoicing watch`: events as they are published."""

import asyncio
from contextlib import suppress
from typing import Annotated

import typer


def watch(
    invoice: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Only this invoice's events; may be repeated."),
    ] = None,
    type_: Annotated[
        list[str] | None,
        typer.Option(
            "--type", metavar="TYPE", help="Only this type: `opened`, `paid`; may be repeated."
        ),
    ] = None,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Begin with the oldest event in the topic.")
    ] = False,
    count: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Exit after N events.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the events as published, one JSON line each.")
    ] = False,
) -> None:
    """Show events as they are published.

    Runs until Ctrl-C. Only committed events are shown: each one once, and in version order for each
    invoice.
    """
    import orjson

    from invoicing.ops.support.console import print_line
    from invoicing.ops.support.formatting import event_line
    from invoicing.ops.support.kafka import reaching_kafka, reading
    from invoicing.runtime.settings import read_settings

    types, invoices = _event_types(type_ or []), frozenset(invoice or [])
    settings = read_settings()

    async def show_events() -> None:
        shown = 0
        async with reading(
            settings, settings.topic_events, from_beginning=from_beginning
        ) as consumer:
            while count is None or shown < count:
                record = await consumer.getone()
                event = orjson.loads(record.value)
                if (not invoices or event["subject"] in invoices) and (
                    not types or event["type"] in types
                ):
                    print_line(record.value.decode() if as_json else event_line(event))
                    shown += 1

    with reaching_kafka(), suppress(KeyboardInterrupt):
        asyncio.run(show_events())


def _event_types(names: list[str]) -> frozenset[str]:
    """The full names of event types. Raises `typer.BadParameter` if there is no such type."""
    from invoicing.contracts.events import EVENTS
    from invoicing.ops.support.formatting import EVENT_PREFIX, short_type

    types = frozenset(EVENT_PREFIX + short_type(name) for name in names)
    if unknown := types - EVENTS.keys():
        raise typer.BadParameter(
            f"unknown type {', '.join(sorted(map(short_type, unknown)))}; the types are"
            f" {', '.join(map(short_type, EVENTS))}"
        )
    return types
