"""Whether it stays as fast: with many events stored, and on invoices with a long history."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from invoicing.ops.support.command_file import ReadyCommand
from invoicing.tools.bench import load
from invoicing.tools.bench.figures import Curves, Row, Series, ratio
from invoicing.tools.bench.filled import multiplied, stored
from invoicing.tools.bench.ground import Ground
from invoicing.tools.bench.processes import INVOICING
from invoicing.tools.bench.scale import Scale
from invoicing.tools.bench.throughput import measure

AIM: Final = 0.9
UNIT: Final = "commands/s"
SEED_COMMANDS: Final = 5_000
STEPS: Final = (0.25, 1.0)
INVOICES: Final = 20
HISTORY: Final = 1_000
"""Events of an invoice with a long history."""
MOST_PAYMENTS: Final = 9_000
"""With those of the measured commands, nearly as many as an invoice may have."""

Past = Callable[[str], list[ReadyCommand]]
"""What was commanded of an invoice before, besides its creation."""


async def stored_events(ground: Ground, scale: Scale) -> Row:
    """Speed beside an empty store, while the other one fills up."""
    empty, full, counts = [], [], []
    async with ground.databases.fresh() as dsn:
        seeded = await stored(dsn, load.mixed(SEED_COMMANDS, seed=0))
        times = 0
        for step in STEPS:
            wanted = int(scale.growth_events * step / seeded)
            await multiplied(dsn, range(times, wanted))
            times = wanted
            counts.append(float(times * seeded))
            commands = load.mixed(scale.commands, seed=times)
            async with ground.on(dsn) as site:
                full.append((await measure(site, INVOICING, commands)).commands_a_second)
            async with ground.fresh() as site:
                empty.append((await measure(site, INVOICING, commands)).commands_a_second)
            line = f"{full[-1]:,.0f}/s, beside it {empty[-1]:,.0f}/s"
            ground.report(f"{counts[-1]:,.0f} events stored: {line}")
    return Row(
        "stored-events",
        f"Speed with {scale.growth_events:,} events stored",
        [Series("empty store", UNIT, empty), Series("filled store", UNIT, full)],
        [ratio(Series("full store", UNIT, full[-1:]), Series("empty", UNIT, empty[-1:]), AIM)],
        [
            Curves(
                "Speed as the store fills",
                "events stored",
                UNIT,
                {
                    "filled store": list(zip(counts, full, strict=True)),
                    "empty store beside it": list(zip(counts, empty, strict=True)),
                },
            )
        ],
    )


async def long_histories(ground: Ground, scale: Scale) -> Row:
    """Speed on invoices of a thousand events, beside the same commands on young ones."""
    past: dict[str, Past] = {
        "young invoices": lambda _: [],
        f"{HISTORY:,} flags set": lambda subject: load.flags(HISTORY, subject),
        f"{HISTORY:,} payments": lambda subject: load.payments(HISTORY, subject),
        f"{MOST_PAYMENTS:,} payments": lambda subject: load.payments(MOST_PAYMENTS, subject),
    }
    rates: dict[str, list[float]] = {name: [] for name in past}
    async with AsyncExitStack() as stack:
        filled = {
            name: await stack.enter_async_context(_invoices(ground, commands_of))
            for name, commands_of in past.items()
        }
        for round_ in range(scale.rounds):
            for name, (dsn, subjects) in filled.items():
                commands = load.hot(scale.commands_long, subjects, seed=round_)
                async with ground.on(dsn) as site:
                    run = await measure(site, INVOICING, commands)
                rates[name].append(run.commands_a_second)
            line = ", ".join(f"{name} {own[-1]:,.0f}/s" for name, own in rates.items())
            ground.report(f"Long histories, round {round_ + 1}: {line}")
    young, *long = (Series(name, UNIT, own) for name, own in rates.items())
    return Row(
        "long-histories",
        f"Speed on {INVOICES} invoices with a long history",
        [young, *long],
        [ratio(series, young, AIM) for series in long],
        notes=[
            "Flags leave an invoice's state as small as it was. Each payment is a part of it for"
            " ever, in a row of its own; a command reads and writes the one that it names."
        ],
    )


@asynccontextmanager
async def _invoices(ground: Ground, past: Past) -> AsyncIterator[tuple[str, list[str]]]:
    """A database with invoices that have this past, and their ids."""
    subject = load.new_subject()
    async with ground.databases.fresh() as dsn:
        await stored(dsn, load.opened([subject]) + past(subject))
        await multiplied(dsn, range(INVOICES))
        yield dsn, [f"{subject}-{copy}" for copy in range(INVOICES)]
