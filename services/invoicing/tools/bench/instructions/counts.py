"""The counts of a run under Valgrind, by kind of command and by stage."""

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Final

import orjson

from invoicing.ops.support.failures import BenchError
from invoicing.tools.bench.instructions.program import (
    COMMANDS,
    MARK,
    PASSES,
    REFERENCE,
    STAGED,
    STAGED_COMMANDS,
)
from invoicing.tools.bench.instructions.stages import REST, STAGES
from invoicing.tools.bench.instructions.workload import KINDS

PROGRAM: Final = "invoicing.tools.bench.instructions.program"
VALGRIND: Final = "valgrind"
_COUNTING: Final = (
    *("--quiet", "--tool=callgrind", "--instr-atstart=no"),
    *("--dump-before=getppid", "--combine-dumps=yes"),
)
_COUNT: Final = "totals: "


@dataclass(frozen=True)
class Counts:
    """Instructions of one command of each kind, and of the reference: in each pass, and by stage.

    What belongs to no stage is the difference to the sum: the marks between stages cost, too.
    """

    passes: Mapping[str, Sequence[float]]
    stages: Mapping[str, Mapping[str, float]]

    @property
    def ratios(self) -> dict[str, float]:
        """By kind: the instructions of a command for each of the reference."""
        reference = mean(self.passes[REFERENCE])
        return {kind.name: mean(self.passes[kind.name]) / reference for kind in KINDS}


def mixed(by_kind: Mapping[str, float]) -> float:
    """The figure of a command of the mixed load, from those of each kind."""
    return sum(by_kind[kind.name] * kind.percent for kind in KINDS) / 100


def is_installed() -> bool:
    """Whether this machine has Valgrind."""
    return shutil.which(VALGRIND) is not None


def counted(*, with_stages: bool = False) -> Counts:
    """Count. Takes fifteen seconds of a processor, with stages thirty.

    Raises `BenchError` without Valgrind, and if the program fails under it.
    """
    if not is_installed():
        raise BenchError("Valgrind is missing. Install it with: apt-get install valgrind")
    with TemporaryDirectory(prefix="invoicing-bench-") as directory:
        path = Path(directory) / "counts"
        process = subprocess.run(  # noqa: S603 (constants of ours)
            [
                *(VALGRIND, *_COUNTING, f"--callgrind-out-file={path}"),
                *(sys.executable, "-m", PROGRAM, *([STAGED] if with_stages else [])),
            ],
            env={**os.environ, "PYTHONHASHSEED": "0"},
            capture_output=True,
            check=False,
        )
        if process.returncode != 0:
            raise BenchError(f"Valgrind has failed: {process.stderr.decode(errors='replace')}")
        lines = path.read_text().splitlines()
    counts = [int(line.removeprefix(_COUNT)) for line in lines if line.startswith(_COUNT)]
    return _by_kind([tuple(name) for name in orjson.loads(process.stdout)], counts)


def _by_kind(names: Sequence[tuple[str, str, str]], counts: Sequence[int]) -> Counts:
    """Assign each count to the name of what ran before it; the last is of the program's end."""
    named = list(zip(names, counts[:-1], strict=True))
    (a_mark,) = (count for (_, _, stage), count in named if stage == MARK)
    sums: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    for name, count in named:
        sums[name] += (count - a_mark) / (STAGED_COMMANDS if name[0] == STAGED else COMMANDS)
    kinds = [kind.name for kind in KINDS]
    return Counts(
        {
            kind: [sums[str(number), kind, REST] for number in range(PASSES)]
            for kind in (*kinds, REFERENCE)
        },
        {
            kind: {stage: sums[STAGED, kind, stage] for stage in dict.fromkeys(STAGES.values())}
            for kind in kinds
        },
    )
