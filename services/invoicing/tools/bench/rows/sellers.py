"""Creations a second of one seller in all lanes, beside those of a seller for each lane."""

from typing import Final

from invoicing.tools.bench import load
from invoicing.tools.bench.figures import Row, Series, ratio
from invoicing.tools.bench.ground import PARTITIONS, Ground
from invoicing.tools.bench.processes import INVOICING
from invoicing.tools.bench.scale import Scale
from invoicing.tools.bench.throughput import measure

AIM: Final = 0.9


async def one_seller(ground: Ground, scale: Scale) -> Row:
    """All lanes number their invoices in one series, or each lane in a series of its own."""
    series_by_sellers: dict[int, list[float]] = {1: [], PARTITIONS: []}
    for round_ in range(scale.rounds):
        # In turns, so that neither is always the one that finds the machine warm.
        for sellers in sorted(series_by_sellers, reverse=round_ % 2 == 1):
            commands = load.creations_by_lane(scale.commands, PARTITIONS, sellers)
            async with ground.fresh() as site:
                run = await measure(site, INVOICING, commands)
            series_by_sellers[sellers].append(run.commands_a_second)
        rates = ", ".join(f"{n} sellers {own[-1]:,.0f}/s" for n, own in series_by_sellers.items())
        ground.report(f"Creations in {PARTITIONS} lanes, round {round_ + 1}: {rates}")
    one, several = (
        Series(name, "commands/s", samples)
        for name, samples in zip(
            ("one seller", f"{PARTITIONS} sellers"), series_by_sellers.values(), strict=True
        )
    )
    return Row(
        "one-seller",
        f"Creations of one seller in {PARTITIONS} lanes",
        [one, several],
        [ratio(one, several, AIM)],
        notes=["Each of the other sellers has a lane to itself."],
    )
