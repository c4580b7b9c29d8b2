"""Commands a second through everything, beside the floor and beside the usual design."""

from collections.abc import Callable
from typing import Final

import asyncpg
import orjson

from invoicing.ops.support.command_file import ReadyCommand
from invoicing.tools.bench import load
from invoicing.tools.bench.contenders.floor import Shape
from invoicing.tools.bench.figures import Row, Series, ratio
from invoicing.tools.bench.ground import Ground, Site
from invoicing.tools.bench.processes import INVOICING, Contender
from invoicing.tools.bench.scale import Scale
from invoicing.tools.bench.throughput import Run, measure

FLOOR_AIM: Final = 0.75
USUAL_AIM: Final = 10.0
PROCESSOR_AIM: Final = 3.5
HOT_INVOICES: Final = 16

USUAL: Final = Contender("usual design", ("invoicing.tools.bench.contenders.usual",))

NOTES: Final = [
    "Each contender is warm and held while the commands are sent, then let go and timed.",
    "us/command: processor time of the contender, and of its Postgres sessions if they run here.",
]

# Texts of the average length: made-up ones would be compressed better, and cost Postgres less.
_SAMPLES: Final = """ARRAY(
    SELECT {column} FROM {table}
    ORDER BY abs(octet_length({column}) - (SELECT avg(octet_length({column})) FROM {table}))
    LIMIT 8)"""
SHAPE: Final = f"""
SELECT count(*)::float8 / $1 AS events_a_command,
       (SELECT count(*) FROM commands)::float8 / $1 AS answers_a_command,
       (SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname = 'invoices')::float8
           / $1 AS states_a_command,
       (SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname = 'invoice_labels')
           ::float8 / $1 AS labels_a_command,
       {_SAMPLES.format(column="data", table="events")} AS events,
       {_SAMPLES.format(column="answer", table="commands")} AS answers,
       {_SAMPLES.format(column="snapshot", table="invoices")} AS snapshots
FROM events
"""  # noqa: S608 (constants of ours)


async def full_loop(ground: Ground, scale: Scale) -> Row:
    """A business's blend of commands, on ever new invoices."""
    return await _contest(
        ground,
        scale,
        "full-loop",
        "The full loop, mixed commands",
        lambda seed: load.mixed(scale.commands, seed),
    )


async def hot_invoices(ground: Ground, scale: Scale) -> Row:
    """All commands fall on a few invoices."""

    def commands(seed: int) -> list[ReadyCommand]:
        subjects = [load.new_subject() for _ in range(HOT_INVOICES)]
        return load.opened(subjects) + load.hot(scale.commands, subjects, seed)

    title = f"The full loop, all commands on {HOT_INVOICES} hot invoices"
    return await _contest(ground, scale, "hot-invoices", title, commands)


async def _contest(
    ground: Ground,
    scale: Scale,
    key: str,
    title: str,
    commands_of: Callable[[int], list[ReadyCommand]],
) -> Row:
    runs: dict[str, list[Run]] = {INVOICING.name: [], "floor": [], USUAL.name: []}
    for round_ in range(scale.rounds):
        commands = commands_of(round_)
        async with ground.fresh() as site:
            runs[INVOICING.name].append(await measure(site, INVOICING, commands))
            shape = await shape_of(site, len(commands))
        async with ground.fresh() as site:
            runs["floor"].append(await measure(site, floor(shape), commands))
        async with ground.fresh() as site:
            runs[USUAL.name].append(await measure(site, USUAL, commands[: scale.commands_usual]))
        rates = ", ".join(
            f"{name} {own[-1].commands_a_second:,.0f}/s" for name, own in runs.items()
        )
        ground.report(f"{title}, round {round_ + 1}: {rates}")
    ours, lowest, usual = rate_series = [
        Series(name, "commands/s", [run.commands_a_second for run in own])
        for name, own in runs.items()
    ]
    ratios = [ratio(ours, lowest, FLOOR_AIM), ratio(ours, usual, USUAL_AIM)]
    costs, processes = [], {}  # of one command
    for name, own in runs.items():
        process = [run.process_cpu_seconds * 1e6 for run in own]
        postgres = [run.postgres_cpu_seconds * 1e6 for run in own]
        processes[name] = Series(f"{name}: process", "us/command", process)
        costs += [
            processes[name],
            Series(f"{name}: Postgres", "us/command", postgres),
            Series(f"{name}: WAL", "bytes/command", [run.wal_bytes for run in own]),
        ]
    ratios.append(
        ratio(processes[INVOICING.name], processes["floor"], PROCESSOR_AIM, "at most"),
    )
    return Row(key, title, [*rate_series, *costs], ratios, notes=NOTES)


async def shape_of(site: Site, commands: int) -> Shape:
    """What the service has written for so many commands."""
    connection = await asyncpg.connect(site.settings.dsn)
    try:
        (row,) = await connection.fetch(SHAPE, commands)
        return Shape(**row)
    finally:
        await connection.close()


def floor(shape: Shape) -> Contender:
    """The floor that writes as much as the service did."""
    return Contender("floor", ("invoicing.tools.bench.contenders.floor",), orjson.dumps(shape))
