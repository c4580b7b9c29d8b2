"""How much is measured: a standard run takes ten minutes on two processors, a quick one one."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Scale:
    """How often and how much. The usual design has fewer commands: it needs so much longer."""

    rounds: int
    commands: int
    commands_usual: int


STANDARD: Final = Scale(rounds=3, commands=20_000, commands_usual=1_500)
QUICK: Final = Scale(rounds=1, commands=4_000, commands_usual=200)
