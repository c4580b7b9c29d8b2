"""`invoicing verify`: is every promise kept?"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

import typer

from invoicing.maintenance.verify.findings import MEANINGS, Finding, FindingKind

if TYPE_CHECKING:
    from invoicing.maintenance.verify.verify import Verified

# --json prints all.
SHOWN_MAX: Final = 20


def verify(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line for each finding, then a summary.")
    ] = False,
) -> None:
    """Check every promise: compare Postgres with the topics.

    Every command has exactly one reply. An invoice's versions are 1 to n, and each event was
    published once, in order, in its invoice's partition, byte for byte. The current state follows
    from the events. Numbers have no gaps and no repeats. Every record was answered, forwarded or
    dead-lettered. Neither side is behind the other. It only reads, and may run beside workers. It
    needs about 400 bytes of temporary files for each event. Topics that lost old records to
    retention are compared as far as they reach. Exits with 1 if anything is found.
    """
    import orjson

    from invoicing.maintenance.verify.verify import verify as compare
    from invoicing.ops.support.console import print_line
    from invoicing.ops.support.formatting import plain
    from invoicing.ops.support.kafka import reaching_kafka
    from invoicing.ops.support.postgres import reaching_postgres
    from invoicing.ops.support.progress import source_bars
    from invoicing.runtime.gc_tuning import gc_tuned
    from invoicing.runtime.settings import read_settings

    settings = read_settings()
    counts: Counter[FindingKind] = Counter()

    def report(finding: Finding) -> None:
        counts[finding.kind] += 1
        if as_json:
            fields = {
                "finding": finding.kind,
                "invoice_id": finding.invoice_id,
                "expected": finding.expected,
                "found": finding.found,
                "meaning": MEANINGS[finding.kind],
            }
            print_line(orjson.dumps(fields).decode())
        elif counts.total() <= SHOWN_MAX:
            text = (
                f"{finding.kind}: invoice {finding.invoice_id or '-'}"
                f"\n  expected: {finding.expected}\n  found: {finding.found}"
            )
            print_line(plain(text))

    with gc_tuned(), source_bars() as progress, reaching_postgres(), reaching_kafka():
        verified = asyncio.run(compare(settings, report, progress))
    _print_summary(verified, counts, as_json)
    if counts:
        raise typer.Exit(1)


def _print_summary(verified: "Verified", counts: Mapping[FindingKind, int], as_json: bool) -> None:
    import orjson
    from rich import box
    from rich.table import Table

    from invoicing.ops.support.console import out, print_line, print_note

    compared = _compared(verified)
    total = sum(counts.values())
    if as_json:
        print_line(orjson.dumps({"findings": total, "compared": compared}).decode())
        return
    if total > SHOWN_MAX:
        print_note(f"... and {total - SHOWN_MAX} more; --json prints all.")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Compared")
    table.add_column("", justify="right")
    for name, count in compared.items():
        table.add_row(name.replace("_", " ").replace("answers", "replies"), f"{count:,}")
    out.print(table)
    if not counts:
        print_line("Every promise is kept.")
    for kind, count in counts.items():
        print_line(f"{count} x {kind}: {MEANINGS[kind]}")


def _compared(verified: "Verified") -> dict[str, int]:
    retained, tables = verified.retained, verified.tables
    return {
        "invoices": tables.invoices,
        "events": tables.events,
        "answers": tables.replies,
        "commands_in_topic": retained.commands.records,
        "events_in_topic": retained.events.records,
        "answers_in_topic": retained.replies.records,
        "dead_letters_in_topic": retained.dead_letters.records,
        "partitions_with_records_lost_by_age": verified.partitions_cut,
        "offsets_not_yet_due": verified.offsets_not_due,
    }
