"""The journal's formats, read back by a bookkeeping program and by a spreadsheet."""

import csv
import io
import json
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from invoicing.domain.journal.accounts import Account, Posting
from invoicing.maintenance.journal import Bookkeeper, JournalEntry
from invoicing.ops.support.journal_formats import CSV_COLUMNS, FORMATS
from invoicing.tools.schemas.story import run_story
from tests.deploy.tools import hledger, run, soffice

ENTRIES: Sequence[JournalEntry] = tuple(
    entry
    for bookkeeper in [Bookkeeper()]
    for stored in sorted(run_story().events, key=lambda event: (event.invoice_id, event.version))
    if (entry := bookkeeper.take(stored)) is not None
)
HOSTILE = replace(
    ENTRIES[0],
    customer_id='=HYPERLINK("https://example.org")',
    reference="@pay ; one\n2026-01-01 two",
    postings=(
        Posting(Account.CASH, "-wire  transfer: (x)", Decimal("1.234")),
        Posting(Account.CUSTOMER_CREDIT, "", Decimal("-1.234")),
    ),
    currency="KWD",
)
DECIMALS = {"USD": Decimal("0.01"), "EUR": Decimal("0.01"), "KWD": Decimal("0.001")}


def text_of(name: str, entries: Sequence[JournalEntry]) -> str:
    chosen = FORMATS[name]
    return chosen.head + "".join(map(chosen.write, entries))


def balances(entries: Sequence[JournalEntry]) -> dict[tuple[str, str], Decimal]:
    """The balance of each account in each currency, where there is one."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for entry in entries:
        for account, _, amount in entry.postings:
            sums[account, entry.currency] += amount
    return {key: amount for key, amount in sums.items() if amount}


def test_every_entry_of_the_story_is_balanced() -> None:
    assert len(ENTRIES) > 10
    assert {sum(posting.amount for posting in entry.postings) for entry in ENTRIES} == {0}


def test_csv_has_a_row_for_each_posting_with_a_debit_or_a_credit() -> None:
    rows = list(csv.DictReader(io.StringIO(text_of("csv", ENTRIES), newline="")))

    assert tuple(rows[0]) == CSV_COLUMNS
    assert len(rows) == sum(len(entry.postings) for entry in ENTRIES)
    assert all(bool(row["debit"]) is not bool(row["credit"]) for row in rows)
    debits = sum(Decimal(row["debit"] or 0) for row in rows)
    assert debits == sum(Decimal(row["credit"] or 0) for row in rows)


def test_csv_disarms_what_a_spreadsheet_would_take_for_a_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(text_of("csv", [HOSTILE]), newline="")))

    assert rows[0]["customer_id"] == "'" + HOSTILE.customer_id
    assert rows[0]["reference"] == "'" + HOSTILE.reference
    assert rows[0]["detail"] == "'-wire  transfer: (x)"


def test_json_lines_hold_an_entry_each_with_exact_amounts() -> None:
    documents = [json.loads(line) for line in text_of("jsonl", [*ENTRIES, HOSTILE]).splitlines()]

    assert len(documents) == len(ENTRIES) + 1
    assert documents[-1]["customer_id"] == HOSTILE.customer_id
    assert documents[-1]["postings"][0] == {
        "account": "assets:cash clearing",
        "detail": "-wire  transfer: (x)",
        "amount": "1.234",
    }


def test_hledger_reads_the_journal_and_comes_to_the_same_balances(tmp_path: Path) -> None:
    entries = [*ENTRIES, HOSTILE]
    journal = tmp_path / "invoices.journal"
    journal.write_text(text_of("hledger", entries))

    run(hledger(), "-f", str(journal), "check")
    report = run(
        hledger(), "-f", str(journal), "balance", "--flat", "--layout=bare", "-O", "csv", "-N"
    )

    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for account, currency, amount in list(csv.reader(io.StringIO(report)))[1:]:
        name = next(each for each in Account if account.startswith(each))
        found[name, currency] += Decimal(amount)
    assert {key: amount for key, amount in found.items() if amount} == balances(entries)


def test_hledger_refuses_an_entry_that_does_not_balance(tmp_path: Path) -> None:
    (first, *others) = ENTRIES[0].postings
    wrong = replace(
        ENTRIES[0], postings=(first._replace(amount=first.amount + Decimal("0.01")), *others)
    )
    journal = tmp_path / "invoices.journal"
    journal.write_text(text_of("hledger", [wrong]))

    checked = subprocess.run(
        [hledger(), "-f", journal, "check"], capture_output=True, text=True, check=False
    )

    assert checked.returncode != 0


def test_a_spreadsheet_opens_the_csv_with_dates_numbers_and_texts(tmp_path: Path) -> None:
    source = tmp_path / "journal.csv"
    source.write_text(text_of("csv", [*ENTRIES, HOSTILE]), newline="")

    run(
        soffice(), f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless",
        "--convert-to", "fods", "--outdir", str(tmp_path), str(source),
    )  # fmt: skip

    head, *rows = cells_of(tmp_path / "journal.fods")
    assert [text for _, text in head] == list(CSV_COLUMNS)
    typed = [dict(zip(CSV_COLUMNS, row, strict=True)) for row in rows]
    assert len(typed) == sum(len(entry.postings) for entry in [*ENTRIES, HOSTILE])
    for row in typed:
        assert row["date"][0] == "date"
        assert row["version"][0] == "float"
        assert {row["debit"][0], row["credit"][0]} == {"float", ""}
        assert {row[name][0] for name in ("invoice_id", "account", "currency")} == {"string"}
    assert typed[-2]["customer_id"] == ("string", "'" + HOSTILE.customer_id)
    debits = sum(Decimal(row["debit"][1]) for row in typed if row["debit"][1])
    assert debits == sum(Decimal(row["credit"][1]) for row in typed if row["credit"][1])


OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"


def cells_of(sheet: Path) -> Iterator[list[tuple[str, str]]]:
    """Each row's cells: the type that the spreadsheet gave it, and its value."""
    for row in ElementTree.parse(sheet).iter(f"{{{TABLE}}}table-row"):
        cells: list[tuple[str, str]] = []
        for cell in row.iter(f"{{{TABLE}}}table-cell"):
            type_ = cell.get(f"{{{OFFICE}}}value-type", "")
            value = cell.get(f"{{{OFFICE}}}value") or "\n".join(
                "".join(paragraph.itertext()) for paragraph in cell
            )
            cells += [(type_, value)] * int(cell.get(f"{{{TABLE}}}number-columns-repeated", "1"))
        if any(value for _, value in cells):
            yield cells[: len(CSV_COLUMNS)]


@pytest.mark.parametrize("name", FORMATS)
def test_the_text_of_no_entries_is_the_head_alone(name: str) -> None:
    assert text_of(name, []) == FORMATS[name].head
