"""`invoicing journal` of what a real worker has stored."""

import asyncio
import csv
import io
import json
import subprocess
from collections import defaultdict
from decimal import Decimal

import pytest

from tests.deploy.tools import hledger
from tests.support.service.command_line import Run, json_lines
from tests.support.service.commands import Sent, create_invoice, record_payment
from tests.support.service.service import Service

pytestmark = pytest.mark.real_kafka


@pytest.fixture
async def booked(service: Service) -> Service:
    """Invoices of two sellers: one is due, one is overpaid, one is written off, one is a test."""
    await service.ready_worker()
    answers = await service.ask(
        create_invoice("inv_due", document_date="2026-10-05"),
        record_payment("inv_due", "100.00", received_at="2026-10-20T12:00:00Z"),
        create_invoice("inv_overpaid", document_date="2026-10-31", customer_id="=cmd|calc"),
        record_payment("inv_overpaid", "300.00", received_at="2026-11-01T00:00:00Z"),
        create_invoice("inv_lost", document_date="2026-11-02", seller_id="seller_2"),
        Sent("WriteOffInvoice", "inv_lost", {}),
        create_invoice("inv_test", document_date="2026-11-03", live_mode=False),
    )
    assert {answer.get("code") for answer in answers} == {None}
    return service


async def text_of(invoicing: Run, *options: str) -> str:
    run = await invoicing("journal", *options)
    assert run.returncode == 0, run.stderr
    return run.stdout


async def test_the_journal_is_the_same_each_time_and_balances(
    booked: Service, invoicing: Run
) -> None:
    first, again = await text_of(invoicing), await text_of(invoicing)

    rows = list(csv.DictReader(io.StringIO(first)))
    debit, credit = (sum(Decimal(row[side] or 0) for row in rows) for side in ("debit", "credit"))
    assert first == again
    assert debit == credit > 0
    assert {row["customer_id"] for row in rows} == {"cus_42", "'=cmd|calc"}
    assert "inv_test" not in first


@pytest.mark.usefixtures("booked")
async def test_a_period_and_a_seller_can_be_chosen(invoicing: Run) -> None:
    async def chosen(*options: str) -> set[str]:
        entries = json_lines(await invoicing("journal", "--format", "jsonl", *options))
        return {f"{entry['invoice_id']} {entry['version']}" for entry in entries}

    assert await chosen("--to", "2026-10-31") == {"inv_due 2", "inv_due 3", "inv_overpaid 2"}
    assert await chosen("--from", "2026-10-31", "--to", "2026-11-01") == {
        "inv_overpaid 2", "inv_overpaid 3",
    }  # fmt: skip
    assert await chosen("--seller", "seller_2", "--to", "2026-11-02") == {"inv_lost 2"}
    assert await chosen("--seller", "nobody") == set()
    assert await chosen("--test") == {"inv_test 2"}


@pytest.mark.usefixtures("booked")
async def test_hledger_comes_to_the_amounts_of_the_invoices(invoicing: Run) -> None:
    journal = await text_of(invoicing, "--format", "hledger")

    report = await asyncio.to_thread(
        subprocess.run,
        [hledger(), "-f", "-", "balance", "--flat", "--layout=bare", "-N", "-O", "csv"],
        input=journal, capture_output=True, text=True, check=True,
    )  # fmt: skip

    balances: dict[str, Decimal] = defaultdict(Decimal)
    for account, _, amount in list(csv.reader(io.StringIO(report.stdout)))[1:]:
        balances[account] += Decimal(amount)
    assert balances["assets:receivable"] == Decimal("114.25")
    assert balances["liabilities:customer credit"] == Decimal("-85.75")
    assert balances["expenses:bad debt"] == Decimal("214.25")
    assert sum(balances.values()) == 0


@pytest.mark.usefixtures("booked")
async def test_every_balance_is_an_amount_of_an_invoice(invoicing: Run) -> None:
    balances: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for entry in json_lines(await invoicing("journal", "--format", "jsonl")):
        for posting in entry["postings"]:
            balances[entry["invoice_id"], posting["account"]] += Decimal(posting["amount"])

    for invoice_id in ("inv_due", "inv_overpaid", "inv_lost"):
        run = await invoicing("show", invoice_id, "--json")
        state = json.loads(run.stdout)
        assert balances[invoice_id, "assets:receivable"] == Decimal(state["amount_due"])
        assert -balances[invoice_id, "liabilities:customer credit"] == Decimal(
            state["amount_overpaid"]
        )
        assert balances[invoice_id, "expenses:bad debt"] == Decimal(state["amount_written_off"])


async def test_a_day_that_is_none_is_refused_with_the_form_to_use(invoicing: Run) -> None:
    run = await invoicing("journal", "--from", "yesterday")

    assert run.returncode == 2
    assert "%Y-%m-%d" in run.stderr
