"""`invoicing bench`: how fast, beside something else that runs in the same minutes."""

import asyncio
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import orjson

from invoicing.ops.support.console import out, print_line, print_note
from invoicing.ops.support.failures import BenchError
from invoicing.ops.support.interruption import interrupted_once
from invoicing.ops.support.kafka import reaching_kafka
from invoicing.ops.support.postgres import reaching_postgres
from invoicing.runtime.settings import read_settings
from invoicing.tools.bench.figures import Row
from invoicing.tools.bench.page import FIGURES, PAGE, write
from invoicing.tools.bench.scale import QUICK, STANDARD
from invoicing.tools.bench.table import table_of


def bench(only: list[str] | None, quick: bool, directory: Path, as_json: bool) -> None:
    """Run the benchmark, print its rows, and write them to the directory."""
    if find_spec("psutil") is None or find_spec("eventsourcing") is None:
        raise BenchError("Packages are missing. Install them with: pip install 'invoicing[bench]'")
    # Imported here, for no container has what it imports.
    from invoicing.tools.bench.run import asked, run

    began = perf_counter()

    def report(words: str) -> None:
        print_note(f"{perf_counter() - began:4.0f} s  {words}")

    rows: list[Row] = []

    def keep(row: Row) -> None:
        rows.append(row)
        write(rows, directory)  # each time, so that whoever stops it has what was measured so far
        if not as_json:
            out.print(table_of(row))

    with interrupted_once(), reaching_kafka(), reaching_postgres():
        scale = QUICK if quick else STANDARD
        asyncio.run(run(read_settings(), asked(only, quick), scale, report, keep))
    if as_json:
        print_line(orjson.dumps(rows).decode())
    print_note(f"Written: {directory / PAGE} and {directory / FIGURES}")
