"""What a round of chaos did, and how long nobody was answered after each kind of fault."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

DIRECTORY = Path(__file__).parents[2] / ".local" / "chaos"


@dataclass
class Round:
    """One round's figures. `longest_gaps` are seconds without an answer, by the last fault."""

    name: str
    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    longest_gaps: dict[str, float] = field(default_factory=dict)
    records: int = 0
    commands: int = 0
    answers: int = 0
    dead_letters: int = 0
    seconds: float = 0.0
    finding: str | None = "not ended"

    def __post_init__(self) -> None:
        self._last_fault = "start"
        self._last_answer = self._began = monotonic()

    def note(self, kind: str) -> None:
        """A fault of this kind was done."""
        self.faults[kind] += 1
        self._last_fault = kind

    def see(self, answers: int) -> None:
        """So many answers are there now."""
        now = monotonic()
        if answers > self.answers:
            gap, kind = now - self._last_answer, self._last_fault
            self.longest_gaps[kind] = max(gap, self.longest_gaps.get(kind, 0.0))
            self.answers, self._last_answer = answers, now
        self.seconds = now - self._began

    @property
    def kills(self) -> int:
        """How many workers were killed by SIGKILL."""
        return sum(count for kind, count in self.faults.items() if kind.startswith("SIGKILL"))

    @property
    def verdict(self) -> str:
        return "every promise was kept" if self.finding is None else f"FAILED: {self.finding}"

    def save(self) -> Path:
        """Write it as JSON beside the evidence."""
        directory = DIRECTORY / f"{self.name}-{self.seed}"
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / "report.json"
        figures = {name: figure for name, figure in vars(self).items() if not name.startswith("_")}
        told: dict[str, Any] = {**figures, "kills": self.kills, "verdict": self.verdict}
        path.write_text(json.dumps(told, indent=2, sort_keys=True))
        return path

    def table(self) -> str:
        """For people."""
        lines = [
            f"{self.name}, CHAOS_SEED={self.seed}: {self.verdict}",
            f"{self.records} records with {self.commands} commands, {self.answers} answers,"
            f" {self.dead_letters} dead letters, {self.kills} SIGKILLs in {self.seconds:.0f} s",
            f"{'fault':<40}{'count':>7}{'longest gap of answers, s':>28}",
        ]
        for kind, count in sorted(self.faults.items()):
            gap = self.longest_gaps.get(kind)
            lines.append(f"{kind:<40}{count:>7}{'' if gap is None else f'{gap:.1f}':>28}")
        return "\n".join(lines)
