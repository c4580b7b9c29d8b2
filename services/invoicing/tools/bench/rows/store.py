"""Events a second that the store alone takes, beside pyeventsourcing on the same events."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Final

from invoicing.ops.support.failures import BenchError
from invoicing.tools.bench.figures import Row, Series, ratio
from invoicing.tools.bench.ground import Ground
from invoicing.tools.bench.scale import Scale
from invoicing.tools.scratch.names import environment

SAVE_AIM: Final = 25.0
BATCH_AIM: Final = 5.0
UNIT: Final = "events/s"


async def store(ground: Ground, scale: Scale) -> Row:
    """Everything is decided before the clock starts."""
    library = "invoicing.tools.bench.contenders.pyeventsourcing"
    number = scale.commands
    programs: dict[str, Sequence[str]] = {
        "invoicing": ("invoicing.tools.bench.contenders.own_store", str(number)),
        "pyeventsourcing, save": (library, "save", str(number // 8)),
        "pyeventsourcing, batch": (library, "batch", str(number // 2)),
    }
    rates: dict[str, list[float]] = {name: [] for name in programs}
    for round_ in range(scale.rounds):
        for name, arguments in programs.items():
            rates[name].append(await _printed(ground, arguments))
        line = ", ".join(f"{name} {own[-1]:,.0f}/s" for name, own in rates.items())
        ground.report(f"The store alone, round {round_ + 1}: {line}")
    ours, save, batch = (Series(name, UNIT, own) for name, own in rates.items())
    return Row(
        "store",
        "The store alone",
        [ours, save, batch],
        [ratio(ours, save, SAVE_AIM), ratio(ours, batch, BATCH_AIM)],
        notes=[
            "Ours stores answers, states, labels and numbers as well, in four lanes with a seller"
            " each; pyeventsourcing stores events alone, `save` in eight threads.",
        ],
    )


async def _printed(ground: Ground, arguments: Sequence[str]) -> float:
    """What the program prints when it has run on an empty database."""
    async with ground.databases.fresh() as dsn:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *arguments),
            env=environment({"POSTGRES_DSN": dsn}),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        printed, said = await process.communicate()
    if process.returncode:
        raise BenchError(f"{arguments[0]} failed:\n{said.decode(errors='replace')}")
    return float(printed)
