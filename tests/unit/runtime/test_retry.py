"""Retries of outages, by a clock that the test sets."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError

from invoicing.runtime import retry
from invoicing.runtime.retry import (
    ATTEMPT_SECONDS_MAX,
    GaveUpError,
    Outage,
    describe,
    retry_outage,
)

LIMIT_SECONDS = 60.0


class Clock:
    """An event loop's time. Sleeping takes none."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    fake = SimpleNamespace(get_running_loop=lambda: clock, sleep=clock.sleep)
    monkeypatch.setattr(retry, "asyncio", fake)
    return clock


async def test_an_outage_that_lasts_is_given_up(clock: Clock) -> None:
    outage = Outage(LIMIT_SECONDS, "Kafka")
    for clock.now in range(0, 61, 10):
        await outage.wait(OSError("gone"))

    clock.now = 70
    with pytest.raises(GaveUpError, match="Kafka failed for 60 seconds: OSError: gone"):
        await outage.wait(OSError("gone"))


async def test_slow_attempts_belong_to_one_outage(clock: Clock) -> None:
    outage = Outage(limit_seconds=1, what="Kafka")
    await outage.wait(OSError("gone"))
    clock.now = ATTEMPT_SECONDS_MAX

    with pytest.raises(GaveUpError):
        await outage.wait(OSError("gone"))


async def test_a_failure_long_after_another_is_a_new_outage(clock: Clock) -> None:
    outage = Outage(LIMIT_SECONDS, "Kafka")
    await outage.wait(OSError("gone"))
    clock.now = 3_600

    await outage.wait(OSError("gone"))

    clock.now += LIMIT_SECONDS + 1
    with pytest.raises(GaveUpError):
        await outage.wait(OSError("gone"))


async def test_a_failure_after_a_success_is_a_new_outage(clock: Clock) -> None:
    outage = Outage(LIMIT_SECONDS, "Kafka")
    await outage.wait(OSError("gone"))
    outage.reset()
    clock.now = LIMIT_SECONDS + 1

    await outage.wait(OSError("gone"))


async def test_pauses_grow_to_a_limit_and_begin_anew_with_the_next_outage(clock: Clock) -> None:
    outage = Outage(LIMIT_SECONDS, "Kafka")
    for _ in range(200):
        await outage.wait(OSError("gone"))

    assert clock.pauses[0] <= 0.1
    assert clock.pauses[1] <= 0.2
    assert 1.5 < max(clock.pauses) <= 3.0
    assert min(clock.pauses) >= 0.05
    outage.reset()
    await outage.wait(OSError("gone"))
    assert clock.pauses[-1] <= 0.1


def failing(*errors: Exception) -> Callable[[], Awaitable[int]]:
    """An operation that raises these in turn, and then returns how often it was called."""
    calls = 0

    async def operation() -> int:
        nonlocal calls
        calls += 1
        if calls <= len(errors):
            raise errors[calls - 1]
        return calls

    return operation


def is_outage(error: BaseException) -> bool:
    return isinstance(error, OSError)


async def test_an_operation_is_called_until_it_succeeds() -> None:
    assert await retry_outage("Kafka", 60, is_outage, failing(OSError(), OSError())) == 3


async def test_an_operation_may_be_any_call_that_returns_an_awaitable() -> None:
    operation = failing(OSError())

    assert await retry_outage("Kafka", 60, is_outage, lambda: operation()) == 2


async def test_an_error_that_is_no_outage_is_raised_at_once() -> None:
    with pytest.raises(KeyError):
        await retry_outage("Kafka", 60, is_outage, failing(OSError(), KeyError()))


async def test_an_operation_that_fails_for_too_long_is_given_up_with_its_last_error() -> None:
    errors = [OSError(f"attempt {number}") for number in range(100)]

    with pytest.raises(GaveUpError, match=r"Kafka failed for 0.3 seconds: OSError: attempt [1-9]"):
        await asyncio.wait_for(retry_outage("Kafka", 0.3, is_outage, failing(*errors)), 30)


def raised(error: Exception) -> Exception:
    """The error as it is when it was raised."""
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 (it is whatever the test gives)
        return caught


def postgres_error(sqlstate: str, message: str, detail: str) -> asyncpg.PostgresError:
    """An error as the server sends one."""
    fields = {"C": sqlstate, "M": message, "D": detail}
    return asyncpg.PostgresError.new(fields)


@pytest.mark.parametrize(
    ("error", "description"),
    [
        (OSError("gone"), "OSError: gone"),
        (TimeoutError(), "TimeoutError"),
        (
            KafkaConnectionError("no\nbroker"),
            "KafkaConnectionError: KafkaConnectionError: no broker",
        ),
        (GaveUpError("Kafka failed."), "GaveUpError: Kafka failed."),
        (asyncpg.InterfaceError("connection is closed"), "InterfaceError: connection is closed"),
        (postgres_error("57P01", "shutting down", "Ada"), "AdminShutdownError: shutting down"),
    ],
)
def test_an_infrastructure_error_is_described_by_its_message(
    error: Exception, description: str
) -> None:
    assert describe(raised(error)) == description


def test_a_broken_constraint_is_described_by_its_name() -> None:
    error = postgres_error("23505", "duplicate key value", "Key (id)=(Ada) already exists.")
    error.constraint_name = "commands_pkey"

    assert describe(raised(error)) == "UniqueViolationError on commands_pkey"


@pytest.mark.parametrize(
    "error",
    [
        LookupError("Ada"),
        ValueError("Ada"),
        postgres_error("22P02", 'invalid input syntax for type date: "Ada"', "Ada"),
        postgres_error("23505", "duplicate key value", "Key (invoice_id)=(Ada) already exists."),
    ],
)
def test_any_other_error_is_described_by_where_it_was_raised(error: Exception) -> None:
    description = describe(raised(error))

    assert description.startswith(f"{type(error).__name__} in raised (test_retry.py:")
    assert "Ada" not in description
