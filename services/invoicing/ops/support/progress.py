"""Progress bars on standard error, where that is a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from invoicing.ops.support.console import err


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Bars with a name, a count and the time; elsewhere than on a terminal, nothing."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        yield progress


class Bars:
    """A bar for each source that is read, made when its first progress is reported."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, Any] = {}

    def __call__(self, source: str, done: int, estimate: int) -> None:
        """Report how much of a source was read, and about how much there is."""
        if source not in self._tasks:
            self._tasks[source] = self._progress.add_task(source)
        self._progress.update(self._tasks[source], completed=done, total=max(done, estimate))


@contextmanager
def source_bars() -> Iterator[Bars]:
    """Bars for whatever reads several sources, one after another."""
    with progress_bars() as progress:
        yield Bars(progress)
