"""Instructions for a command, handled in memory: by its kind and by stage."""

import asyncio
from collections.abc import Sequence
from typing import Final

from invoicing.tools.bench.figures import Grid, Row, Series
from invoicing.tools.bench.ground import Ground
from invoicing.tools.bench.instructions.counts import Counts, counted, mixed
from invoicing.tools.bench.instructions.program import PASSES
from invoicing.tools.bench.instructions.stages import REST
from invoicing.tools.bench.scale import Scale

UNIT: Final = "thousand"
MIX: Final = "mixed"
NOTES: Final = [
    "Counted by Valgrind; the samples are of two passes. Mixed: what the full loop's load has of"
    " each kind. The reference is a fixed piece of work that stands for the interpreter.",
    "Hashes count for more than they take: Valgrind hides the processor's own instructions for"
    " them.",
]


async def instructions(ground: Ground, scale: Scale) -> Row:
    """Callgrind's counts of the worker's batch handler on a store in memory."""
    row = row_of(await asyncio.to_thread(counted, with_stages=True))
    ground.report(row.title)
    return row


def row_of(counts: Counts) -> Row:
    """The counts as a row."""
    mixes = [mixed(_sums(counts, number)) for number in range(PASSES)]
    return Row(
        "instructions",
        "Instructions for a command, handled in memory",
        [_series(name, samples) for name, samples in {**counts.passes, MIX: mixes}.items()],
        grids=[by_stage(counts)],
        notes=NOTES,
    )


def by_stage(counts: Counts) -> Grid:
    """Each kind's stages, and what belongs to none."""
    sums = _sums(counts, 0)
    stages = {
        kind: {**by_stage, REST: sums[kind] - sum(by_stage.values())}
        for kind, by_stage in counts.stages.items()
    }
    names = list(next(iter(stages.values())))
    stages[MIX] = {
        name: mixed({kind: by_stage[name] for kind, by_stage in stages.items()}) for name in names
    }
    return Grid(
        "By stage",
        [*names, "sum"],
        {
            kind: [count / 1000 for count in (*by_stage.values(), sum(by_stage.values()))]
            for kind, by_stage in stages.items()
        },
    )


def _sums(counts: Counts, number: int) -> dict[str, float]:
    return {kind: passes[number] for kind, passes in counts.passes.items()}


def _series(name: str, samples: Sequence[float]) -> Series:
    return Series(name, UNIT, [sample / 1000 for sample in samples])
