"""The figures as a table in a terminal."""

from collections.abc import Container

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from invoicing.tools.bench.figures import Row, Series


def table_of(row: Row) -> RenderableType:
    """A row's contenders with median and spread, then its ratios with their aims."""
    figures = _table("", "Median", "Spread", "")
    for series in row.series:
        wide = spread(series) if len(series.samples) > 1 else ""
        figures.add_row(Text(series.name), number(series.median), wide, series.unit)
    parts: list[RenderableType] = [Text(row.title, style="bold"), figures]
    if row.ratios:
        ratios = _table("Ratio", "Median", "Spread", "Aim")
        for ratio in row.ratios:
            median = Text(f"{ratio.median:.2f}", style="green" if ratio.is_met else "red")
            wide = f"{min(ratio.samples):.2f} to {max(ratio.samples):.2f}"
            ratios.add_row(ratio.name, median, wide, ratio.aim_text)
        parts.append(ratios)
    for grid in row.grids:
        figures = _table(grid.title, *grid.columns, right=range(1, len(grid.columns) + 1), gap=1)
        for name, values in grid.rows.items():
            figures.add_row(Text(name), *map(number, values))
        parts.append(figures)
    parts += [Text(note, style="dim") for note in row.notes]
    return Group(*parts, "")


def number(value: float) -> str:
    """A figure with as many digits as mean something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(series: Series) -> str:
    """The smallest and the largest sample."""
    return f"{number(min(series.samples))} to {number(max(series.samples))}"


def _table(*columns: str, right: Container[int] = (1, 2), gap: int = 2) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, gap, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in right else "left", no_wrap=True)
    return table
