"""The commands of this package: `invoicing demo` and `invoicing bench`."""

from pathlib import Path
from typing import Annotated

import typer


def demo() -> None:
    """Run a demonstration on a service of its own.

    It starts PostgreSQL from a Python wheel, a mock Kafka broker inside this process, and a real
    worker; nothing else need be installed, and nothing is left behind. Set
    INVOICING_KAFKA_BOOTSTRAP_SERVERS to run it on a real Kafka: with transactions, and on topics of
    its own. Exits with 1 if any outcome differs from what is expected.
    """
    from invoicing.tools.demo.command import demo as run_demo

    run_demo()


def bench(
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="ROW", help="Measure this row only; may be repeated."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A short run: for a look, not for a judgement.")
    ] = False,
    directory: Annotated[
        Path,
        typer.Option("--output", metavar="DIRECTORY", help="Directory for the page and the JSON."),
    ] = Path("bench-results"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Benchmark the service beside other designs.

    They run in turns, and the ratios are reported. Needs a real Kafka, and a Postgres user who may
    create databases: topics and databases are created for the run and removed. Other load on the
    machine affects both sides of a ratio, but makes it less certain. Needs the packages of
    `invoicing[bench]`.
    """
    from invoicing.tools.bench.command import bench as run_bench

    run_bench(only, quick, directory, as_json)
