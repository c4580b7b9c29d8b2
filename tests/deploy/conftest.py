"""The compose stack that the tests of this folder share."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.deploy.compose import TOPICS, ComposeProject, compose_refusal
from tests.deploy.tools import prepare_helm
from tests.service.service import Service, running_service

NO_ENGINE = "no Docker engine answers"
REFUSED = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def compose(pytestconfig: pytest.Config) -> Iterator[ComposeProject]:
    """The whole service in containers."""
    refusal = compose_refusal()
    if refusal is not None:
        pytestconfig.stash[REFUSED] = refusal
        # An engine is what a machine may truly lack; what is missing beside one is a mistake.
        if os.environ.get("CI") == "true" and refusal != NO_ENGINE:
            pytest.fail(f"CI must test the containers, but {refusal}.")
        pytest.skip(refusal)
    with ComposeProject() as project:
        yield project


@pytest.fixture
async def deployed(compose: ComposeProject, tmp_path: Path) -> AsyncIterator[Service]:
    """The same service as tests drive one: from this machine, its topics followed."""
    async with running_service(compose.bootstrap, compose.dsn, TOPICS, tmp_path) as made:
        yield made


def pytest_collection_finish(session: pytest.Session) -> None:
    if any(item.path.name == "test_chart.py" for item in session.items):
        prepare_helm()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if refusal := config.stash.get(REFUSED, None):
        line = f"NOT TESTED AS CONTAINERS: all tests of the compose file were skipped: {refusal}."
        terminalreporter.write_line(line, red=True, bold=True)
