"""Times as people type them."""

from datetime import UTC, datetime

import typer


def time_of(text: str | None) -> datetime | None:
    """The time, in UTC where it says no zone. Raises `typer.BadParameter`."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time such as 2026-11-20T10:00:00Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
