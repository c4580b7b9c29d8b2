"""The part of the page on the invoice's life that is read from the domain's table."""

from collections.abc import Iterable
from typing import Final

from invoicing.contracts.invoice import State
from invoicing.domain.transitions import TRANSITIONS, Transition, state_diagram

BEGIN: Final = "<!-- from here to the end mark: written by `make schemas` -->"
END: Final = "<!-- the end mark -->"


def renewed(page: str) -> str:
    """The page with what stands between the marks as the domain has it now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{_diagram()}\n{_table()}\n{END}{after}"


def _diagram() -> str:
    return f"```mermaid\n{state_diagram()}```\n"


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
    """Where the command leads from the state: `=` leaves it, a blank refuses."""
    return ", ".join(
        "=" if target is state else target.value for target in transition.moves.get(state, ())
    )
