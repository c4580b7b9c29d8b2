"""Contenders: programs that turn the commands topic into events and answers, each a process."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

import psutil

from invoicing.ops.support.failures import BenchError
from invoicing.tools.bench.ground import Site
from invoicing.tools.scratch.names import environment

STOP_SECONDS_MAX: Final = 10
LOG_LINES_SHOWN: Final = 20
PROFILE_SAMPLES_A_SECOND: Final = 100


@dataclass(frozen=True)
class Contender:
    """A program: its module and arguments, and its standard input."""

    name: str
    arguments: Sequence[str]
    stdin: bytes = b""


INVOICING: Final = Contender("invoicing", ("invoicing.ops.main", "worker"))


@dataclass(frozen=True)
class Running:
    """A contender's process, and where its log is."""

    contender: Contender
    process: psutil.Popen
    log: Path

    def check(self) -> None:
        """Raises `BenchError` if it has ended by itself."""
        if self.process.poll() is not None:
            lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
            ended = f"{self.contender.name} ended with {self.process.returncode}. Its last lines:"
            raise BenchError("\n".join([ended, *lines]))

    @property
    def cpu_seconds(self) -> float:
        """Processor time so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    @property
    def resident_bytes(self) -> int:
        """Resident memory."""
        return int(self.process.memory_info().rss)


@contextmanager
def running(contender: Contender, site: Site, processes: int = 1) -> Iterator[list[Running]]:
    """The contender's processes on the site; they end with the block."""
    with ExitStack() as stack:
        yield [stack.enter_context(_started(contender, site)) for _ in range(processes)]


@contextmanager
def _started(contender: Contender, site: Site) -> Iterator[Running]:
    path = site.directory / f"{contender.name.replace(' ', '-')}.log"
    with path.open("wb") as log, TemporaryFile() as stdin:
        stdin.write(contender.stdin)
        stdin.seek(0)
        process = psutil.Popen(
            [sys.executable, "-m", *contender.arguments],
            env=environment(site.chosen),
            stdin=stdin,
            stdout=log,
            stderr=log,
            # Ctrl-C is for the benchmark; it ends its contenders itself.
            start_new_session=True,
        )
    try:
        yield Running(contender, process, path)
    finally:
        _stop(process)


@contextmanager
def profiled(running: Running, path: Path) -> Iterator[None]:
    """Sample the process with py-spy; the samples are written when the block ends.

    The process ends with the block. Raises `BenchError` if py-spy may not attach to it.
    """
    profiler = subprocess.Popen(  # noqa: S603 (constants of ours)
        [
            *(Path(sys.executable).parent / "py-spy", "record", "--nonblocking"),
            *("--format", "raw", "--full-filenames"),
            *("--rate", str(PROFILE_SAMPLES_A_SECOND), "--output", path),
            *("--pid", str(running.process.pid)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        _stop(running.process)  # then it writes what it has seen
        _, said = profiler.communicate(timeout=STOP_SECONDS_MAX)
    if profiler.returncode or not path.exists():
        raise BenchError(f"py-spy has seen nothing: {said.decode(errors='replace').strip()}")


@contextmanager
def held(started: Sequence[Running]) -> Iterator[None]:
    """Suspend the processes while the block runs."""
    for one in started:
        one.process.suspend()
    try:
        yield
    finally:
        for one in started:
            one.process.resume()


def _stop(process: psutil.Popen) -> None:
    if process.poll() is not None:
        return
    process.resume()
    process.terminate()
    try:
        process.wait(STOP_SECONDS_MAX)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait()
