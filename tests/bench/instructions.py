"""Instructions for a command: shown beside what is recorded, or recorded.

python -m tests.bench.instructions [record]
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from invoicing.ops.support.console import out
from invoicing.tools.bench.instructions.counts import counted
from invoicing.tools.bench.rows.instructions import row_of
from invoicing.tools.bench.table import table_of

RECORDED = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class Recorded:
    """By kind of command, the instructions for each of the reference; counted on this Python."""

    python: str
    ratios: dict[str, float]


PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def recorded() -> Recorded:
    """What is recorded."""
    return Recorded(**json.loads(RECORDED.read_text()))


def show() -> None:
    """Count by stage, and compare the sums with what is recorded."""
    counts = counted(with_stages=True)
    out.print(table_of(row_of(counts)))
    before = recorded()
    for kind, ratio in counts.ratios.items():
        print(f"{kind:16} {ratio:6.3f} of the reference, recorded {before.ratios.get(kind)}")


def record() -> None:
    """Count, and replace what is recorded."""
    ratios = {kind: round(ratio, 3) for kind, ratio in counted().ratios.items()}
    RECORDED.write_text(json.dumps(asdict(Recorded(PYTHON, ratios)), indent=2) + "\n")
    print(RECORDED.read_text())


if __name__ == "__main__":
    record() if "record" in sys.argv else show()
