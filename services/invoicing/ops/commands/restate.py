"""`invoicing restate`: new amounts for the invoices of the first releases."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

import typer

from invoicing.ops.support.options import AsJson

if TYPE_CHECKING:
    from invoicing.domain.balance import Balance
    from invoicing.maintenance.restatement import Restatement
    from invoicing.ops.support.command_file import ReadyCommand
    from invoicing.runtime.settings import Settings

COMMANDS_AT_ONCE: Final = 5_000


def restate(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be restated, and send nothing.")
    ] = False,
    wait_seconds: Annotated[
        float,
        typer.Option(
            "--wait", min=0, metavar="SECONDS", help="How long to wait for the next reply."
        ),
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """Publish amounts that follow from facts, once after an upgrade.

    The first releases published other amounts for some invoices: void ones with an amount due, a
    debt partly open and partly written off. Each is listed with the amounts that were published and
    those that follow from its facts, and gets the command `RestateInvoice`, whose event
    `invoice.restated` has both. Without it, an invoice is restated by the next command on it. Run
    it when no worker of an older release is left. It may be interrupted and run again. Exits with 1
    if a command was rejected or not answered.
    """
    from invoicing.ops.support.console import print_note
    from invoicing.ops.support.kafka import reaching_kafka
    from invoicing.ops.support.postgres import reaching_postgres
    from invoicing.runtime.settings import read_settings

    settings = read_settings()
    with reaching_postgres(), reaching_kafka():
        listed, failed = asyncio.run(_restate(settings, dry_run, wait_seconds, as_json))
    if not as_json:
        done = "to restate" if dry_run else "restated"
        print_note(f"{listed - failed:,} invoices {done}.")
    if failed:
        print_note(f"{failed:,} commands were rejected or not answered. Run it again.")
        raise typer.Exit(1)


async def _restate(
    settings: "Settings", dry_run: bool, wait_seconds: float, as_json: bool
) -> tuple[int, int]:
    """List all restatements and send their commands; gives how many, and how many failed."""
    from invoicing.maintenance.restatement import restatements_due

    listed = failed = 0
    waiting: list[ReadyCommand] = []
    async for restatement in restatements_due(settings):
        _print(restatement, as_json)
        listed += 1
        if dry_run:
            continue
        waiting.append(_command(restatement.invoice_id))
        if len(waiting) == COMMANDS_AT_ONCE:
            failed += await _send(settings, waiting, wait_seconds)
            waiting = []
    if waiting:
        failed += await _send(settings, waiting, wait_seconds)
    return listed, failed


def _command(invoice_id: str) -> "ReadyCommand":
    from datetime import UTC, datetime
    from uuid import uuid4

    import orjson

    from invoicing.ops.support.command_file import SOURCE, ReadyCommand, complete

    # An id of its own for each run: a worker of an older release may have rejected the last one.
    id_ = str(uuid4())
    document = {"type": "RestateInvoice", "subject": invoice_id, "data": {}}
    value = complete(orjson.dumps(document), datetime.now(UTC), lambda: id_)
    return ReadyCommand(SOURCE, id_, invoice_id, value)


async def _send(settings: "Settings", commands: "list[ReadyCommand]", wait_seconds: float) -> int:
    """Send commands and wait for their replies; gives how many were rejected or not answered."""
    from invoicing.ops.support.sender import send_and_track

    tracker = await send_and_track(settings, commands, wait_seconds, lambda _: None)
    rejected = sum("code" in reply for reply in tracker.replies.values())
    return rejected + len(tracker.missing)


def _print(restatement: "Restatement", as_json: bool) -> None:
    import orjson

    from invoicing.ops.support.console import print_line

    before, after = restatement.before, restatement.after
    if as_json:
        document = {
            "invoice_id": restatement.invoice_id,
            "before": _fields(before),
            "after": _fields(after),
        }
        print_line(orjson.dumps(document).decode())
    else:
        print_line(f"{restatement.invoice_id}: {_words(before)} -> {_words(after)}")


def _fields(balance: "Balance") -> dict[str, str]:
    return {name: str(value) for name, value in balance._asdict().items()}


def _words(balance: "Balance") -> str:
    """The state and those amounts that are not zero."""
    fields = balance._asdict()
    state = fields.pop("state")
    amounts = [f"{name} {amount}" for name, amount in fields.items() if amount]
    return ", ".join([state, *amounts])
