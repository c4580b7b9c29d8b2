"""`invoicing dead-letters`: list, show and redrive records that could not be handled."""

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final

import typer

from invoicing.ops.support.options import AsJson, parse_time

if TYPE_CHECKING:
    from invoicing.maintenance.redrive import DeadLetterFilter, DeadLetterRecord

    Handle = Callable[[DeadLetterRecord, bool], None]

POSITION: Final = re.compile(r"[0-9]+@[0-9]+", re.ASCII)

dead_letters = typer.Typer(
    name="dead-letters",
    help="List, show and redrive dead letters. These are records that could not be handled or"
    " answered.",
    no_args_is_help=True,
)

Reasons = Annotated[
    list[str] | None,
    typer.Option("--reason", metavar="REASON", help="With this reason; may be repeated."),
]
Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Dead-lettered at or after: 2026-11-20T10:00:00Z."),
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Dead-lettered before this time.")]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="At most N letters.")]


@dead_letters.command("list")
def list_letters(
    reason: Reasons = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters by position in the dead-letter topic, PARTITION@OFFSET.

    With --json, print one letter a line, with its headers and value.
    """
    _print_letters(_filter(reason, since, until), limit, as_json, pending_only=False)


@dead_letters.command()
def show(
    position: Annotated[
        str, typer.Argument(metavar="POSITION", help="PARTITION@OFFSET, as listed: 3@17.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: its headers, and its value as far as it is text.

    With --json, print the whole value, as text or in base64.
    """
    from invoicing.ops.support.console import print_note
    from invoicing.ops.support.letters import print_letter, print_letter_json

    found = _read(_filter(positions=[position]), 1, print_letter_json if as_json else print_letter)
    if not found:
        print_note(f"There is no dead letter at {position}.")
        raise typer.Exit(1)


@dead_letters.command()
def redrive(
    positions: Annotated[
        list[str] | None,
        typer.Argument(metavar="[POSITION]...", help="Letters, by position as listed: 3@17."),
    ] = None,
    reason: Reasons = None,
    since: Since = None,
    until: Until = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every letter that was not sent back yet.")
    ] = False,
    limit: Limit = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be sent back, and send nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters back to the commands topic, each once.

    Fix the cause first: otherwise they fail again. Select letters by position, by a filter, or with
    --all. A command is sent under its invoice's id; headers `dl_first_*` keep its first failure.
    Progress is recorded in Kafka in the same transaction, so an interrupted redrive can be run
    again: nothing is lost, and nothing is sent twice.
    """
    selects = bool(positions or reason or since or until)
    if selects == everything:
        raise typer.BadParameter(
            "give either --all, or positions or a filter (--reason, --since, --until)"
        )
    selected = _filter(reason, since, until, positions)
    if dry_run:
        _print_letters(selected, limit, as_json, pending_only=True)
    else:
        _redrive(selected, limit, as_json)


def _filter(
    reasons: list[str] | None = None,
    since: str | None = None,
    until: str | None = None,
    positions: list[str] | None = None,
) -> "DeadLetterFilter":
    """What the options select. Raises `typer.BadParameter`."""
    from invoicing.contracts.dead_letters import DeadLetterReason
    from invoicing.maintenance.redrive import DeadLetterFilter

    known = [known.value for known in DeadLetterReason]
    for reason in reasons or ():
        if reason not in known:
            raise typer.BadParameter(
                f"{reason!r} is not a reason; the reasons are {', '.join(known)}"
            )
    for position in positions or ():
        if not POSITION.fullmatch(position):
            raise typer.BadParameter(f"{position!r} is not a position such as 3@17")
    return DeadLetterFilter(
        frozenset(reasons or ()),
        since=None if since is None else parse_time(since),
        until=None if until is None else parse_time(until),
        positions=frozenset(positions or ()),
    )


def _print_letters(
    selected: "DeadLetterFilter", limit: int | None, as_json: bool, *, pending_only: bool
) -> None:
    from functools import partial

    from invoicing.ops.support.console import print_line, print_table
    from invoicing.ops.support.letters import add_letter, letters_table, print_letter_json

    table = letters_table()
    handle = print_letter_json if as_json else partial(add_letter, table)
    count = _read(selected, limit, handle, pending_only=pending_only)
    if as_json:
        return
    if count:
        print_table(table)
    else:
        print_line("There are no such dead letters.")
    if pending_only:
        print_line(f"{count} would be sent back. Nothing was sent.")


def _read(
    selected: "DeadLetterFilter", limit: int | None, handle: "Handle", *, pending_only: bool = False
) -> int:
    """Hand over the selected letters, and whether each was sent back; returns how many."""
    from invoicing.maintenance.redrive import is_redriven, read_letters, redrive_state
    from invoicing.ops.support.kafka import reaching_kafka, reading
    from invoicing.runtime.settings import read_settings

    settings = read_settings()

    async def read() -> int:
        count = 0
        state = await redrive_state(settings)
        async with reading(settings, settings.topic_dead_letter, from_beginning=True) as consumer:
            async for letters in read_letters(consumer, settings.topic_dead_letter):
                for letter in filter(selected.matches, letters):
                    redriven = is_redriven(state, letter)
                    if pending_only and redriven:
                        continue
                    if count == limit:
                        return count
                    handle(letter, redriven)
                    count += 1
        return count

    with reaching_kafka():
        return asyncio.run(read())


def _redrive(selected: "DeadLetterFilter", limit: int | None, as_json: bool) -> None:
    import orjson
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from invoicing.maintenance.redrive import redrive as send_back
    from invoicing.ops.support.console import err, print_line, print_note
    from invoicing.ops.support.kafka import reaching_kafka, reading
    from invoicing.runtime.settings import read_settings

    settings = read_settings()
    if not settings.is_transactional:
        print_note(
            "INVOICING_KAFKA_TRANSACTIONS is off: a crash may send some letters again. That is"
            " harmless, since a repeated command is recognised by its id."
        )
    columns = (SpinnerColumn(), TextColumn("{task.completed} sent back"))
    with (
        reaching_kafka(),
        Progress(*columns, console=err, disable=not err.is_terminal) as progress,
    ):
        task = progress.add_task("redrive", total=None)

        async def run() -> int:
            topic = settings.topic_dead_letter
            async with reading(settings, topic, from_beginning=True) as consumer:
                return await send_back(
                    settings,
                    consumer,
                    selected,
                    limit,
                    lambda sent: progress.update(task, completed=sent),
                )

        sent = asyncio.run(run())
    print_line(orjson.dumps({"redriven": sent}).decode() if as_json else f"{sent} sent back.")
