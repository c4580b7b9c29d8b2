"""`make demo`: the demo as its own process, from its start to its end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from invoicing.tools.demo.story import SCENES
from tests.support.stack.kafka import Kafka

SECONDS_MAX = 60
INTERRUPTED = 130


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    """Where the demos put their files; even root's Postgres, which runs as nobody, may enter."""
    with TemporaryDirectory() as name:
        room = Path(name)
        room.chmod(0o755)
        yield room


@contextmanager
def demo(room: Path, **settings: str) -> Iterator[subprocess.Popen[str]]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("INVOICING_")}
    with subprocess.Popen(
        [sys.executable, "-m", "invoicing.ops.main", "demo"],
        env={**ours, "TMPDIR": str(room), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def played(room: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    with demo(room, **settings) as process:
        out, err = process.communicate(timeout=SECONDS_MAX)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture(scope="module")
def embedded_demo(room: Path) -> subprocess.CompletedProcess[str]:
    """A demo on the embedded broker, played to its end."""
    return played(room)


def test_demo_ends_well_by_itself(embedded_demo: subprocess.CompletedProcess[str]) -> None:
    assert (embedded_demo.returncode, embedded_demo.stderr) == (0, "")


def test_demo_plays_every_scene(embedded_demo: subprocess.CompletedProcess[str]) -> None:
    assert [scene.title for scene in SCENES if scene.title not in embedded_demo.stdout] == []


def test_demo_shows_answers_events_history_and_an_earlier_version(
    embedded_demo: subprocess.CompletedProcess[str],
) -> None:
    told = (
        "accepted         version 2, open",
        "opened           version 2, ACME-000001, open, USD 250.97, due 250.97",
        "overpaid         version 5, KITA-2026-0001, paid, JPY 17, overpaid 3",
        "rejected         illegal_transition.",
        "items.0.unit_price must be a string",
        "dead letter      not_json.",
        "state: open -> paid",
        "inv_1001, version 3",
    )
    assert [words for words in told if words not in embedded_demo.stdout] == []


def test_demo_says_what_its_broker_cannot_do(
    embedded_demo: subprocess.CompletedProcess[str],
) -> None:
    assert "keeps nothing, and has no transactions" in " ".join(embedded_demo.stdout.split())


def test_demo_fits_in_80_columns(embedded_demo: subprocess.CompletedProcess[str]) -> None:
    assert max(map(len, embedded_demo.stdout.splitlines())) <= 80


def test_demo_leaves_nothing_behind(
    embedded_demo: subprocess.CompletedProcess[str], room: Path
) -> None:
    assert embedded_demo.returncode == 0
    assert list(room.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_stopped_in_the_midst_leaves_nothing_running(
    room: Path, number: signal.Signals
) -> None:
    with demo(room) as process:
        assert process.stdout is not None
        assert next(line for line in process.stdout if SCENES[1].title in line)
        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        process.communicate(timeout=SECONDS_MAX)

    assert process.returncode == INTERRUPTED
    assert started != []
    assert [child for child in started if child.is_running()] == []
    assert list(room.iterdir()) == []


def test_demo_without_the_kafka_that_was_named_is_one_clear_line(room: Path) -> None:
    failed = played(room, INVOICING_KAFKA_BOOTSTRAP_SERVERS="localhost:1")

    assert failed.returncode == 1
    assert failed.stderr.startswith("invoicing: Kafka cannot be reached")
    assert failed.stderr.count("\n") == 1


@pytest.mark.real_kafka
async def test_demo_on_a_real_kafka_uses_transactions_and_deletes_its_topics(
    kafka: Kafka, room: Path
) -> None:
    ended = played(room, INVOICING_KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "were one transaction" in " ".join(ended.stdout.split())
    assert [name for name in await topics_of(kafka) if name.startswith("invoicing-demo")] == []


async def topics_of(kafka: Kafka) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        return list(await admin.list_topics())
    finally:
        await admin.close()
