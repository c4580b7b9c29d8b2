"""Memory of a worker under sustained load."""

import time
from typing import Final

from invoicing.tools.bench import load
from invoicing.tools.bench.figures import Curves, Line, Ratio, Row, Series
from invoicing.tools.bench.ground import Ground
from invoicing.tools.bench.processes import INVOICING, running
from invoicing.tools.bench.scale import Scale
from invoicing.tools.bench.throughput import send, until_handled

LIMIT_MIB: Final = 200
COMMANDS_AT_ONCE: Final = 4_000
MIB: Final = 1024 * 1024


async def memory(ground: Ground, scale: Scale) -> Row:
    """The worker's resident memory, sampled after every few thousand commands."""
    samples: Line = []
    async with ground.fresh() as site:
        with running(INVOICING, site) as (worker,):
            sent, began = 0, time.monotonic()
            while len(samples) < 2 or samples[-1][0] < scale.memory_seconds:
                await send(site.settings, load.mixed(COMMANDS_AT_ONCE, seed=sent))
                sent += COMMANDS_AT_ONCE
                await until_handled(site.settings, sent, [worker])
                samples.append((time.monotonic() - began, worker.resident_bytes / MIB))
    held = [mib for _, mib in samples]
    ground.report(f"Memory: at most {max(held):.0f} MiB in {samples[-1][0]:.0f} seconds")
    half = len(samples) // 2
    growth = [max(held[half:]) / max(held[:half])]
    return Row(
        "memory",
        f"Memory of a worker, {len(samples) * COMMANDS_AT_ONCE:,} commands in a row",
        [Series("held", "MiB", held)],
        [
            Ratio(f"the most / {LIMIT_MIB} MiB", [max(held) / LIMIT_MIB], 1.0, "at most"),
            Ratio("the most in the second half / in the first", growth, 1.05, "at most"),
        ],
        [Curves("Memory held", "seconds", "MiB", {"invoicing": samples})],
    )
