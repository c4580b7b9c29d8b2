"""Events a second of `invoicing rebuild` and `invoicing verify`, beside reading what they read."""

import time
from typing import Any, Final

import asyncpg

from invoicing.maintenance.rebuild.rebuild import rebuild as make_anew
from invoicing.maintenance.verify.findings import Finding
from invoicing.maintenance.verify.verify import verify as compare
from invoicing.ops.support.failures import BenchError
from invoicing.ops.support.kafka import reading
from invoicing.tools.bench import load
from invoicing.tools.bench.figures import Row, Series, ratio
from invoicing.tools.bench.filled import multiplied, stored
from invoicing.tools.bench.ground import Ground
from invoicing.tools.bench.processes import INVOICING
from invoicing.tools.bench.scale import Scale
from invoicing.tools.bench.throughput import measure

UNIT: Final = "events/s"
SEED_COMMANDS: Final = 5_000
ROWS_A_FETCH: Final = 2_000

NOTES: Final = ["The aim is 50,000 events a second on two processors."]

READ_EVENTS: Final = """
SELECT invoice_id, version, type, data, command_source, command_id, recorded_at
FROM events ORDER BY invoice_id, version
"""


async def rebuilding(ground: Ground, scale: Scale) -> Row:
    """Rebuild the whole current state, beside a cursor over the same events."""
    ours, floor = [], []
    async with ground.databases.fresh() as dsn:
        seeded = await stored(dsn, load.mixed(SEED_COMMANDS, seed=0))
        await multiplied(dsn, range(int(scale.rebuild_events / seeded)))
        for round_ in range(scale.rounds):
            began = time.perf_counter()
            events = await _events_read(dsn)
            floor.append(events / (time.perf_counter() - began))
            began = time.perf_counter()
            rebuilt = await make_anew(dsn, lambda _done, _all: None)
            ours.append(rebuilt.events / (time.perf_counter() - began))
            if rebuilt.differed:
                raise BenchError(f"The rebuild has found {rebuilt.differed} states to differ.")
            line = f"{ours[-1]:,.0f} events/s, read alone {floor[-1]:,.0f}/s"
            ground.report(f"Rebuild of {events:,} events, round {round_ + 1}: {line}")
    rebuilt_series, read = Series("rebuild", UNIT, ours), Series("reading the events", UNIT, floor)
    return Row(
        "rebuild", "Rebuild", [rebuilt_series, read], [ratio(rebuilt_series, read)], notes=NOTES
    )


async def verifying(ground: Ground, scale: Scale) -> Row:
    """Postgres compared with the topics, beside reading both."""
    ours, floor = [], []
    async with ground.fresh() as site:
        settings, findings = site.settings, list[Finding]()
        topics = (settings.topic_commands, settings.topic_events, settings.topic_replies)
        await measure(site, INVOICING, load.mixed(scale.commands, seed=0))
        for round_ in range(scale.rounds):
            began = time.perf_counter()
            events = await _events_read(settings.dsn)
            async with reading(settings, *topics, from_beginning=True) as consumer:
                ends: dict[Any, int] = await consumer.end_offsets(consumer.assignment())
                while any([await consumer.position(p) < end for p, end in ends.items()]):
                    await consumer.getmany(timeout_ms=200)
            floor.append(events / (time.perf_counter() - began))
            began = time.perf_counter()
            await compare(settings, findings.append, lambda _what, _done, _about: None)
            if findings:
                raise BenchError(f"verify has findings: {findings[0].kind}.")
            ours.append(events / (time.perf_counter() - began))
            line = f"{ours[-1]:,.0f} events/s, read alone {floor[-1]:,.0f}/s"
            ground.report(f"Verify of {events:,} events, round {round_ + 1}: {line}")
    verified, read = Series("verify", UNIT, ours), Series("reading alone", UNIT, floor)
    return Row("verify", "Verify", [verified, read], [ratio(verified, read)])


async def _events_read(dsn: str) -> int:
    """Read all events and discard them. Returns their number."""
    connection = await asyncpg.connect(dsn)
    events = 0
    try:
        async with connection.transaction():
            cursor = await connection.cursor(READ_EVENTS)
            while rows := await cursor.fetch(ROWS_A_FETCH):
                events += len(rows)
    finally:
        await connection.close()
    return events
