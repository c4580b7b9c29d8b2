"""A worker that stops or kills itself at a chosen step of a chosen batch.

    FAULT=<step>:<batch>:<signal> python -m tests.service.faulty_worker worker

Steps: `copying` (Postgres waits for the rows of a COPY, and the lock on numbers is held), `stored`
(Postgres has committed, Kafka knows nothing), `sent` (inside the Kafka transaction), `offsets` (the
offsets are in it too), `committed` (all is done). Only here: the service itself has no hooks.
"""

import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from typing import Any

from aiokafka import AIOKafkaProducer

from invoicing import store
from invoicing.publisher import Publisher
from ops.main import main

Method = Callable[..., Awaitable[Any]]


def install(step: str, batch: int, number: signal.Signals) -> None:
    """Let the signal come at that step of the batch, counted from 1 over all lanes."""
    batches = count(1)

    def strike() -> None:
        if next(batches) == batch:
            os.kill(os.getpid(), number)

    if step == "copying":
        store._event_rows = _rows_struck(store._event_rows, strike)
        return
    owner, name, when = {
        "stored": (Publisher, "publish", "before"),
        "sent": (AIOKafkaProducer, "send_offsets_to_transaction", "before"),
        "offsets": (AIOKafkaProducer, "commit_transaction", "before"),
        "committed": (Publisher, "publish", "after"),
    }[step]
    setattr(owner, name, _struck(getattr(owner, name), strike, when))


def _rows_struck(
    rows: Callable[[Any], Iterator[Any]], strike: Callable[[], None]
) -> Callable[[Any], Iterator[Any]]:
    def struck(events: Any) -> Iterator[Any]:
        strike()  # the COPY has begun, and Postgres waits for its rows
        yield from rows(events)

    return struck


def _struck(method: Method, strike: Callable[[], None], when: str) -> Method:
    async def struck(*arguments: Any, **named: Any) -> Any:
        if when == "before":
            strike()
        result = await method(*arguments, **named)
        if when == "after":
            strike()
        return result

    return struck


if __name__ == "__main__":
    wanted_step, wanted_batch, wanted_signal = os.environ["FAULT"].split(":")
    install(wanted_step, int(wanted_batch), signal.Signals[wanted_signal])
    main()
