"""The workers of a round: replaced as they die, woken after they slept, each with a fate."""

import asyncio
import random
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.chaos.workers import ForkedWorker
from tests.support.service.faulty_worker import STEPS
from tests.support.stack.ports import free_port

WORKERS = 3
NAMELESS = 0.1
# What may meet a worker by itself: how many of them, as a share. The rest lives in peace.
Fates = Mapping[str, float]
PEACE: Fates = {}
KILLED, STOPPED, FAILING, CLOCK = "SIGKILL", "SIGSTOP", "an error", "clock jumps"
AT_A_STEP = (KILLED, STOPPED, FAILING)
EVERY_FATE: Fates = {KILLED: 0.75, STOPPED: 0.05, FAILING: 0.05, CLOCK: 0.2}
CLOCK_HOURS = 5
BATCHES_MAX = 4
# Always past its session, so that whoever wakes up is a zombie whose lanes others have.
SLEEP_SESSIONS = (1.2, 2.0)
STEPS_OF_THE_STORE = ("loading", "loaded", "numbered", "copying", "copied", "committing")
ERRORS = ("SerializationError", "DeadlockDetectedError", "TooManyConnectionsError")
# SIGTERM ends a process that has not come as far as to listen for it; or is taken for a Ctrl-C.
PEACEFUL_ENDS = (0, -signal.SIGTERM, 130)


class Crew:
    """Keeps so many workers running. `note` is told what was done to one, by its kind."""

    def __init__(
        self,
        environment: Mapping[str, str],
        directory: Path,
        chance: random.Random,
        fates: Fates,
        session_seconds: float,
        note: Callable[[str], None],
    ) -> None:
        self._environment = environment
        self._directory = directory
        self._chance = chance
        self._fates = fates
        self._session_seconds = session_seconds
        self._note = note
        self._workers: dict[int, ForkedWorker] = {}
        self._steps: dict[int, str] = {}
        self._wakings: dict[int, asyncio.Task[None]] = {}
        self._started = 0

    def fill(self, workers: int = WORKERS) -> None:
        """Take note of whom a fate has met, and start others in the places of the dead."""
        for slot, worker in list(self._workers.items()):
            code = worker.exit_code
            if code is not None:
                self._bury(slot, worker, code)
            elif worker.is_stopped and slot not in self._wakings:
                self._note(f"SIGSTOP at {self._steps[slot] or 'random'}")
                self._wake_later(slot, worker)
        for slot in range(workers):
            if slot not in self._workers:
                self._start(slot)

    def join(self) -> None:
        """One worker more, until it dies."""
        slot = max(self._workers, default=0) + 1
        if slot < 2 * WORKERS:
            self._start(slot)

    def signal_one(self, number: signal.Signals) -> None:
        """Send it to one of them."""
        awake = [slot for slot in self._workers if slot not in self._wakings]
        if awake:
            slot = self._chance.choice(awake)
            self._steps[slot] = ""
            self._workers[slot].signal(number)

    async def calm_down(self) -> None:
        """Wait for the sleepers. Whoever is started from now on has no fate."""
        self._fates = PEACE
        if self._wakings:
            await asyncio.wait(self._wakings.values())

    def close(self) -> None:
        for waking in self._wakings.values():
            waking.cancel()
        for worker in self._workers.values():
            worker.close()

    def _bury(self, slot: int, worker: ForkedWorker, code: int) -> None:
        if code == -signal.SIGKILL:
            self._note(f"SIGKILL at {self._steps[slot] or 'random'}")
        else:
            assert code in PEACEFUL_ENDS, f"ended with {code}: {worker.log[-3000:]}"
        del self._workers[slot]
        worker.close()

    def _start(self, slot: int) -> None:
        self._started += 1
        settings = {
            "INVOICING_METRICS_PORT": str(free_port()),
            "INVOICING_RETRY_LIMIT_SECONDS": "60",
            "INVOICING_BATCH_RECORDS_MAX": "100",
        }
        if self._chance.random() > NAMELESS:
            # Whoever comes back by this name has its lanes at once; others wait for a session.
            settings["INVOICING_GROUP_INSTANCE_ID"] = f"slot-{slot}"
        if self._chance.random() < self._fates.get(CLOCK, 0.0):
            settings["FAULT_CLOCK_HOURS"] = str(CLOCK_HOURS)
            self._note(CLOCK)
        self._steps[slot] = ""
        settings |= self._fate(slot)
        log = self._directory / f"worker-{self._started}.log"
        self._workers[slot] = ForkedWorker({**self._environment, **settings}, log)

    def _fate(self, slot: int) -> dict[str, str]:
        shares = [self._fates.get(fate, 0.0) for fate in AT_A_STEP]
        (what,) = self._chance.choices([*AT_A_STEP, ""], [*shares, 1 - sum(shares)])
        step, batch = self._chance.choice(list(STEPS)), self._chance.randrange(1, BATCHES_MAX)
        if not what:
            return {}
        if what == FAILING:
            step, what = self._chance.choice(STEPS_OF_THE_STORE), self._chance.choice(ERRORS)
            self._note(f"{what} at a step")
        self._steps[slot] = step
        return {"FAULT": f"{step}:{batch}:{what}"}

    def _wake_later(self, slot: int, worker: ForkedWorker) -> None:
        async def wake() -> None:
            await asyncio.sleep(self._session_seconds * self._chance.uniform(*SLEEP_SESSIONS))
            worker.signal(signal.SIGCONT)
            del self._wakings[slot]

        self._wakings[slot] = asyncio.create_task(wake())
