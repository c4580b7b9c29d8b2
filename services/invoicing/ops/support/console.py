"""Where the commands write: results on standard output, all else on standard error."""

from rich.console import Console

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_line(text: str) -> None:
    """One line on standard output, exactly as it is: no markup, no wrapping."""
    out.print(text, markup=False, emoji=False, soft_wrap=True)


def print_note(text: str) -> None:
    """One line on standard error, exactly as it is."""
    err.print(text, markup=False, emoji=False, soft_wrap=True)
