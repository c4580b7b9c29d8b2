"""What was measured: samples of contenders, and the ratios of those that ran in the same round."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Series:
    """One contender's samples, one a round."""

    name: str
    unit: str
    samples: list[float]

    @property
    def median(self) -> float:
        """The sample in the middle."""
        return statistics.median(self.samples)


@dataclass(frozen=True)
class Ratio:
    """Ours to an opponent's, round by round, and what we aim at."""

    name: str
    samples: list[float]
    aim: float | None = None
    bound: Literal["at least", "at most"] = "at least"

    @property
    def median(self) -> float:
        """The ratio in the middle."""
        return statistics.median(self.samples)

    @property
    def is_met(self) -> bool:
        """Whether the aim is reached, where there is one."""
        if self.aim is None:
            return True
        return self.median >= self.aim if self.bound == "at least" else self.median <= self.aim

    @property
    def aim_text(self) -> str:
        """The aim in words."""
        return "" if self.aim is None else f"{self.bound} {self.aim:g}"


Line = list[tuple[float, float]]


@dataclass(frozen=True)
class Curves:
    """Lines over a common axis, for a plot."""

    title: str
    x_label: str
    y_label: str
    lines: dict[str, Line]


@dataclass(frozen=True)
class Grid:
    """Figures of one unit by row and column."""

    title: str
    columns: list[str]
    rows: dict[str, list[float]]


@dataclass(frozen=True)
class Row:
    """One question of the benchmark, answered. `notes` say what to know about the figures."""

    key: str
    title: str
    series: list[Series]
    ratios: list[Ratio] = field(default_factory=list)
    curves: list[Curves] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def ratio(
    ours: Series,
    theirs: Series,
    aim: float | None = None,
    bound: Literal["at least", "at most"] = "at least",
) -> Ratio:
    """The ratio of two series that ran in the same rounds."""
    samples = [our / their for our, their in zip(ours.samples, theirs.samples, strict=True)]
    return Ratio(f"{ours.name} / {theirs.name}", samples, aim, bound)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
