"""Upgrades: `SOAK_SECONDS` makes a run of them longer, `make soak MINUTES=10`."""

import os

import pytest

from tests.deploy.compose import ComposeProject
from tests.deploy.rolling import Rolling
from tests.support.service.service import Service

pytestmark = [pytest.mark.timeout(7200)]

SECONDS = float(os.environ.get("SOAK_SECONDS", "0"))
WORKER_MEBIBYTES_MAX = 200


async def test_workers_are_replaced_under_load_and_no_event_is_lost_repeated_or_reordered(
    compose: ComposeProject, deployed: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    rolling = Rolling(compose, deployed)

    await rolling.run(SECONDS)

    with capsys.disabled():
        print(f"\n{rolling.figures}", flush=True)
    assert max(map(max, rolling.mebibytes.values())) < WORKER_MEBIBYTES_MAX
