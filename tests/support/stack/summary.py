"""The summary at the end of a test run: what the services ran on, and what was not tested."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

LINES = pytest.StashKey[list[str]]()
"""The lines of this process. With pytest-xdist, each worker sends its own to the controller."""


def add_line(config: pytest.Config, line: str) -> None:
    """Add a line to the summary; repeated lines are printed once."""
    config.stash.setdefault(LINES, []).append(line)


def send_to_controller(config: pytest.Config) -> None:
    """Send this process's lines to the one that reports, if that is another."""
    if hasattr(config, "workeroutput"):
        config.workeroutput["summary"] = config.stash.get(LINES, [])


def receive_from_worker(config: pytest.Config, node: Any) -> None:
    """Add the lines of another process."""
    for line in getattr(node, "workeroutput", {}).get("summary", ()):
        add_line(config, line)


def write_summary(config: pytest.Config, reporter: pytest.TerminalReporter) -> None:
    """Write all lines, then every reason for which tests were skipped, in red."""
    for line in dict.fromkeys(config.stash.get(LINES, [])):
        reporter.write_line(line, bold=True)
    for line in _not_tested(reporter):
        reporter.write_line(line, bold=True, red=True)


def _not_tested(reporter: pytest.TerminalReporter) -> Iterator[str]:
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ") for report in reporter.stats.get("skipped", ())
    )
    for reason, count in reasons.items():
        yield f"NOT TESTED: {count} skipped: {reason}"
