"""The summary at the end of a test run."""

import pytest

pytest_plugins = ["pytester"]

SKIPPED = """
import pytest

@pytest.fixture
def engine():
    pytest.skip("no engine answers")

def test_of_a_container(engine): ...

def test_of_another_container(engine): ...

@pytest.mark.skip(reason="it needs real Kafka")
def test_of_kafka(): ...
"""


def test_every_skipped_test_is_listed_by_reason(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from tests.conftest import pytest_terminal_summary")
    pytester.makepyfile(SKIPPED)

    run = pytester.runpytest_inprocess("--quiet", "-p", "no:asyncio")

    run.stdout.fnmatch_lines(
        [
            "NOT TESTED: 2 skipped: no engine answers",
            "NOT TESTED: 1 skipped: it needs real Kafka",
        ]
    )
