"""`invoicing dead-letters`: what was set aside, and how it goes back."""

import asyncio
import base64
from collections.abc import Callable
from typing import Annotated, Final

import orjson
import typer
from rich import box
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from invoicing.contracts.dead_letters import DeadLetterReason
from invoicing.maintenance.redrive import (
    DeadLetterFilter,
    DeadLetterRecord,
    is_redriven,
    read_letters,
    redrive_state,
)
from invoicing.maintenance.redrive import redrive as send_back
from invoicing.ops.support.console import err, out, print_line, print_note
from invoicing.ops.support.failures import reaching_kafka
from invoicing.ops.support.formatting import clock, plain
from invoicing.ops.support.kafka_readers import reading
from invoicing.ops.support.times import time_of
from invoicing.runtime.settings import Settings, read_settings

SHOWN_CHARACTERS_MAX: Final = 10_000

dead_letters = typer.Typer(
    name="dead-letters",
    help="Records that nobody could be answered about: list them, look at them, send them back.",
    no_args_is_help=True,
)

Reasons = Annotated[
    list[DeadLetterReason] | None,
    typer.Option("--reason", help="Only these. May be given again."),
]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="Set aside then or later: 2026-11-20T10:00:00Z.")
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Set aside before then.")]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for a program to read.")]


@dead_letters.command("list")
def list_letters(
    reason: Reasons = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters by their place in the dead-letter topic, PARTITION@OFFSET.

    With --json, one a line.
    """
    settings = read_settings()
    selected = DeadLetterFilter(frozenset(reason or ()), time_of(since), time_of(until))
    table = _table()
    tell = _print_json if as_json else _row_of(table)
    with reaching_kafka():
        count = asyncio.run(_list(settings, selected, limit, tell))
    if not as_json:
        if count:
            out.print(table)
        else:
            print_line("There is no such dead letter.")


@dead_letters.command()
def show(
    place: Annotated[str, typer.Argument(metavar="PLACE", help="As `list` names it: 3@17.")],
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: its headers, and its value as far as it is text.

    With --json the value is there in full, as text or in base64.
    """
    settings = read_settings()
    found: list[tuple[DeadLetterRecord, bool]] = []
    selected = DeadLetterFilter(positions=frozenset({place}))
    with reaching_kafka():
        asyncio.run(_list(settings, selected, 1, lambda *letter: found.append(letter)))
    if not found:
        print_note(f"There is no dead letter at {plain(place)}.")
        raise typer.Exit(1)
    ((letter, went_back),) = found
    if as_json:
        _print_json(letter, went_back)
    else:
        _print(letter, went_back)


@dead_letters.command()
def redrive(
    places: Annotated[
        list[str] | None, typer.Argument(metavar="[PLACE]...", help="These; else all that fit.")
    ] = None,
    reason: Reasons = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters back to the commands topic, each once.

    Mend first what made them fail. A command goes under its invoice's id; headers `dl_first_*`
    tell where it failed first. What went back is remembered in Kafka, in the same transaction, so
    an interrupted redrive can be run again: nothing is lost, and nothing sent twice.
    """
    settings = read_settings()
    selected = DeadLetterFilter(
        frozenset(reason or ()), time_of(since), time_of(until), frozenset(places or ())
    )
    if not settings.is_transactional:
        print_note(
            "INVOICING_KAFKA_TRANSACTIONS is off: a crash may send some of them again. That does"
            " no harm, for a command is known by its id."
        )
    with (
        reaching_kafka(),
        Progress(
            SpinnerColumn(), TextColumn("{task.completed} sent back"), console=err,
            disable=not err.is_terminal,
        ) as progress,
    ):  # fmt: skip
        task = progress.add_task("redrive", total=None)
        sent = asyncio.run(
            _redrive(
                settings, selected, limit, lambda count: progress.update(task, completed=count)
            )
        )
    if as_json:
        print_line(orjson.dumps({"redriven": sent}).decode())
    else:
        print_line(f"{sent} sent back.")


async def _list(
    settings: Settings,
    selected: DeadLetterFilter,
    limit: int | None,
    tell: Callable[[DeadLetterRecord, bool], None],
) -> int:
    state = await redrive_state(settings)
    count = 0
    async with reading(settings, settings.topic_dead_letter, from_beginning=True) as consumer:
        async for letters in read_letters(consumer, settings.topic_dead_letter):
            for letter in filter(selected.matches, letters):
                if count == limit:
                    return count
                tell(letter, is_redriven(state, letter))
                count += 1
    return count


async def _redrive(
    settings: Settings,
    selected: DeadLetterFilter,
    limit: int | None,
    progress: Callable[[int], None],
) -> int:
    async with reading(settings, settings.topic_dead_letter, from_beginning=True) as consumer:
        return await send_back(settings, consumer, selected, limit, progress)


def _table() -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Place", no_wrap=True)
    table.add_column("Set aside (UTC)", no_wrap=True)
    table.add_column("Reason")
    table.add_column("Came from")
    table.add_column("Command")
    table.add_column("Sent back")
    return table


def _row_of(table: Table) -> Callable[[DeadLetterRecord, bool], None]:
    def add(letter: DeadLetterRecord, went_back: bool) -> None:
        command, failure = letter.command, letter.failure
        named = f"{command.type} of {command.subject}" if command else "-"
        table.add_row(
            letter.position,
            clock(failure.failed_at) if failure.failed_at else "-",
            Text(plain(failure.reason)),
            Text(plain(failure.origin)),
            Text(plain(named)),
            "yes" if went_back else "",
        )

    return add


def _print(letter: DeadLetterRecord, went_back: bool) -> None:
    print_line(f"Dead letter {letter.position}{', sent back' if went_back else ''}")
    print_line(f"key: {_shown(letter.key)}")
    for name, value in letter.headers:
        print_line(f"{plain(name)}: {_shown(value)}")
    print_line("")
    print_line(_shown(letter.value))


def _shown(value: bytes | None) -> str:
    """What can be looked at without steering the terminal."""
    if value is None:
        return "(none)"
    cut = value[:SHOWN_CHARACTERS_MAX]
    try:
        text = plain(cut.decode())
    except UnicodeDecodeError:
        # As Python writes bytes: text where it is text, and \x.. where it is not.
        text = repr(cut)[2:-1]
    return text if len(value) <= len(cut) else f"{text} ... of {len(value)} bytes"


def _print_json(letter: DeadLetterRecord, went_back: bool) -> None:
    failure = letter.failure
    told = {
        "place": letter.position,
        "reason": failure.reason,
        "message": failure.message,
        "origin": failure.origin,
        "failed_at": failure.failed_at.isoformat() if failure.failed_at else None,
        "sent_back": went_back,
        "key": _written(letter.key),
        "headers": [[name, _written(value)] for name, value in letter.headers],
        "value": _written(letter.value),
    }
    print_line(orjson.dumps(told).decode())


def _written(value: bytes | None) -> str | dict[str, str] | None:
    """Bytes in JSON: a text where they are one, else in base64."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
