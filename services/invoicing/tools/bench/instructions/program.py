"""What Valgrind runs: batches of all kinds, each between two marks, and the reference.

A mark is a call of getppid, at which Callgrind is asked to write its counts. The names of what ran
before each mark go to standard output, as JSON.
"""

import asyncio
import gc
import os
import subprocess
import sys
from typing import Final

import orjson

from invoicing.tools.bench.instructions.reference import reference
from invoicing.tools.bench.instructions.stages import REST, staged
from invoicing.tools.bench.instructions.workload import KINDS, Batch, batch_of

STAGED: Final = "staged"
REFERENCE: Final = "reference"
NOTHING: Final = "nothing"
MARK: Final = "mark"
WARM_UPS: Final = 3
"""An interpreter adapts a function to its arguments when it has run some ten times."""
PASSES: Final = 2
COMMANDS: Final = 10
"""In a batch, which is also how often the reference runs in a pass."""
STAGED_COMMANDS: Final = 5
"""In a batch that is divided into stages: Callgrind takes its time at each mark."""


class Marks:
    """What ran before each mark: the pass or `staged`, the kind, and the stage."""

    def __init__(self) -> None:
        self.names: list[tuple[str, str, str]] = []
        self.part = self.kind = ""

    def mark(self, stage: str) -> None:
        """Say what has run since the last mark."""
        self.names.append((self.part, self.kind, stage))
        os.getppid()


async def main(with_stages: bool) -> None:
    """Warm up, begin to count, and run each kind once more in each pass."""
    marks = Marks()
    for _ in range(WARM_UPS):
        await _handle(await _batches(COMMANDS), marks)
        _run_reference(marks)
    passes = [(str(number), await _batches(COMMANDS)) for number in range(PASSES)]
    stages = await _batches(STAGED_COMMANDS) if with_stages else {}
    gc.collect()
    gc.freeze()
    gc.disable()
    _begin_to_count()
    marks.names.clear()
    for marks.part, batches in passes:
        await _handle(batches, marks)
        _run_reference(marks)
    marks.part = STAGED
    with staged(marks.mark):
        await _handle(stages, marks)
    marks.mark(NOTHING)
    marks.mark(MARK)
    sys.stdout.buffer.write(orjson.dumps(marks.names))


async def _batches(commands: int) -> dict[str, Batch]:
    return {kind.name: await batch_of(kind, commands) for kind in KINDS}


async def _handle(batches: dict[str, Batch], marks: Marks) -> None:
    for marks.kind, batch in batches.items():
        marks.mark(NOTHING)
        await batch.handle()
        marks.mark(REST)


def _run_reference(marks: Marks) -> None:
    marks.kind = REFERENCE
    marks.mark(NOTHING)
    for _ in range(COMMANDS):
        reference()
    marks.mark(REST)


def _begin_to_count() -> None:
    """Until now, Valgrind ran this process without counting, at a fifth of its speed.

    The process must not sleep meanwhile: Valgrind looks for requests while it works.
    """
    request = ("vgdb", f"--pid={os.getpid()}", "--max-invoke-ms=0", "instrumentation", "on")
    with subprocess.Popen(request, stdout=subprocess.DEVNULL) as process:  # noqa: S603 (ours)
        while process.poll() is None:
            pass


if __name__ == "__main__":
    asyncio.run(main(STAGED in sys.argv))
