"""The stacks that the tests of this folder share: the compose file's, and a secured one."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.deploy.compose import TOPICS, ComposeProject, compose_refusal, image_refusal
from tests.deploy.secured import SECONDS_MAX, Secured, secured_refusal, secured_stack
from tests.deploy.tools import prepare_helm
from tests.support.service.http import Api, started_api
from tests.support.service.service import Service, Worker, running_service
from tests.support.service.traces import Traces, receiving
from tests.support.stack.summary import add_line
from tests.support.stack.wait import eventually

NO_ENGINE = "no Docker engine answers"


@pytest.fixture(scope="session")
def compose() -> Iterator[ComposeProject]:
    """The whole service in containers."""
    _insist(compose_refusal())
    with ComposeProject() as project:
        yield project


@pytest.fixture(scope="session")
def prometheus(pytestconfig: pytest.Config, compose: ComposeProject) -> Iterator[httpx.Client]:
    """To ask the Prometheus of the profile `metrics`."""
    refusal = image_refusal("prometheus")
    if refusal is not None:
        compose.stand_in_for_prometheus()
    add_line(
        pytestconfig, f"prometheus: {f'of Debian, as {refusal}' if refusal else 'its own image'}"
    )
    with httpx.Client(base_url=compose.start("prometheus"), timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def grafana(compose: ComposeProject, prometheus: httpx.Client) -> Iterator[httpx.Client]:
    """To ask the Grafana of the profile `metrics`, which shows what that Prometheus has."""
    assert prometheus
    # Nothing can stand in for it.
    if refusal := image_refusal("grafana"):
        pytest.skip(f"Grafana needs its image, but {refusal}")
    with httpx.Client(base_url=compose.start("grafana"), timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Kafka and Postgres as production has them, with topics and tables."""
    _insist(secured_refusal())
    with secured_stack(tmp_path_factory.mktemp("secured")) as stack:
        stack.party("operator", "migrator").run("migrate")
        stack.party("operator").run("topics")
        yield stack


@pytest.fixture(scope="session")
def traces() -> Iterator[Traces]:
    """What the secured worker and API tell of their work."""
    with receiving() as received:
        yield received


@pytest.fixture(scope="session")
async def worker(secured: Secured, traces: Traces) -> AsyncIterator[Worker]:
    """A worker that tells all that it can tell."""
    party = secured.party("worker", "worker")
    environment = {**os.environ, **party.environment, **_talkative(traces)}
    started = Worker("invoicing.ops.main", environment, party.directory / "worker.log")
    try:
        await eventually(started.is_ready, seconds=SECONDS_MAX)
        yield started
    finally:
        started.close()


@pytest.fixture(scope="session")
async def api(secured: Secured, worker: Worker, traces: Traces) -> AsyncIterator[Api]:
    """An API that tells all that it can tell, and whose commands the worker handles."""
    with started_api(secured.party("api"), **_talkative(traces)) as started:
        await eventually(started.is_ready, seconds=SECONDS_MAX)
        yield started


def _talkative(traces: Traces) -> dict[str, str]:
    return {
        "INVOICING_LOG_LEVEL": "DEBUG",
        "INVOICING_TRACES_ENDPOINT": traces.endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }


def _insist(refusal: str | None) -> None:
    """An engine is what a machine may truly lack; what is missing beside one is a mistake."""
    if refusal is None:
        return
    if os.environ.get("CI") == "true" and refusal != NO_ENGINE:
        pytest.fail(f"CI must test in containers, but {refusal}.")
    pytest.skip(f"what is deployed needs containers, but {refusal}")


@pytest.fixture
async def deployed(compose: ComposeProject, tmp_path: Path) -> AsyncIterator[Service]:
    """The same service as tests drive one: from this machine, its topics followed."""
    async with running_service(compose.bootstrap, compose.dsn, TOPICS, tmp_path) as made:
        yield made


def pytest_collection_finish(session: pytest.Session) -> None:
    if any(item.path.name == "test_chart.py" for item in session.items):
        prepare_helm()
