"""Options and argument types that several commands share."""

from datetime import UTC, datetime
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def parse_time(text: str) -> datetime:
    """Parse a time, or a day as its first moment, in UTC unless it has an offset.

    Raises `typer.BadParameter`.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time such as 2026-11-20T10:00:00Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
