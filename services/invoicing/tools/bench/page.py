"""The figures as files: JSON for programs, and one HTML page that needs nothing else."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Final

import orjson

from invoicing.tools.bench.figures import Row
from invoicing.tools.bench.plots import bars, lines
from invoicing.tools.bench.table import number

FIGURES: Final = "figures.json"
PAGE: Final = "index.html"

STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
svg { width: 100%; font-size: 12px; fill: currentColor; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { padding: .2rem 1rem .2rem 0; text-align: left; font-variant-numeric: tabular-nums; }
.met { color: #059669; } .missed { color: #dc2626; }
small { display: block; opacity: .7; }
:root { color-scheme: light dark; }
"""


def write(rows: Sequence[Row], directory: Path) -> None:
    """Write both files, replacing older ones."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / FIGURES).write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
    (directory / PAGE).write_text(page(rows, datetime.now(UTC)), encoding="utf-8")


def page(rows: Sequence[Row], measured_at: datetime) -> str:
    """The whole page."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Invoicing: how fast</title>'
        f"<style>{STYLE}</style><h1>How fast</h1>"
        f"<p>Measured until {measured_at:%Y-%m-%d %H:%M} UTC. Every contender ran in turns with its"
        " opponent: what counts is the ratio, the median of the rounds.</p>"
        f"{''.join(part for row in rows for part in _section(row))}</html>"
    )


def _section(row: Row) -> Iterator[str]:
    yield f"<h2>{escape(row.title)}</h2>"
    if row.ratios:
        yield "<table><tr><th>Ratio<th>Median<th>Spread<th>Aim"
        for ratio in row.ratios:
            outcome = "met" if ratio.is_met else "missed"
            spread = f"{number(min(ratio.samples))} to {number(max(ratio.samples))}"
            yield f'<tr><td>{escape(ratio.name)}<td class="{outcome}">{ratio.median:.2f}'
            yield f"<td>{spread}<td>{ratio.aim_text}"
        yield "</table>"
    for unit, series in groupby(sorted(row.series, key=attrgetter("unit")), attrgetter("unit")):
        yield f"<h3>{escape(unit)}</h3>{bars(list(series))}"
    for grid in row.grids:
        yield f"<table><tr><th>{'<th>'.join(map(escape, [grid.title, *grid.columns]))}"
        for name, values in grid.rows.items():
            yield f"<tr><td>{'<td>'.join([escape(name), *map(number, values)])}"
        yield "</table>"
    for curves in row.curves:
        yield f"<h3>{escape(curves.title)}</h3>{lines(curves)}"
    yield from (f"<small>{escape(note)}</small>" for note in row.notes)
