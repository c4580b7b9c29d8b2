"""`invoicing bench --quick`: ratios, with bounds that only a real regression breaks."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack.kafka import Kafka
from tests.support.stack.postgres import Postgres

pytestmark = pytest.mark.real_kafka

SECONDS_MAX = 170


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def full_loop(kafka: Kafka, postgres: Postgres, output: Path) -> dict[str, Any]:
    """The figures of a quick run."""
    given = {
        "INVOICING_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
        "INVOICING_POSTGRES_DSN": postgres.dsn,
    }
    done = subprocess.run(
        [
            *(sys.executable, "-m", "invoicing.ops.main", "bench", "--quick", "--json"),
            *("--only", "full-loop", "--output", output),
        ],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    return row


def median(row: dict[str, Any], name: str) -> float:
    (samples,) = [series["samples"] for series in row["series"] if series["name"] == name]
    return sorted(samples)[len(samples) // 2]


def test_the_service_is_well_ahead_of_the_usual_design(full_loop: dict[str, Any]) -> None:
    """Usually 12 to 16 times."""
    assert median(full_loop, "invoicing") > 4 * median(full_loop, "usual design")


def test_the_service_stays_within_reach_of_the_floor(full_loop: dict[str, Any]) -> None:
    """Usually 0.26 to 0.41 of it."""
    assert median(full_loop, "invoicing") > 0.07 * median(full_loop, "floor")


def test_a_command_writes_little_more_wal_than_the_floor(full_loop: dict[str, Any]) -> None:
    """Usually a little less: that is how the floor's rows compress."""
    assert median(full_loop, "invoicing: WAL") < 1.5 * median(full_loop, "floor: WAL")


def test_a_run_leaves_its_figures_and_a_page(full_loop: dict[str, Any], output: Path) -> None:
    assert json.loads((output / "figures.json").read_bytes()) == [full_loop]
    assert "<svg" in (output / "index.html").read_text()
