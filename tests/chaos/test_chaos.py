"""Chaos, long enough to matter and short enough for every day. `CHAOS_SEED` plays one again.

`CHAOS_SECONDS` makes a round longer: `make chaos MINUTES=5`.
"""

import os
import random

import pytest

from tests.chaos.harness import Chaos
from tests.service.service import Service
from tests.stack.kafka import RestartableKafka
from tests.stack.postgres import RestartablePostgres

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(3600)]

SECONDS = float(os.environ.get("CHAOS_SECONDS", "20"))
SEED = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(10**9))

OF_PROCESSES = {
    "kill": 4.0,
    "terminate": 2.0,
    "stop_for_longer_than_a_session": 1.0,
    "join": 1.0,
}
OF_INFRASTRUCTURE = {"restart_postgres": 1.0, "restart_kafka": 0.5}


@pytest.mark.parametrize(
    "kinds",
    [
        pytest.param(OF_PROCESSES, id="processes"),
        pytest.param(OF_PROCESSES | OF_INFRASTRUCTURE, id="everything", marks=pytest.mark.soak),
    ],
)
async def test_every_promise_holds_through_chaos(
    fragile: Service,
    own_kafka: RestartableKafka,
    own_postgres: RestartablePostgres,
    kinds: dict[str, float],
    capsys: pytest.CaptureFixture[str],
) -> None:
    chaos = Chaos(fragile, own_kafka, own_postgres, SEED)
    with capsys.disabled():
        print(f"\nCHAOS_SEED={SEED}", flush=True)

    await chaos.run(SECONDS, kinds)

    with capsys.disabled():
        faults = ", ".join(f"{kind} {count}" for kind, count in sorted(chaos.faults.items()))
        print(f"{sum(chaos.load.sent.values())} commands; {faults}", flush=True)
