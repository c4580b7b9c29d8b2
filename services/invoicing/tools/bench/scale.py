"""How much is measured: a standard run takes ten minutes on two processors, a quick one one."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Scale:
    """How often and how much. The usual design has fewer commands: it needs so much longer."""

    rounds: int
    commands: int
    commands_usual: int
    commands_long: int
    latency_seconds: float
    growth_events: int
    rebuild_events: int
    memory_seconds: float


STANDARD: Final = Scale(
    rounds=3,
    commands=12_000,
    commands_usual=1_500,
    commands_long=4_000,
    latency_seconds=6,
    growth_events=1_000_000,
    rebuild_events=400_000,
    memory_seconds=30,
)
QUICK: Final = Scale(
    rounds=1,
    commands=4_000,
    commands_usual=200,
    commands_long=800,
    latency_seconds=3,
    growth_events=40_000,
    rebuild_events=20_000,
    memory_seconds=5,
)
