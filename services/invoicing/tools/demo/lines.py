"""The demo's lines: what was sent, what was answered, what happened."""

from collections.abc import Mapping
from typing import Any, Final

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from invoicing.contracts.dead_letters import DeadLetterHeaders
from invoicing.contracts.replies import REJECTED, RejectionCode
from invoicing.ops.support.formatting import short_type, standing

INDENT_COLUMNS: Final = 4
NAME_COLUMNS: Final = 16


def scene_line(number: int, shows: str) -> RenderableType:
    """What the scene is to show."""
    return _row((INDENT_COLUMNS - 1, Text(f"{number}.", style="bold")), Text(shows, style="bold"))


def message_line(title: str) -> RenderableType:
    """The message that is sent."""
    return Padding(_row((2, Text("->", style="cyan")), Text(title)), (0, 0, 0, INDENT_COLUMNS))


def answer_line(answer: Mapping[str, Any]) -> RenderableType:
    """A command's answer."""
    data = answer["data"]
    if answer["type"] != REJECTED:
        return _line("<-", "accepted", f"version {data['version']}, {data['state']}", "green")
    words = [f"{data['code']}.", data["message"]]
    words += [f"{error['field']} {error['reason']}." for error in data["errors"]]
    if data["code"] == RejectionCode.ILLEGAL_TRANSITION:
        words.append(f"It would take: {', '.join(data['available_commands'])}.")
    return _line("<-", "rejected", " ".join(words), "yellow")


def event_line(event: Mapping[str, Any]) -> RenderableType:
    """An event, and how the invoice stands after it."""
    words = f"version {event['version']}, {standing(event['data'])}"
    return _line(" *", short_type(event["type"]), words, "blue")


def dead_letter_line(failure: DeadLetterHeaders) -> RenderableType:
    """A dead letter and its reason."""
    return _line("<-", "dead letter", f"{failure.reason}. {failure.message}", "yellow")


def _line(sign: str, name: str, words: str, style: str) -> RenderableType:
    row = _row((2, Text(sign, style=style)), (NAME_COLUMNS, Text(name, style=style)), Text(words))
    return Padding(row, (0, 0, 0, INDENT_COLUMNS))


def _row(*cells: tuple[int, Text] | Text) -> Table:
    """Cells side by side, those with a width first, so that the last one wraps below itself."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    texts = []
    for cell in cells:
        width, text = cell if isinstance(cell, tuple) else (None, cell)
        grid.add_column(width=width)
        texts.append(text)
    grid.add_row(*texts)
    return grid
