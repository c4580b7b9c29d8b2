"""Progress bars for what reads several things, one after another."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from invoicing.ops.support.console import err

_COLUMNS: Final = (
    TextColumn("{task.description:<30}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
)


class Bars:
    """A bar for each thing that is read."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, Any] = {}

    def __call__(self, what: str, done: int, about: int) -> None:
        """Tell what is read, how much of it was, and about how much there is."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what)
        self._progress.update(self._tasks[what], completed=done, total=max(done, about))


@contextmanager
def bars() -> Iterator[Bars]:
    """Bars on a terminal's standard error; elsewhere nothing."""
    with Progress(*_COLUMNS, console=err, disable=not err.is_terminal) as progress:
        yield Bars(progress)
