"""A worker with a fault injected at a chosen step of a chosen batch.

    FAULT=<step>:<batch>:<what> python -m tests.support.service.faulty_worker worker

`STEPS` and `STEPS_OF_RECOVERY` name the steps; batches count from 1 over all lanes, 0 is for what
handles none, and it happens once. What happens is a signal (`SIGKILL`, `SIGSTOP`), or an error of
Postgres's (`SerializationError`) where the step is one of the store. With FAULT_CLOCK_HOURS its
clock jumps to and fro by up to so many hours; BUG names one of `planted_bugs`. Only here: the
service itself has no hooks.
"""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta, tzinfo
from typing import Any, Self

import asyncpg
from aiokafka import AIOKafkaProducer

from invoicing.maintenance.recover import kafka as of_kafka
from invoicing.maintenance.recover import postgres as of_postgres
from invoicing.ops.main import main
from invoicing.store import postgres
from invoicing.store.postgres import PostgresStore
from invoicing.worker import app as worker
from invoicing.worker.publisher import Publisher
from tests.support.service import planted_bugs

Method = Callable[..., Awaitable[Any]]

STEPS: dict[str, tuple[type, str, str]] = {
    "loading": (PostgresStore, "load", "before"),
    "loaded": (PostgresStore, "load", "after"),
    # The lock on the numbers of these sellers is held.
    "numbered": (PostgresStore, "_take_numbers", "after"),
    # Postgres waits for the rows of a COPY; `install` knows this step apart.
    "copying": (PostgresStore, "", "amid"),
    "copied": (asyncpg.Connection, "copy_records_to_table", "after"),
    "committing": (asyncpg.Connection, "execute", "before"),
    # COMMIT is on its way, and whether it was done is not known.
    "commit_sent": (asyncpg.Connection, "execute", "during"),
    # Postgres has committed, Kafka knows nothing.
    "stored": (PostgresStore, "append", "after"),
    "begun": (AIOKafkaProducer, "begin_transaction", "after"),
    "sending": (AIOKafkaProducer, "send_batch", "after"),
    # All is sent inside the Kafka transaction; then the offsets are in it, too.
    "sent": (AIOKafkaProducer, "send_offsets_to_transaction", "before"),
    "offsets": (AIOKafkaProducer, "commit_transaction", "before"),
    "ending": (AIOKafkaProducer, "commit_transaction", "during"),
    "committed": (Publisher, "publish", "after"),
}
# Of `invoicing recover`, which handles no batch.
STEPS_OF_RECOVERY: dict[str, tuple[Any, str, str]] = {
    # Some events are published, for good.
    "recovered_some": (of_kafka.Republisher, "publish", "after"),
    "recovered_events": (of_kafka.Republisher, "events", "after"),
    "recovered_answers": (of_kafka.Republisher, "replies", "after"),
    # All is put back, inside the transaction.
    "restored": (of_postgres, "rebuild_states", "after"),
}
# Long enough for bytes to leave, too short for most answers.
ON_ITS_WAY_SECONDS = 0.001


class Strike:
    """It comes once, at the first call after so many batches have begun."""

    def __init__(self, batch: int, what: str) -> None:
        self._batch = batch
        self._what = what
        self._begun = 0

    def note_batch(self) -> None:
        self._begun += 1

    def __call__(self) -> None:
        if self._begun < self._batch:
            return
        self._batch = 2**62
        if self._what.startswith("SIG"):
            os.kill(os.getpid(), signal.Signals[self._what])
        else:
            raise getattr(asyncpg, self._what)("as ordered")


def install(step: str, batch: int, what: str) -> None:
    """Let it happen at that step of the batch."""
    strike = Strike(batch, what)
    owner, name, when = (STEPS | STEPS_OF_RECOVERY)[step]
    if step == "copying":
        postgres.event_rows = _rows_struck(postgres.event_rows, strike)
    else:
        struck = _struck(getattr(owner, name), strike, when)
        setattr(
            owner, name, _if_commit(getattr(owner, name), struck) if name == "execute" else struck
        )
    # Outermost: the batch has begun before it is struck at its first step.
    PostgresStore.load = _noted(PostgresStore.load, strike.note_batch)


def let_the_clock_jump(hours: float) -> None:
    """Every look at the clock is wrong by up to so many hours, to either side."""

    class Jumping(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(hours=random.uniform(-hours, hours))

    worker.datetime = Jumping  # type: ignore[misc]


def start() -> None:
    """Be the worker, as the environment says."""
    if fault := os.environ.get("FAULT"):
        step, batch, what = fault.split(":")
        install(step, int(batch), what)
    if bug := os.environ.get("BUG"):
        getattr(planted_bugs, bug)()
    if hours := os.environ.get("FAULT_CLOCK_HOURS"):
        let_the_clock_jump(float(hours))
    main()


def _noted(method: Method, note: Callable[[], None]) -> Method:
    async def noted(*arguments: Any, **named: Any) -> Any:
        note()
        return await method(*arguments, **named)

    return noted


def _rows_struck(
    rows: Callable[[Any], Iterator[Any]], strike: Callable[[], None]
) -> Callable[[Any], Iterator[Any]]:
    def struck(events: Any) -> Iterator[Any]:
        strike()
        yield from rows(events)

    return struck


def _struck(method: Method, strike: Callable[[], None], when: str) -> Method:
    async def struck(*arguments: Any, **named: Any) -> Any:
        if when == "before":
            strike()
        work = asyncio.ensure_future(method(*arguments, **named))
        if when == "during":
            await asyncio.sleep(ON_ITS_WAY_SECONDS)
            strike()
        result = await work
        if when == "after":
            strike()
        return result

    return struck


def _if_commit(method: Method, struck: Method) -> Method:
    async def execute(connection: Any, query: str, *arguments: Any, **named: Any) -> Any:
        chosen = struck if query.startswith("COMMIT") else method
        return await chosen(connection, query, *arguments, **named)

    return execute


if __name__ == "__main__":
    start()
