"""The clock that tests move."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from invoicing.runtime import clock


@pytest.fixture(autouse=True)
def _set_back() -> Iterator[None]:
    yield
    clock.move(0)


@pytest.mark.parametrize("seconds", [0, 86_400, -86_400 * 365])
def test_the_clock_is_ahead_or_behind_by_what_it_was_moved(seconds: int) -> None:
    clock.move(seconds)
    difference = clock.now() - datetime.now(UTC) - timedelta(seconds=seconds)
    assert abs(difference) < timedelta(seconds=5)
