"""`invoicing watch`: events as they come."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

import orjson
import typer

from invoicing.ops.support.console import print_line
from invoicing.ops.support.failures import reaching_kafka
from invoicing.ops.support.formatting import clock, short_type, standing
from invoicing.ops.support.kafka_readers import reading
from invoicing.runtime.settings import Settings, read_settings


def watch(
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="First all events that the topic holds.")
    ] = False,
    count: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="End after that many events.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the events themselves, one JSON document a line.")
    ] = False,
) -> None:
    """Show events as they come, until Ctrl-C.

    Only what is committed: each event once, in version order for each invoice.
    """
    settings = read_settings()
    line = bytes.decode if as_json else event_line
    with reaching_kafka(), suppress(KeyboardInterrupt):
        asyncio.run(_watch(settings, from_beginning, count, line))


async def _watch(
    settings: Settings, from_beginning: bool, count: int | None, line: Callable[[bytes], str]
) -> None:
    seen = 0
    async with reading(settings, settings.topic_events, from_beginning=from_beginning) as consumer:
        while count is None or seen < count:
            record = await consumer.getone()
            print_line(line(record.value))
            seen += 1


def event_line(value: bytes) -> str:
    """An event in one line: time, invoice, version, type, and how the invoice stands after it."""
    event: dict[str, Any] = orjson.loads(value)
    time = clock(datetime.fromisoformat(event["time"]))
    return (
        f"{time} {event['subject']:<10} {event['version']:>3}"
        f" {short_type(event['type']):<16} {standing(event['data'])}"
    )
