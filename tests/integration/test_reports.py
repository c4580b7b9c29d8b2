"""Reports on a real database: the receivables by age, equal to the journal's."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from invoicing.domain.journal.accounts import Account
from invoicing.maintenance.journal import JournalPeriod, journal_entries
from invoicing.runtime.settings import read_settings
from tests.integration.test_lists import Connect, Write, connect, write
from tests.support.service.commands import Sent, create_invoice, record_payment

__all__ = ["connect", "write"]

DUE = date(2026, 12, 20)
AGES = ("current", "days_1_30", "days_31_60", "days_61_90", "days_over_90")


def owed(
    subject: str, amount: str, customer: str = "cus_1", days: int = 0, **more: Any
) -> list[Sent]:
    """An open invoice that is due so many days before the day of the report."""
    return [
        create_invoice(
            subject,
            customer_id=customer,
            items=[{"amount": amount}],
            document_date="2026-01-01",
            due_date=(DUE - timedelta(days=days)).isoformat(),
            **more,
        )
    ]


async def aging(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    response = await client.get("/v1/reports/aging", params={"as_of": DUE.isoformat(), **query})
    assert response.status_code == 200, response.text
    report: dict[str, Any] = response.json()
    return report


def ages(row: dict[str, Any]) -> list[str]:
    return [row[name] for name in AGES]


@pytest.mark.parametrize(
    ("days", "age"),
    [
        (-5, "current"), (0, "current"), (1, "days_1_30"), (30, "days_1_30"), (31, "days_31_60"),
        (60, "days_31_60"), (61, "days_61_90"), (90, "days_61_90"), (91, "days_over_90"),
    ],
)  # fmt: skip
async def test_a_receivable_has_the_age_of_its_due_date(
    write: Write, connect: Connect, days: int, age: str
) -> None:
    await write(*owed("inv_1", "100.00", days=days))

    [row] = (await aging(connect()))["data"]

    assert {name: row[name] for name in AGES} == dict.fromkeys(AGES, "0.00") | {age: "100.00"}
    assert (row["total"], row["invoices"]) == ("100.00", 1)


@pytest.fixture
async def receivables(write: Write) -> None:
    """Open invoices of several customers and currencies, and others that owe nothing."""
    await write(
        *owed("inv_1", "100.00", days=0),
        *owed("inv_2", "50.00", days=10),
        *owed("inv_3", "70", days=40, currency="JPY"),
        *owed("inv_4", "30.00", "cus_2", days=100, seller_id="seller_2"),
        *owed("inv_5", "80.00", "cus_3"),
        record_payment("inv_2", "20.00"),
        record_payment("inv_5", "95.00"),
        *owed("inv_6", "40.00", "cus_3"),
        Sent("WriteOffInvoice", "inv_6", {}),
        *owed("inv_7", "41.00", "cus_3"),
        Sent("VoidInvoice", "inv_7", {}),
        *owed("inv_8", "42.00", "cus_3", state="draft"),
        *owed("inv_9", "43.00", "cus_4", live_mode=False),
    )


@pytest.mark.usefixtures("receivables")
async def test_receivables_are_added_up_by_customer_and_currency(connect: Connect) -> None:
    report = await aging(connect())

    assert report["as_of"] == DUE.isoformat()
    assert [(row["customer_id"], row["currency"], *ages(row)) for row in report["data"]] == [
        ("cus_1", "JPY", "0", "0", "70", "0", "0"),
        ("cus_1", "USD", "100.00", "30.00", "0.00", "0.00", "0.00"),
        ("cus_2", "USD", "0.00", "0.00", "0.00", "0.00", "30.00"),
    ]
    assert [(row["currency"], row["total"], row["invoices"]) for row in report["totals"]] == [
        ("JPY", "70", 1),
        ("USD", "160.00", 3),
    ]


@pytest.mark.usefixtures("receivables")
async def test_the_report_equals_the_receivable_of_the_journal(
    connect: Connect, database: str
) -> None:
    settings = read_settings({}, postgres_dsn=database)
    balances: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    async for entry in journal_entries(settings, JournalPeriod()):
        for posting in entry.postings:
            if posting.account is Account.RECEIVABLE:
                balances[entry.customer_id, entry.currency] += posting.amount

    report = await aging(connect())

    shown = {(row["customer_id"], row["currency"]): Decimal(row["total"]) for row in report["data"]}
    assert shown == {key: balance for key, balance in balances.items() if balance}


@pytest.mark.usefixtures("receivables")
async def test_pages_follow_each_other_and_all_have_the_same_totals(connect: Connect) -> None:
    client, rows, after = connect(), list[dict[str, Any]](), dict[str, str]()
    whole = await aging(client)
    while True:
        page = await aging(client, limit=1, **after)
        assert page["totals"] == whole["totals"]
        rows += page["data"]
        if not page["has_more"]:
            break
        after = {"after": page["end_cursor"]}

    assert rows == whole["data"]


@pytest.mark.usefixtures("receivables")
@pytest.mark.parametrize(
    ("query", "totals"),
    [
        ({"seller_id": "seller_2"}, {"USD": "30.00"}),
        ({"customer_id": "cus_1"}, {"USD": "130.00", "JPY": "70"}),
        ({"currency": "JPY"}, {"JPY": "70"}),
        ({"live_mode": "false"}, {"USD": "43.00"}),
        ({"customer_id": "cus_3"}, {}),
    ],
)
async def test_the_report_can_be_narrowed(
    connect: Connect, query: dict[str, str], totals: dict[str, str]
) -> None:
    report = await aging(connect(), **query)

    assert {row["currency"]: row["total"] for row in report["totals"]} == totals


@pytest.mark.usefixtures("receivables")
async def test_a_client_of_one_seller_sees_its_receivables_alone(connect: Connect) -> None:
    report = await aging(connect("seller_2"))

    assert [(row["customer_id"], row["total"]) for row in report["data"]] == [("cus_2", "30.00")]
    assert (await aging(connect("seller_2"), seller_id="default"))["data"] == []


async def test_without_a_day_what_is_overdue_now_is_not_current(
    write: Write, connect: Connect
) -> None:
    await write(*owed("inv_1", "10.00", days=300))
    await write(
        create_invoice(
            "inv_2", items=[{"amount": "5.00"}], customer_id="cus_1", due_date="2099-01-01"
        )
    )

    response = await connect().get("/v1/reports/aging")

    [row] = response.json()["data"]
    assert (row["current"], row["total"]) == ("5.00", "15.00")


@pytest.mark.parametrize("after", ["nonsense", "W10", "WzEsMl0", "bnVsbA"])
async def test_a_cursor_of_another_kind_is_refused(connect: Connect, after: str) -> None:
    response = await connect().get("/v1/reports/aging", params={"after": after})

    assert (response.status_code, response.json()["code"]) == (400, "invalid_cursor")
