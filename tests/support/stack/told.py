"""What a run of tests has to say of itself at its end: what it ran on, what it could not test."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

TOLD = pytest.StashKey[list[str]]()
"""The lines; of the processes that run tests side by side, each hands its own over."""


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
    """Write all of it. What was skipped, wherever that was, must not be overlooked."""
    for line in dict.fromkeys(config.stash.get(TOLD, [])):
        reporter.write_line(line, bold=True)
    for line in _not_tested(reporter):
        reporter.write_line(line, bold=True, red=True)


def _not_tested(reporter: pytest.TerminalReporter) -> Iterator[str]:
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ") for report in reporter.stats.get("skipped", ())
    )
    for reason, count in reasons.items():
        yield f"NOT TESTED: {count} skipped: {reason}"
