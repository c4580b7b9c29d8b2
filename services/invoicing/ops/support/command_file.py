"""A file of commands: JSON documents, each a CloudEvent, all checked before any is sent."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson

from invoicing.contracts.envelope import DecodeFailure, read_command
from invoicing.contracts.types.texts import rfc3339

_NOT_BLANK: Final = re.compile(r"[^ \t\r\n]")

SOURCE: Final = "/invoicing/cli"
"""The source of commands that name none."""


@dataclass(frozen=True)
class ReadyCommand:
    """A command as it will be sent."""

    source: str
    id: str
    invoice_id: str
    value: bytes


@dataclass(frozen=True)
class BadDocument:
    """A document that cannot be sent: the line that it begins on, from 1, and what is wrong."""

    line: int
    reason: str


def read_commands(
    content: bytes, now: datetime, new_id: Callable[[], str]
) -> Iterator[ReadyCommand | BadDocument]:
    """Yield every document of a file, as a command to send or with what is wrong with it.

    A document may be on one line, as in JSON lines, or pretty-printed over several.
    """
    for line, document in _documents(content):
        value = complete(document, now, new_id)
        command = read_command(value, ())
        if isinstance(command, DecodeFailure):
            yield BadDocument(line, command.message)
        elif command.errors:
            reasons = (f"{error.field} {error.reason}." for error in command.errors)
            yield BadDocument(line, " ".join(reasons))
        else:
            yield ReadyCommand(command.source, command.id, command.subject, value)


def _documents(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Split a file into JSON documents, each with the line that it begins on.

    Where no document can be parsed, the line stands for it, so that its error is reported; so does
    the rest of the file if that line is only the beginning of a document.
    """
    # One character for each byte, so that offsets agree; only ASCII matters for splitting.
    text = content.decode("latin-1")
    decoder = json.JSONDecoder()
    start = 0
    while beginning := _NOT_BLANK.search(text, start):
        start = beginning.start()
        try:
            _, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            line_end = text.find("\n", start)
            end = len(text) if line_end < 0 else line_end
            if text[start] in "{[" and text[start:end].rstrip()[-1] not in "}]":
                end = len(text)
        yield text.count("\n", 0, start) + 1, content[start:end].strip()
        start = end


def complete(document: bytes, now: datetime, new_id: Callable[[], str]) -> bytes:
    """The document with the attributes that it leaves out; the rest stays byte for byte.

    Anything but an object is returned as it is, to be rejected by `read_command`.
    """
    try:
        given = orjson.loads(document)
    except orjson.JSONDecodeError:
        return document
    defaults = {
        "specversion": "1.0",
        "id": new_id(),
        "source": SOURCE,
        "time": rfc3339(now),
    }
    if not given or not isinstance(given, dict):
        return document
    missing = {name: value for name, value in defaults.items() if name not in given}
    return orjson.dumps(missing)[:-1] + b"," + document[1:] if missing else document
