"""Latency at a light load: from sending a command to reading its first event."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

from aiokafka import AIOKafkaConsumer

from invoicing.ops.support.command_file import ReadyCommand
from invoicing.ops.support.failures import BenchError
from invoicing.ops.support.kafka import producing, reading
from invoicing.runtime.settings import Settings
from invoicing.tools.bench import load
from invoicing.tools.bench.figures import Curves, Line, Row, Series, percentile, ratio
from invoicing.tools.bench.ground import Ground, Site
from invoicing.tools.bench.processes import INVOICING, Contender, running
from invoicing.tools.bench.rows.full_loop import floor, shape_of
from invoicing.tools.bench.scale import Scale
from invoicing.tools.bench.throughput import measure, send, until_handled

COMMANDS_A_SECOND: Final = 40
SHAPE_COMMANDS: Final = 400
WARM_UP_COMMANDS: Final = 100
READ_SECONDS_MAX: Final = 30.0
SHARES: Final = {"p50": 0.50, "p99": 0.99}
AIM: Final = 2.0


async def latency(ground: Ground, scale: Scale) -> Row:
    """Ours and the floor's, in turns; each command creates an invoice."""
    async with ground.fresh() as site:
        await measure(site, INVOICING, load.creations(SHAPE_COMMANDS))
        shape = await shape_of(site, SHAPE_COMMANDS)
    contenders = {INVOICING.name: INVOICING, "floor": floor(shape)}
    taken: dict[str, list[list[float]]] = {name: [] for name in contenders}
    for round_ in range(scale.rounds):
        for name, contender in contenders.items():
            async with ground.fresh() as site:
                taken[name].append(await _taken(site, contender, scale.latency_seconds))
        line = ", ".join(f"{name} {percentile(own[-1], 0.5):.1f} ms" for name, own in taken.items())
        ground.report(f"Latency, round {round_ + 1}: {line}")
    return _row(taken)


async def _taken(site: Site, contender: Contender, seconds: float) -> list[float]:
    """The latency of each command, in milliseconds."""
    settings = site.settings
    commands = load.creations(int(COMMANDS_A_SECOND * seconds))
    with running(contender, site) as started:
        await send(settings, load.creations(WARM_UP_COMMANDS))
        await until_handled(settings, WARM_UP_COMMANDS, started)
        async with reading(settings, settings.topic_events) as consumer:
            reader = asyncio.create_task(_read(consumer, {c.invoice_id for c in commands}))
            sent = await _sent_evenly(settings, commands)
            read = await reader
    return [(read[id_] - at) * 1000 for id_, at in sent.items()]


async def _sent_evenly(settings: Settings, commands: Sequence[ReadyCommand]) -> dict[str, float]:
    """Send the commands at an even rate. Returns the time of each, by invoice."""
    sent = {}
    async with producing(settings) as producer:
        began = time.perf_counter()
        for index, command in enumerate(commands):
            await asyncio.sleep(began + index / COMMANDS_A_SECOND - time.perf_counter())
            sent[command.invoice_id] = time.perf_counter()
            key = command.invoice_id.encode()
            await producer.send(settings.topic_commands, command.value, key=key)
    return sent


async def _read(consumer: AIOKafkaConsumer, awaited: set[str]) -> dict[str, float]:
    """The time at which each invoice's first event was read. Events are keyed by invoice."""
    read: dict[str, float] = {}
    last_came = time.monotonic()
    while len(read) < len(awaited):
        for records in (await consumer.getmany(timeout_ms=200)).values():
            now, last_came = time.perf_counter(), time.monotonic()
            for record in records:
                read.setdefault(record.key.decode(), now)
        if time.monotonic() - last_came > READ_SECONDS_MAX:
            raise BenchError(f"Events of {len(read)} of {len(awaited)} invoices have come.")
    return read


def _row(taken: dict[str, list[list[float]]]) -> Row:
    ours, lowest = (
        {
            label: Series(f"{name}, {label}", "ms", [percentile(one, share) for one in rounds])
            for label, share in SHARES.items()
        }
        for name, rounds in taken.items()
    )
    return Row(
        "latency",
        f"Command sent to event read, at {COMMANDS_A_SECOND} commands a second",
        [*ours.values(), *lowest.values()],
        [ratio(ours[label], lowest[label], AIM, "at most") for label in SHARES],
        [
            Curves(
                "Share of commands done within",
                "ms",
                "%",
                {name: _distribution(chain(*rounds)) for name, rounds in taken.items()},
            )
        ],
    )


def _distribution(samples: Iterable[float]) -> Line:
    """Cumulative, up to the 99.5th percentile: an outlier would flatten the rest of the curve."""
    ordered = sorted(samples)
    number = len(ordered)
    return [(ordered[int(share / 1000 * number)], share / 10) for share in range(0, 996, 5)]
