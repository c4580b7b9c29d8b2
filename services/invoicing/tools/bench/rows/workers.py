"""Speed with one, two and four worker processes."""

from typing import Final

from invoicing.tools.bench import load
from invoicing.tools.bench.figures import Row, Series, ratio
from invoicing.tools.bench.ground import Ground
from invoicing.tools.bench.processes import INVOICING
from invoicing.tools.bench.scale import Scale
from invoicing.tools.bench.throughput import measure

PROCESSES: Final = (1, 2, 4)


async def workers(ground: Ground, scale: Scale) -> Row:
    """The same commands for each number of processes, in turns."""
    rates: dict[int, list[float]] = {processes: [] for processes in PROCESSES}
    for round_ in range(scale.rounds):
        commands = load.mixed(scale.commands, seed=round_)
        for processes, own in rates.items():
            async with ground.fresh() as site:
                own.append((await measure(site, INVOICING, commands, processes)).commands_a_second)
        line = ", ".join(f"{processes}: {own[-1]:,.0f}/s" for processes, own in rates.items())
        ground.report(f"Worker processes, round {round_ + 1}: {line}")
    one, *more = (Series(f"{n} processes", "commands/s", own) for n, own in rates.items())
    return Row(
        "workers",
        "Worker processes side by side",
        [one, *more],
        [ratio(several, one) for several in more],
        notes=["Kafka, Postgres and the workers share this machine's processors."],
    )
