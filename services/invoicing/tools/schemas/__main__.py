"""`python -m invoicing.tools.schemas write` or `check`, at the project's root."""

import sys
from pathlib import Path

from invoicing.ops.support.console import print_note
from invoicing.tools.schemas.files import out_of_date, write


def main(arguments: list[str]) -> int:
    """Write the files, or list those that differ from the models; returns the exit code."""
    if arguments == ["write"]:
        write(Path.cwd())
        return 0
    if arguments != ["check"]:
        print_note("Say write or check.")
        return 2
    stale = out_of_date(Path.cwd())
    if stale:
        print_note(f"Out of date: {', '.join(map(str, stale))}. Run `make schemas` and commit.")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
