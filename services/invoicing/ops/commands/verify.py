"""`invoicing verify`: are all promises kept?"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Final

import orjson
import typer
from rich import box
from rich.table import Table

from invoicing.maintenance.verify.findings import MEANINGS, Finding, FindingKind
from invoicing.maintenance.verify.verify import Verified
from invoicing.maintenance.verify.verify import verify as compare
from invoicing.ops.support.console import out, print_line, print_note
from invoicing.ops.support.failures import reaching_kafka, reaching_postgres
from invoicing.ops.support.formatting import plain
from invoicing.ops.support.progress import bars
from invoicing.runtime.garbage import gc_tuned
from invoicing.runtime.settings import read_settings

# With --json all are printed.
SHOWN_MAX: Final = 20


def verify(
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print each finding, then what was compared, a line each."),
    ] = False,
) -> None:
    """Compare Postgres with the topics: is every promise kept?

    Every command has its one answer; versions are 1..n; each event was published once, in order, in
    its invoice's partition, byte for byte; the state is what the events add up to; numbers have no
    gap and no repeat; every record was answered, forwarded or set aside; neither side has forgotten
    how far a lane has come. It only reads, and may run beside workers. It needs room for temporary
    files, about 400 bytes an event. Topics that have lost old records are compared as far as they
    reach. Exits with 1 when anything is found.
    """
    settings = read_settings()
    counts: Counter[FindingKind] = Counter()

    def report(finding: Finding) -> None:
        counts[finding.kind] += 1
        if as_json:
            print_line(_json(finding))
        elif counts.total() <= SHOWN_MAX:
            print_line(_sentence(finding))

    with gc_tuned(), bars() as progress, reaching_postgres(), reaching_kafka():
        verified = asyncio.run(compare(settings, report, progress))
    _tell(verified, counts, as_json)
    if counts:
        raise typer.Exit(1)


def _json(finding: Finding) -> str:
    return orjson.dumps({**_fields(finding), "meaning": MEANINGS[finding.kind]}).decode()


def _fields(finding: Finding) -> dict[str, object]:
    return {
        "finding": finding.kind,
        "invoice_id": finding.invoice_id,
        "expected": finding.expected,
        "found": finding.found,
    }


def _sentence(finding: Finding) -> str:
    return plain(
        f"{finding.kind}: invoice {finding.invoice_id or '-'}"
        f"\n  expected: {finding.expected}\n  found: {finding.found}"
    )


def _tell(verified: Verified, counts: Mapping[FindingKind, int], as_json: bool) -> None:
    compared = _compared(verified)
    if as_json:
        print_line(orjson.dumps({"findings": sum(counts.values()), "compared": compared}).decode())
        return
    if sum(counts.values()) > SHOWN_MAX:
        print_note(f"... and {sum(counts.values()) - SHOWN_MAX} more; --json prints all.")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Compared")
    table.add_column("", justify="right")
    for what, number in compared.items():
        table.add_row(what.replace("_", " "), f"{number:,}")
    out.print(table)
    if not counts:
        print_line("Every promise is kept.")
    for kind, number in counts.items():
        print_line(f"{number} x {kind}: {MEANINGS[kind]}")


def _compared(verified: Verified) -> dict[str, int]:
    retained, tables = verified.retained, verified.tables
    return {
        "invoices": tables.invoices,
        "events": tables.events,
        "answers": tables.answers,
        "commands_in_topic": retained.commands.records,
        "events_in_topic": retained.events.records,
        "answers_in_topic": retained.answers.records,
        "dead_letters_in_topic": retained.dead_letters.records,
        "partitions_with_records_lost_by_age": verified.partitions_cut,
        "offsets_not_yet_due": verified.offsets_not_due,
    }
