"""Dead letters as a table, as a page, and as JSON."""

import base64
from typing import Final

import orjson
from rich import box
from rich.table import Table
from rich.text import Text

from invoicing.contracts.types.card_numbers import mask_card_numbers
from invoicing.maintenance.redrive import DeadLetterRecord
from invoicing.ops.support.console import print_line
from invoicing.ops.support.formatting import clock, plain

SHOWN_BYTES_MAX: Final = 10_000


def letters_table() -> Table:
    """An empty table for `add_letter`."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Position", no_wrap=True)
    table.add_column("Dead-lettered (UTC)", no_wrap=True)
    for heading in ("Reason", "Origin", "Command", "Sent back"):
        table.add_column(heading, overflow="fold")
    return table


def add_letter(table: Table, letter: DeadLetterRecord, redriven: bool) -> None:
    """Add a row."""
    command, failure = letter.command, letter.failure
    table.add_row(
        letter.position,
        clock(failure.failed_at) if failure.failed_at else "-",
        Text(plain(failure.reason)),
        Text(plain(failure.origin)),
        Text(plain(f"{command.type} of {command.subject}" if command else "-")),
        "yes" if redriven else "",
    )


def print_letter(letter: DeadLetterRecord, redriven: bool) -> None:
    """Print a letter for people: its headers, and as much of its value as is text.

    Card numbers are masked.
    """
    print_line(f"Dead letter {letter.position}{', sent back' if redriven else ''}")
    print_line(f"key: {_readable(letter.key)}")
    for name, value in letter.headers:
        print_line(f"{plain(name)}: {_readable(value)}")
    print_line("")
    print_line(_readable(letter.value))


def _readable(value: bytes | None) -> str:
    """Text that cannot steer the terminal."""
    if value is None:
        return "(none)"
    cut = value[:SHOWN_BYTES_MAX]
    try:
        text = plain(mask_card_numbers(cut.decode()))
    except UnicodeDecodeError:
        # As Python writes bytes: ASCII as text, everything else as \x...
        text = repr(cut)[2:-1]
    return text if len(value) <= len(cut) else f"{text} ... of {len(value)} bytes"


def print_letter_json(letter: DeadLetterRecord, redriven: bool) -> None:
    """Print a letter as one line of JSON, complete."""
    failure = letter.failure
    fields = {
        "position": letter.position,
        "reason": failure.reason,
        "message": failure.message,
        "origin": failure.origin,
        "failed_at": failure.failed_at.isoformat() if failure.failed_at else None,
        "sent_back": redriven,
        "key": _json_bytes(letter.key),
        "headers": [[name, _json_bytes(value)] for name, value in letter.headers],
        "value": _json_bytes(letter.value),
    }
    print_line(orjson.dumps(fields).decode())


def _json_bytes(value: bytes | None) -> str | dict[str, str] | None:
    """Bytes in JSON: a string if they are UTF-8, else base64."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
