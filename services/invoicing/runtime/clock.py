"""The process's clock: when a command is handled, and at which instant a status is shown.

Tests move it by a setting, which is refused where Kafka or Postgres is on another machine.
"""

from datetime import UTC, datetime, timedelta

_offset = timedelta(0)


def now() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC) + _offset


def move(seconds: float) -> None:
    """Let the clock be ahead of the machine's by so many seconds, or behind."""
    global _offset
    _offset = timedelta(seconds=seconds)
