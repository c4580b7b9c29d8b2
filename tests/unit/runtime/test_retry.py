"""How long an outage is borne, by a clock that the test winds."""

from types import SimpleNamespace

import pytest

from invoicing.runtime import retry as patience
from invoicing.runtime.retry import TRY_SECONDS_MAX, GaveUpError, Patience

LIMIT_SECONDS = 60.0


class Clock:
    """What an event loop knows of the time. To sleep takes none."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now

    async def sleep(self, _seconds: float) -> None:
        pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    wound = SimpleNamespace(get_running_loop=lambda: made, sleep=made.sleep)
    monkeypatch.setattr(patience, "asyncio", wound)
    return made


async def test_an_outage_that_goes_on_is_given_up(clock: Clock) -> None:
    bearing = Patience(LIMIT_SECONDS, "Kafka")
    for clock.now in range(0, 61, 10):
        await bearing.after(OSError("gone"))

    clock.now = 70
    with pytest.raises(GaveUpError, match="Kafka failed for 60 seconds: OSError: gone"):
        await bearing.after(OSError("gone"))


async def test_tries_that_take_long_are_one_outage(clock: Clock) -> None:
    bearing = Patience(limit_seconds=1, what="Kafka")
    await bearing.after(OSError("gone"))
    clock.now = TRY_SECONDS_MAX

    with pytest.raises(GaveUpError):
        await bearing.after(OSError("gone"))


async def test_a_failure_long_after_another_is_a_new_outage(clock: Clock) -> None:
    bearing = Patience(LIMIT_SECONDS, "Kafka")
    await bearing.after(OSError("gone"))
    clock.now = 3_600

    await bearing.after(OSError("gone"))

    clock.now += LIMIT_SECONDS + 1
    with pytest.raises(GaveUpError):
        await bearing.after(OSError("gone"))
