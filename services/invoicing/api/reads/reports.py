"""Reports that add up invoices: the receivables by age."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date
from decimal import Decimal
from typing import Annotated, Any, Final

from asyncpg import Record
from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import Response

from invoicing.api.auth.access import Reader
from invoicing.api.auth.tokens import Client
from invoicing.api.http.bodies import Body
from invoicing.api.http.query import Query
from invoicing.api.http.routing import DirectRoute
from invoicing.api.reads.answers import json_response
from invoicing.api.reads.cursors import UNREADABLE, decode, encode, invalid_cursor
from invoicing.api.reads.filters import Cursor
from invoicing.api.state import AppStateOf
from invoicing.contracts.types.money import UNITS, Currency, Money
from invoicing.contracts.types.texts import Day, Identifier
from invoicing.runtime import clock
from invoicing.store.rows import OVERDUE_FROM

ROWS_MAX: Final = 1_000
ROWS_DEFAULT: Final = 100

AGES: Final[Mapping[str, str]] = {
    "current": "days < 1",
    "days_1_30": "days BETWEEN 1 AND 30",
    "days_31_60": "days BETWEEN 31 AND 60",
    "days_61_90": "days BETWEEN 61 AND 90",
    "days_over_90": "days > 90",
}
"""The ages of a receivable, each as a condition on the days since its due date."""

# An invoice is overdue from an instant on, which depends on its seller's time zone. Other ages go
# by days. The currency is the first member of that name in the snapshot: inside a text, its quotes
# would be escaped.
_DAYS: Final = {
    True: "$1::date - due_date",
    False: f"""CASE WHEN $2 < {OVERDUE_FROM} THEN least($1::date - due_date, 0)
        ELSE greatest($1::date - due_date, 1) END""",
}

# By an index that has open invoices alone, in the order of their customers: a page reads its own
# customers' rows, and only the totals read all of them.
_AGED: Final = """
SELECT {group}, count(*) AS invoices, sum(amount_due) AS total, {ages}
FROM (
    SELECT customer_id, amount_due, {days} AS days,
           substring(snapshot FROM '"currency":"([A-Z]{{3}})"') AS currency
    FROM invoices
    WHERE state = 'open' AND coalesce(live_mode, true) = $3
        AND $2::timestamptz IS NOT NULL AND ($4 = '*' OR seller_id = $4)
        AND ($5::text IS NULL OR seller_id = $5) AND ($6::text IS NULL OR customer_id = $6)
        AND ($7::text IS NULL OR customer_id >= $7)
) AS receivable
WHERE ($8::text IS NULL OR currency = $8)
    AND ($7::text IS NULL OR (customer_id, currency) > ($7, $9::text))
GROUP BY {group} ORDER BY {group} LIMIT $10
"""

router = APIRouter(route_class=DirectRoute, tags=["Reports"])


class Receivable(Body):
    """Amounts due in one currency, by the days since their due dates."""

    currency: Currency = Field(description="ISO 4217 code of the amounts.")
    invoices: int = Field(description="How many invoices are open.")
    current: Money = Field(description="Not due yet, or due today.")
    days_1_30: Money = Field(description="1 to 30 days overdue.")
    days_31_60: Money = Field(description="31 to 60 days overdue.")
    days_61_90: Money = Field(description="61 to 90 days overdue.")
    days_over_90: Money = Field(description="More than 90 days overdue.")
    total: Money = Field(description="All of these.")


class CustomerReceivable(Receivable):
    """What one customer owes in one currency."""

    customer_id: str = Field(description="The customer.")


class AgingReport(Body):
    """The receivables by customer, currency and age."""

    as_of: date = Field(description="The day that ages are counted to.")
    data: tuple[CustomerReceivable, ...] = Field(description="By customer and currency.")
    totals: tuple[Receivable, ...] = Field(
        description="The sums by currency, of all customers on all pages."
    )
    has_more: bool = Field(description="Whether there is more after this page.")
    end_cursor: str | None = Field(description="For `after`; null where the page is empty.")


class AgingQuery(Query):
    """Which receivables to add up, and to which day their ages are counted."""

    as_of: Day | None = Field(
        None,
        description="The day that ages are counted to, by default today. The amounts are always"
        " those that are due now.",
    )
    seller_id: Identifier | None = Field(None, description="The seller.")
    customer_id: Identifier | None = Field(None, description="The customer.")
    currency: Currency | None = Field(None, description="The currency, ISO 4217.")
    live_mode: bool = Field(True, description="False for test invoices instead of live ones.")
    limit: int = Field(ROWS_DEFAULT, ge=1, le=ROWS_MAX, description="How many at most.")
    after: Cursor | None = Field(None, description="The page after this cursor.")


@router.get("/v1/reports/aging", response_model=AgingReport)
async def get_aging_report(
    client: Reader,
    state: AppStateOf,
    query: Annotated[AgingQuery, Depends(AgingQuery.of)],
) -> Response:
    """What is due of open invoices, by customer, currency and age."""
    after = _read_cursor(query.after) if query.after else (None, None)
    by_customer = aging_statement(query, client, after)
    in_all = aging_statement(query, client, None)
    async with state.database.reading(client) as connection:
        rows = await connection.fetch(by_customer[0], *by_customer[1])
        totals = await connection.fetch(in_all[0], *in_all[1])
    shown = rows[: query.limit]
    return json_response(
        {
            "as_of": _day(query),
            "data": [_amounts(row) | {"customer_id": row["customer_id"]} for row in shown],
            "totals": [_amounts(row) for row in totals],
            "has_more": len(rows) > len(shown),
            "end_cursor": _write_cursor(shown[-1]) if shown else None,
        }
    )


def aging_statement(
    query: AgingQuery, client: Client, after: tuple[str | None, str | None] | None
) -> tuple[str, Sequence[object]]:
    """The SQL of a page after a customer and currency, and its arguments.

    Where `after` is None, of the sums by currency.
    """
    is_page = after is not None
    statement = _AGED.format(
        group="customer_id, currency" if is_page else "currency",
        days=_DAYS[query.as_of is not None],
        ages=", ".join(
            f"coalesce(sum(amount_due) FILTER (WHERE {condition}), 0) AS {name}"
            for name, condition in AGES.items()
        ),
    )
    customer_id, currency = after or (None, None)
    return statement, (
        _day(query),
        clock.now(),
        query.live_mode,
        client.seller_id,
        query.seller_id,
        query.customer_id,
        customer_id,
        query.currency,
        currency,
        query.limit + 1 if is_page else None,
    )


def _day(query: AgingQuery) -> date:
    return query.as_of or clock.now().astimezone(UTC).date()


def _amounts(row: Record) -> dict[str, Any]:
    """A row's amounts as decimal strings in their currency's scale."""
    unit: Decimal = UNITS[row["currency"]]
    amounts = {name: f"{row[name].quantize(unit):f}" for name in (*AGES, "total")}
    return {"currency": row["currency"], "invoices": row["invoices"]} | amounts


def _write_cursor(row: Record) -> str:
    return encode([row["customer_id"], row["currency"]])


def _read_cursor(cursor: str) -> tuple[str, str]:
    try:
        customer_id, currency = decode(cursor)
        if not (isinstance(customer_id, str) and isinstance(currency, str)):
            raise ValueError
    except UNREADABLE:
        raise invalid_cursor() from None
    return customer_id.replace("\0", ""), currency.replace("\0", "")
