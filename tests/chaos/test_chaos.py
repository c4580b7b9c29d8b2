"""Chaos, long enough to matter and short enough for every day. `CHAOS_SEED` plays one again.

`CHAOS_SECONDS` makes the mixed round longer, and with `CHAOS_KILLS` it goes on until so many
workers were killed: `make chaos MINUTES=5`, `make chaos KILLS=1000`.
"""

import os
import random

import pytest

from tests.chaos.crew import CLOCK, EVERY_FATE, FAILING, KILLED, PEACE, STOPPED, Fates
from tests.chaos.faults import EVERYTHING, Fault, let_be, terminate
from tests.chaos.harness import chaos_round
from tests.support.service.service import Service
from tests.support.stack.kafka import RestartableKafka
from tests.support.stack.postgres import RestartablePostgres

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(7200)]

SECONDS = float(os.environ.get("CHAOS_SECONDS", "45"))
KILLS = int(os.environ.get("CHAOS_KILLS", "0"))
SEED = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(10**9))
# One kind of fault alone, for so long: all of them together take as long as the mixed round again.
ALONE_SECONDS = max(8.0, SECONDS / (len(EVERYTHING) + len(EVERY_FATE)))
# Whoever failed or slept goes on, so somebody else must come for the next to meet his fate.
CARRIERS: dict[str, Fault] = {
    KILLED: let_be,
    STOPPED: terminate,
    CLOCK: let_be,
    FAILING: terminate,
}


Servers = tuple[Service, RestartableKafka, RestartablePostgres]


@pytest.fixture
def servers(
    fragile: Service, own_kafka: RestartableKafka, own_postgres: RestartablePostgres
) -> Servers:
    """All that faults are done to."""
    return fragile, own_kafka, own_postgres


async def test_every_promise_holds_through_everything_mixed(
    servers: Servers,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await _play("everything", EVERYTHING, EVERY_FATE, SECONDS, KILLS, servers, capsys)


@pytest.mark.soak
@pytest.mark.parametrize("fault", EVERYTHING, ids=lambda fault: fault.__name__)
async def test_every_promise_holds_through_one_kind_of_fault(
    servers: Servers,
    fault: Fault,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await _play(fault.__name__, {fault: 1.0}, PEACE, ALONE_SECONDS, 0, servers, capsys)


@pytest.mark.soak
@pytest.mark.parametrize("fate", EVERY_FATE)
async def test_every_promise_holds_through_one_kind_of_fate(
    servers: Servers,
    fate: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await _play(fate, {CARRIERS[fate]: 1.0}, {fate: 1.0}, ALONE_SECONDS, 0, servers, capsys)


async def _play(
    name: str,
    kinds: dict[Fault, float],
    fates: Fates,
    seconds: float,
    kills: int,
    servers: Servers,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with capsys.disabled():
        print(f"\nCHAOS_SEED={SEED} {name}", flush=True)
    async with chaos_round(name, SEED, *servers, fates) as chaos:
        try:
            await chaos.run(seconds, kinds, kills)
        finally:
            told = chaos.told
    with capsys.disabled():
        print(told.table(), flush=True)
