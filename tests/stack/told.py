"""What a run of tests has to say of itself at its end: what it ran on, what it could not test."""

from typing import Any

import pytest

TOLD = pytest.StashKey[list[str]]()
"""The lines; of the processes that run tests side by side, each hands its own over."""

NOT_TESTED = "NOT TESTED"
"""A line that begins so must not be overlooked."""


def tell(config: pytest.Config, line: str) -> None:
    """Say it at the end, once."""
    config.stash.setdefault(TOLD, []).append(line)


def hand_over(config: pytest.Config) -> None:
    """Give what this process has to say to the one that reports, where that is another."""
    if hasattr(config, "workeroutput"):
        config.workeroutput["told"] = config.stash.get(TOLD, [])


def take_over(config: pytest.Config, node: Any) -> None:
    """Take what another process had to say."""
    for line in getattr(node, "workeroutput", {}).get("told", ()):
        tell(config, line)


def say_all(config: pytest.Config, reporter: pytest.TerminalReporter) -> None:
    """Write all of it."""
    for line in dict.fromkeys(config.stash.get(TOLD, [])):
        reporter.write_line(line, bold=True, red=line.startswith(NOT_TESTED))
