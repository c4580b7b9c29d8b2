"""The terminal: results go to standard output, everything else to standard error."""

from typing import Final

from rich.console import Console
from rich.table import Table

# Wider than any row: a program that reads the table gets every word, one row a line.
PIPE_COLUMNS: Final = 10_000

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_line(text: str) -> None:
    """Print one line on standard output as it is: no markup, no wrapping."""
    out.print(text, markup=False, emoji=False, soft_wrap=True)


def print_note(text: str) -> None:
    """Print one line on standard error as it is."""
    err.print(text, markup=False, emoji=False, soft_wrap=True)


def print_table(table: Table) -> None:
    """Print a table: folded to the terminal's width, or unfolded where there is no terminal."""
    console = out if out.is_terminal else Console(width=PIPE_COLUMNS, highlight=False)
    console.print(table)
