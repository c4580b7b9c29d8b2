"""What a run of requests is summed up in."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figures:
    """How many a second, and how long the middle one and the slowest in a hundred took."""

    per_second: float
    p50_ms: float
    p99_ms: float

    def __str__(self) -> str:
        return f"{self.per_second:8,.0f}/s  p50 {self.p50_ms:6.2f} ms  p99 {self.p99_ms:6.2f} ms"


def figures_of(latencies: Sequence[float], seconds: float) -> Figures:
    """The figures of requests that took so many seconds each, all within `seconds`."""
    hundredths = statistics.quantiles(latencies, n=100)
    return Figures(len(latencies) / seconds, hundredths[49] * 1000, hundredths[98] * 1000)


def median_of(rounds: Sequence[Figures]) -> Figures:
    """Each figure's median over the rounds."""
    return Figures(
        statistics.median(figures.per_second for figures in rounds),
        statistics.median(figures.p50_ms for figures in rounds),
        statistics.median(figures.p99_ms for figures in rounds),
    )
