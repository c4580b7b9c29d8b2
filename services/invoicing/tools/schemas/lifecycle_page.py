"""The generated part of the lifecycle page: the transitions as a diagram and a table."""

from collections.abc import Iterable
from typing import Final

from invoicing.contracts.invoice import State
from invoicing.domain.transitions import TRANSITIONS, Transition, state_diagram

BEGIN: Final = "<!-- from here to the end mark: written by `make schemas` -->"
END: Final = "<!-- the end mark -->"


def renewed(page: str) -> str:
    """The page with the current table and diagram between the marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n```mermaid\n{state_diagram()}```\n\n{_table()}\n{END}{after}"


def _table() -> str:
    states = list(State)
    rows = [
        _row("Command", (state.value for state in states)),
        _row("---", ("---" for _ in states)),
        *(
            _row(f"`{command.__name__}`", (_cell(transition, state) for state in states))
            for command, transition in TRANSITIONS.items()
        ),
    ]
    return "\n".join(rows) + "\n"


def _row(first: str, others: Iterable[str]) -> str:
    return f"| {' | '.join((first, *others))} |"


def _cell(transition: Transition, state: State) -> str:
    """The states that the command leads to: `=` is the same one, a blank is a rejection."""
    return ", ".join(
        "=" if target is state else target.value for target in transition.moves.get(state, ())
    )
