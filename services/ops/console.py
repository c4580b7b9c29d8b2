"""Where the commands write: results on standard output, all else on standard error."""

from rich.console import Console

# What programs read goes through `out` too, so it must stay as it was given: see `print_json_line`.
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_line(text: str) -> None:
    """One line on standard output, exactly as it is: no markup, no wrapping."""
    out.print(text, markup=False, soft_wrap=True)
