"""`invoicing send`: a file of commands to Kafka, and their replies back."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from invoicing.ops.support.options import AsJson

if TYPE_CHECKING:
    from rich.table import Table

    from invoicing.ops.support.command_file import ReadyCommand
    from invoicing.ops.support.reply_tracker import Reply, ReplyTracker

MESSAGES_SHOWN: Final = 3


def send(
    file: Annotated[
        typer.FileBinaryRead, typer.Argument(help="A file of JSON documents; - is standard input.")
    ],
    wait_seconds: Annotated[
        float,
        typer.Option(
            "--wait", min=0, metavar="SECONDS", help="How long to wait for the next reply."
        ),
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """Send commands from a file, and wait for replies.

    The file holds CloudEvents as JSON, one a line or pretty-printed. Each needs at least type,
    subject (the invoice) and data; specversion, id, source and time are filled in. All are checked
    first: if one cannot be read, nothing is sent. With --json, print one line for each command, in
    the order of the file, with its `number`, its `outcome` (accepted, rejected or unanswered) and
    the reply's data. Exits with 1 if a command was rejected or not answered.

    Example: `{"type": "OpenInvoice", "subject": "inv_1001", "data": {}}`
    """
    from invoicing.ops.support.console import out, print_note
    from invoicing.ops.support.kafka import reaching_kafka
    from invoicing.ops.support.sender import send_and_track
    from invoicing.runtime.settings import read_settings

    commands = _read(file.read())
    if not commands:
        print_note("There is no command in it.")
        return
    settings = read_settings()
    printer = _JsonPrinter(commands)
    with reaching_kafka():
        tracker = asyncio.run(
            send_and_track(
                settings, commands, wait_seconds, printer.advance if as_json else lambda _: None
            )
        )
    if as_json:
        printer.finish(tracker)
    else:
        out.print(outcomes_table(list(tracker.replies.values())))
    if tracker.missing:
        print_note(f"No reply arrived for {wait_seconds:g} seconds. Not answered:")
        for id_ in tracker.missing:
            print_note(id_)
    if tracker.missing or any("code" in reply for reply in tracker.replies.values()):
        raise typer.Exit(1)


def _read(content: bytes) -> "list[ReadyCommand]":
    from datetime import UTC, datetime
    from uuid import uuid4

    from invoicing.ops.support.command_file import BadDocument, ReadyCommand, read_commands
    from invoicing.ops.support.console import print_note

    documents = list(read_commands(content, datetime.now(UTC), lambda: str(uuid4())))
    bad = [document for document in documents if isinstance(document, BadDocument)]
    if bad:
        for document in bad:
            print_note(f"Line {document.line}: {document.reason}")
        print_note("Nothing was sent.")
        raise typer.Exit(1)
    return [document for document in documents if isinstance(document, ReadyCommand)]


class _JsonPrinter:
    """Prints a line for each command in order, as soon as all before it are printed."""

    def __init__(self, commands: "Sequence[ReadyCommand]") -> None:
        self._commands = commands
        self._printed = 0

    def advance(self, tracker: "ReplyTracker") -> None:
        while reply := tracker.replies.get(self._printed):
            self._print("rejected" if "code" in reply else "accepted", reply)

    def finish(self, tracker: "ReplyTracker") -> None:
        self.advance(tracker)
        while self._printed < len(self._commands):
            command = self._commands[self._printed]
            identity = {"command_source": command.source, "command_id": command.id}
            self._print("unanswered", {**identity, "invoice_id": command.invoice_id})
            self.advance(tracker)

    def _print(self, outcome: str, fields: "Reply") -> None:
        import orjson

        from invoicing.ops.support.console import print_line

        self._printed += 1
        line = {"number": self._printed, "outcome": outcome, **fields}
        print_line(orjson.dumps(line).decode())


def outcomes_table(replies: "Sequence[Reply]") -> "Table":
    """How many commands were accepted, and how many rejected with each code, and why."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    by_outcome: dict[str, list[Reply]] = {}
    for reply in replies:
        by_outcome.setdefault(reply.get("code", "accepted"), []).append(reply)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Outcome", no_wrap=True)
    table.add_column("Commands", justify="right", no_wrap=True)
    table.add_column("Messages of the first")
    for outcome, of_it in sorted(by_outcome.items(), key=lambda pair: -len(pair[1])):
        messages = []
        for reply in of_it[:MESSAGES_SHOWN] if outcome != "accepted" else ():
            errors = (f" {error['field']} {error['reason']}." for error in reply["errors"])
            messages.append(f"{reply['invoice_id']}: {reply['message']}{''.join(errors)}")
        table.add_row(outcome, str(len(of_it)), Text("\n".join(messages)))
    return table
