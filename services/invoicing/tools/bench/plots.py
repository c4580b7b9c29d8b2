"""Plots as SVG, of the few kinds that figures need: bars, and lines over a common axis."""

from collections.abc import Sequence
from html import escape
from itertools import cycle
from typing import Final

from invoicing.tools.bench.figures import Curves, Line, Series
from invoicing.tools.bench.table import number

WIDTH: Final = 640
LABELS_WIDTH: Final = 190
BAR_HEIGHT: Final = 26
PLOT_HEIGHT: Final = 260
MARGIN: Final = 48
COLOURS: Final = ("#2563eb", "#9ca3af", "#d97706", "#059669", "#7c3aed")


def bars(series: Sequence[Series]) -> str:
    """One bar for each median, with a dot for each sample. All must have one unit."""
    largest = max(max(one.samples) for one in series)
    scale = (WIDTH - LABELS_WIDTH - 90) / largest
    parts = []
    for index, (one, colour) in enumerate(zip(series, cycle(COLOURS), strict=False)):
        top, width = index * BAR_HEIGHT, one.median * scale
        middle = top + BAR_HEIGHT / 2
        dots = "".join(
            f'<circle cx="{LABELS_WIDTH + sample * scale:.1f}" cy="{middle}" r="2.5"/>'
            for sample in one.samples
        )
        parts.append(
            f'<text x="{LABELS_WIDTH - 8}" y="{middle + 4}" text-anchor="end">{escape(one.name)}'
            f'</text><rect x="{LABELS_WIDTH}" y="{top + 4}" width="{width:.1f}"'
            f' height="{BAR_HEIGHT - 8}" fill="{colour}"/>{dots}'
            f'<text x="{WIDTH - 4}" y="{middle + 4}" text-anchor="end">{number(one.median)}</text>'
        )
    return _svg(len(series) * BAR_HEIGHT, parts)


def lines(curves: Curves) -> str:
    """The lines with their axes, from zero to the largest of each."""
    points = [point for line in curves.lines.values() for point in line]
    x_max, y_max = (max(values) or 1.0 for values in zip(*points, strict=True))
    height = PLOT_HEIGHT - 2 * MARGIN
    bottom, right = PLOT_HEIGHT - MARGIN, WIDTH - MARGIN
    axes = (
        f'<path d="M{MARGIN},{MARGIN} V{bottom} H{right}" fill="none" stroke="#9ca3af"/>'
        f'<text x="{MARGIN - 4}" y="{MARGIN}" text-anchor="end">{number(y_max)}</text>'
        f'<text x="{MARGIN - 4}" y="{bottom}" text-anchor="end">0</text>'
        f'<text x="{right}" y="{bottom + 16}" text-anchor="end">{number(x_max)}</text>'
        f'<text x="{(MARGIN + right) / 2}" y="{bottom + 32}" text-anchor="middle">'
        f"{escape(curves.x_label)} · {escape(curves.y_label)} upwards</text>"
    )
    parts = [
        axes,
        *(
            _line(name, line, index, (WIDTH - 2 * MARGIN) / x_max, height / y_max)
            for index, (name, line) in enumerate(curves.lines.items())
        ),
    ]
    return _svg(PLOT_HEIGHT, parts)


def _line(name: str, line: Line, index: int, x_scale: float, y_scale: float) -> str:
    colour = COLOURS[index % len(COLOURS)]
    path = " ".join(
        f"{MARGIN + x * x_scale:.1f},{PLOT_HEIGHT - MARGIN - y * y_scale:.1f}" for x, y in line
    )
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        f'<text x="{MARGIN + 8}" y="{16 + 16 * index}" style="fill:{colour}">{escape(name)}</text>'
    )


def _svg(height: int, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{"".join(parts)}</svg>'
