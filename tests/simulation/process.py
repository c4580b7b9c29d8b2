"""A made-up process: it can crash or fall asleep wherever it waits for the world outside."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

STEP_SECONDS_MEAN = 0.005
SLOW_SHARE = 0.3


class Process:
    """Everything that a worker does to the outside goes through `step`, one at a time or many.

    A crashed process never comes back from a step; one that is asleep comes back when it wakes, and
    goes on as if nothing had happened.
    """

    def __init__(self, chance: random.Random, broker: Any) -> None:
        self.is_alive = True
        self.broker = broker
        self._chance = chance
        self._awake = asyncio.Event()
        self._awake.set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def step(self, _what: str, times_longer: float = 1) -> None:
        """A moment at which anything may happen to anybody."""
        await asyncio.sleep(self._chance.expovariate(1 / STEP_SECONDS_MEAN) * times_longer)
        await self._awake.wait()
        if not self.is_alive:
            await asyncio.Event().wait()

    def is_slow_now(self) -> bool:
        """Now and then, what is done to the outside takes its time."""
        return self._chance.random() < SLOW_SHARE

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run it as a part of the process."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def crash(self) -> None:
        """Nothing that it does from now on has an effect."""
        self.is_alive = False
        for task in self._tasks:
            task.cancel()

    def sleep(self) -> None:
        self._awake.clear()

    def wake(self) -> None:
        self._awake.set()

    @property
    def is_awake(self) -> bool:
        return self._awake.is_set()
