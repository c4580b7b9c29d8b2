"""Where the worker spends its time, by function."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from invoicing.tools.bench import load
from invoicing.tools.bench.figures import Row, Series
from invoicing.tools.bench.ground import Ground
from invoicing.tools.bench.processes import INVOICING
from invoicing.tools.bench.scale import Scale
from invoicing.tools.bench.throughput import measure

SHOWN_MAX: Final = 30
UNIT: Final = "%"
SERVICES: Final = f"{Path(__file__).parents[3]}/"
PACKAGES: Final = "site-packages/"

Samples = list[tuple[list[str], int]]
"""Stacks from the outermost frame to the innermost, and how often each was seen."""


async def profile(ground: Ground, scale: Scale) -> Row:
    """py-spy's samples of a worker under a mixed load."""
    path = ground.directory / "profile.raw"
    async with ground.fresh() as site:
        await measure(site, INVOICING, load.mixed(scale.commands, 0), profile=path)
    below, itself = figures(path)
    return Row(
        "profile",
        "Where the worker's time goes: functions with what they call, then by themselves",
        [*below, *itself],
        notes=[
            "By itself leaves out what other functions of ours do, and counts the packages that"
            " it calls. What runs without any of ours goes under its package's name.",
        ],
    )


def figures(path: Path) -> tuple[list[Series], list[Series]]:
    """The share of samples that functions are in: with all that they call, and by themselves."""
    samples: Samples = []
    for line in path.read_text().splitlines():
        frames, _, number = line.rpartition(" ")
        samples.append(([_function_name(frame) for frame in frames.split(";")], int(number)))
    return (
        _series(samples, lambda stack: {name for name in stack if _is_ours(name)}),
        _series(samples, lambda stack: {next(filter(_is_ours, reversed(stack)), stack[-1])}),
    )


def _function_name(frame: str) -> str:
    """py-spy writes `function (file:line)`: ours as `room/module.function`, others by package."""
    function, _, location = frame.rpartition(" (")
    path = location.rpartition(":")[0].removesuffix(".py")
    if path.startswith(SERVICES):
        return f"{path.removeprefix(SERVICES)}.{function}"
    _, _, within = path.rpartition(PACKAGES)
    return f"package {within.partition('/')[0]}" if within != path else "package python"


def _is_ours(name: str) -> bool:
    return not name.startswith(("package ", "ops/"))


def _series(samples: Samples, names_of: Callable[[list[str]], set[str]]) -> list[Series]:
    counts: Counter[str] = Counter()
    for stack, number in samples:
        counts.update(dict.fromkeys(names_of(stack), number))
    total = sum(number for _, number in samples)
    return [
        Series(name, UNIT, [100 * number / total]) for name, number in counts.most_common(SHOWN_MAX)
    ]
