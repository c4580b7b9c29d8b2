"""What the demo runs on: Postgres, Kafka and a worker of its own, gone when it ends."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from invoicing.ops.support.failures import DemoError
from invoicing.ops.support.kafka import reaching_kafka
from invoicing.runtime.kafka.topics import create_topics, delete_topics
from invoicing.runtime.settings import PREFIX, Settings, read_settings
from invoicing.store.migrations import migrate
from invoicing.tools.demo.story import SELLERS
from invoicing.tools.embedded.kafka import EmbeddedKafka
from invoicing.tools.embedded.postgres import EmbeddedPostgres
from invoicing.tools.scratch.names import environment, own_names

KAFKA_GIVEN: Final = f"{PREFIX}KAFKA_BOOTSTRAP_SERVERS"
READY_SECONDS_MAX: Final = 30
STOP_SECONDS_MAX: Final = 10
POLL_INTERVAL_SECONDS: Final = 0.02
LOG_LINES_SHOWN: Final = 20

Report = Callable[[str], None]


@dataclass(frozen=True)
class DemoService:
    """A running service: `settings` reach it, `log` is what its worker says."""

    settings: Settings
    log: Path

    def failure(self, sentence: str) -> DemoError:
        """The sentence, with the end of the worker's log."""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        return DemoError("\n".join([sentence, "The worker's last lines:", *lines]))


@contextmanager
def demo_service(report: Report) -> Iterator[DemoService]:
    """Everything started, migrated and ready; everything stopped and removed afterwards."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="invoicing-demo-")))
        chosen = {
            **_own_names(directory),
            **stack.enter_context(_kafka(report)),
            "POSTGRES_DSN": stack.enter_context(EmbeddedPostgres()).dsn,
        }
        migrate(chosen["POSTGRES_DSN"])
        report("PostgreSQL from its Python wheel, in a temporary directory, migrated")
        settings = read_settings({}, **{name.lower(): value for name, value in chosen.items()})
        stack.enter_context(_topics(settings))
        service = DemoService(settings, directory / "worker.log")
        stack.enter_context(_worker(service, chosen, report))
        yield service


def _own_names(directory: Path) -> dict[str, str]:
    """Settings that keep the demo apart from whatever else is on its Kafka."""
    sellers = directory / "sellers.toml"
    sellers.write_text(SELLERS, encoding="utf-8")
    return {
        **own_names("demo"),
        "TOPIC_PARTITIONS": str(EmbeddedKafka.PARTITIONS),
        "SELLERS_FILE": str(sellers),
    }


@contextmanager
def _kafka(report: Report) -> Iterator[dict[str, str]]:
    if given := os.environ.get(KAFKA_GIVEN):
        report(f"Kafka at {given}, with transactions")
        yield {"KAFKA_BOOTSTRAP_SERVERS": given, "KAFKA_TRANSACTIONS": "on"}
        return
    with EmbeddedKafka() as kafka:
        report(f"Kafka: a mock broker inside this process, at {kafka.bootstrap}")
        yield {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
            "KAFKA_TRANSACTIONS": "off",
        }


@contextmanager
def _topics(settings: Settings) -> Iterator[None]:
    """The demo's own topics. The embedded broker makes them as they are named, and forgets them."""
    if not settings.is_transactional:
        yield
        return
    with reaching_kafka():
        created = asyncio.run(create_topics(settings))
    try:
        yield
    finally:
        with reaching_kafka():
            asyncio.run(delete_topics(settings, created))


@contextmanager
def _worker(service: DemoService, chosen: Mapping[str, str], report: Report) -> Iterator[None]:
    """A real worker, as its own process."""
    with service.log.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "invoicing.ops.main", "worker"],
            env=environment(chosen),
            stdout=log,
            stderr=log,
            # Ctrl-C is for the demo; it stops the worker when it has finished with it.
            start_new_session=True,
        )
    try:
        _wait_until_ready(service, process)
        report(f"A worker as its own process, {process.pid}: ready")
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(service: DemoService, process: subprocess.Popen[bytes]) -> None:
    """Ready is when every lane is open."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    lanes = service.settings.topic_partitions
    while service.log.read_text().count('"event": "lane_opened"') < lanes:
        if process.poll() is not None:
            raise service.failure(f"The worker ended with {process.returncode}.")
        if time.monotonic() > deadline:
            raise service.failure(f"The worker was not ready within {READY_SECONDS_MAX} seconds.")
        time.sleep(POLL_INTERVAL_SECONDS)
