"""How often a client may ask."""

import pytest

from invoicing.api.auth import rates
from invoicing.api.auth.rates import BURST_SECONDS, CLIENTS_MAX, Rates


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [0.0]
    monkeypatch.setattr(rates.time, "monotonic", lambda: clock[0])
    return clock


def test_what_was_saved_up_can_be_asked_at_once(now: list[float]) -> None:
    buckets = Rates(10)

    taken = [buckets.take("shop") for _ in range(int(10 * BURST_SECONDS) + 1)]

    assert taken[:-1] == [0] * int(10 * BURST_SECONDS)
    assert taken[-1] == pytest.approx(0.1)


def test_whoever_waits_may_ask_again(now: list[float]) -> None:
    buckets = Rates(1)
    while not (wait_seconds := buckets.take("shop")):
        pass

    now[0] += wait_seconds

    assert buckets.take("shop") == 0


def test_clients_do_not_take_from_each_other(now: list[float]) -> None:
    buckets = Rates(1)
    while not buckets.take("shop"):
        pass

    assert buckets.take("other") == 0


def test_no_more_clients_are_remembered_than_there_is_room_for(now: list[float]) -> None:
    buckets = Rates(1)

    for number in range(CLIENTS_MAX + 5):
        buckets.take(str(number))

    assert len(buckets._buckets) == CLIENTS_MAX
