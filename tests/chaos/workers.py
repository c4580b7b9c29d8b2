"""Worker processes, forked from one that has imported everything: there in milliseconds."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["__main__", "invoicing.worker.app", "invoicing.ops.main"])


class ForkedWorker:
    """One worker. It ends with the tests, whatever becomes of them."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        self._process = FORKING.Process(
            target=_work, args=(dict(environment), str(log)), daemon=True
        )
        self._process.start()

    @property
    def exit_code(self) -> int | None:
        """None while it lives; the signal's number below zero where one ended it."""
        return self._process.exitcode

    @property
    def is_stopped(self) -> bool:
        """Whether SIGSTOP holds it."""
        try:
            return psutil.Process(self._process.pid).status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        if self.exit_code is None and self._process.pid is not None:
            os.kill(self._process.pid, number)

    def close(self) -> None:
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        self._process.join()


def _work(environment: Mapping[str, str], log: str) -> None:
    with open(log, "ab") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    os.environ.update(environment)
    sys.argv = ["invoicing", "worker"]
    # Here, for the process that this one is forked from does not know the tests.
    from tests.support.service.faulty_worker import start

    start()
