"""A file of commands: JSON lines, each a CloudEvent, checked before any is sent."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson

from invoicing.contracts.envelope import CommandEnvelope, DecodeFailure, read_command
from invoicing.contracts.types.texts import rfc3339

SOURCE: Final = "/invoicing/cli"
"""Who sends a command that does not say so."""


@dataclass(frozen=True)
class ReadyCommand:
    """A command as it will be sent."""

    source: str
    id: str
    invoice_id: str
    value: bytes


@dataclass(frozen=True)
class BadLine:
    """A line that cannot be sent: `number` counts from 1."""

    number: int
    reason: str


def read_lines(
    lines: Iterable[bytes], now: datetime, new_id: Callable[[], str]
) -> Iterator[ReadyCommand | BadLine]:
    """Each line that is not blank, as a command to send or with what is wrong about it."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _read_line(number, completed(line.strip(), now, new_id))


def _read_line(number: int, value: bytes) -> ReadyCommand | BadLine:
    command = read_command(value, ())
    if isinstance(command, DecodeFailure):
        return BadLine(number, command.message)
    if command.errors:
        return BadLine(number, _faults(command))
    return ReadyCommand(command.source, command.id, command.subject, value)


def _faults(command: CommandEnvelope) -> str:
    return " ".join(f"{error.field} {error.reason}." for error in command.errors)


def completed(line: bytes, now: datetime, new_id: Callable[[], str]) -> bytes:
    """The line with the attributes that it leaves out; what it holds stays byte for byte.

    A line that is not an object is left as it is, for the reader of commands to say so.
    """
    given = _attributes(line)
    defaults = {
        "specversion": "1.0",
        "id": new_id(),
        "source": SOURCE,
        "time": rfc3339(now),
    }
    missing = {name: value for name, value in defaults.items() if name not in given}
    if not given or not missing:
        return line
    return orjson.dumps(missing)[:-1] + b"," + line[1:]


def _attributes(line: bytes) -> dict[str, object]:
    try:
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
