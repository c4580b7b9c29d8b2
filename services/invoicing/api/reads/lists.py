"""Lists of invoices: keyset pages over indexes, forward and back.

A page is found by where the last one ended, never by how many rows came before it: it costs the
same however far back it is, and rows that come meanwhile move nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy

from invoicing.api.auth.tokens import Client
from invoicing.api.http.problems import ProblemCode, ProblemError
from invoicing.api.reads.cursors import (
    OFFSET_MAX,
    PagePosition,
    Sort,
    SortKey,
    position_of,
    read_cursor,
)
from invoicing.api.reads.filters import COMPARED, OPERATORS, AnyListQuery
from invoicing.domain.list_index import label, metadata_label
from invoicing.domain.status import (
    ARCHIVED,
    MAY_BE_OVERDUE,
    OVERDUE,
    STANDINGS_OF_OPEN,
    STANDINGS_OF_PAID,
)

SELECT_PAGE: Final = """
SELECT id, version, state, snapshot, standing, archived, created_at, updated_at, document_date,
       due_date, total, amount_due
FROM invoices
WHERE {conditions}
ORDER BY {order}
LIMIT {limit}
"""

FIND_SORT_VALUES: Final = """
SELECT id, created_at, updated_at, document_date, due_date, total, amount_due
FROM invoices WHERE id = $1 AND ($2 = '*' OR seller_id = $2)
"""

HAS_LABELS: Final = "id IN (SELECT invoice_id FROM invoice_labels WHERE labels {operator} {value})"

_STANDINGS_OF: Final = {"open": STANDINGS_OF_OPEN, "paid": STANDINGS_OF_PAID}


@dataclass
class _Conditions:
    """What must hold for a row, and the values that it is compared with."""

    texts: list[str] = field(default_factory=list)
    values: list[object] = field(default_factory=list)

    def add(self, template: str, *values: object) -> None:
        """Add a condition; each `{}` in it is one of the values."""
        self.texts.append(template.format(*map(self.placeholder, values)))

    def placeholder(self, value: object) -> str:
        """What stands for a value in a condition."""
        self.values.append(value)
        return f"${len(self.values)}"


@dataclass(frozen=True)
class Page:
    """Rows in the order of the sort, and whether there are others on either side."""

    rows: Sequence[Record]
    has_more: bool
    has_previous: bool


async def read_page(connection: PoolConnectionProxy, client: Client, query: AnyListQuery) -> Page:
    """The page of invoices that is asked for. Raises `ProblemError` where its cursor is no good."""
    place, backwards = await start_position(connection, client, query)
    return await page_from(connection, client, query, place, backwards=backwards, limit=query.limit)


async def page_from(
    connection: PoolConnectionProxy,
    client: Client,
    query: AnyListQuery,
    place: PagePosition | None,
    *,
    backwards: bool,
    limit: int,
    inclusive: bool = False,
) -> Page:
    """The page after (or before) a place; from the list's beginning where there is none.

    `inclusive` of the row that stands at the place.
    """
    statement, values = statement_of(query, client, place, backwards, limit + 1, inclusive)
    rows = await connection.fetch(statement, *values)
    is_cut, rows = len(rows) > limit, rows[:limit]
    if backwards:
        return Page(rows[::-1], has_more=True, has_previous=is_cut)
    return Page(rows, has_more=is_cut, has_previous=place is not None)


def statement_of(
    query: AnyListQuery,
    client: Client,
    place: PagePosition | None,
    backwards: bool,
    limit: int,
    inclusive: bool = False,
) -> tuple[str, list[object]]:
    """The SQL of a page, and its arguments."""
    conditions = _conditions(query, client)
    if place is not None:
        _add_keyset(conditions, query.sort_keys, place, backwards, inclusive)
    statement = SELECT_PAGE.format(
        conditions="\n  AND ".join(conditions.texts),
        order=_order(query.sort_keys, backwards),
        limit=conditions.placeholder(limit),
    )
    return statement, conditions.values


async def start_position(
    connection: PoolConnectionProxy, client: Client, query: AnyListQuery
) -> tuple[PagePosition | None, bool]:
    """Where the page begins, and whether it goes back from there. Raises `ProblemError`."""
    given = {
        name: value
        for name in ("after", "before", "starting_after", "ending_before")
        if (value := getattr(query, name)) is not None
    }
    if len(given) > 1:
        raise ProblemError(
            ProblemCode.INVALID_QUERY, f"Give one of {' and '.join(given)}, not both."
        )
    for name, value in given.items():
        backwards = name in ("before", "ending_before")
        if name in ("after", "before"):
            return read_cursor(value, query.sort_keys), backwards
        row = await connection.fetchrow(FIND_SORT_VALUES, value, client.seller_id)
        if row is None:
            raise ProblemError(ProblemCode.INVALID_CURSOR, f"{name} names no invoice of the list.")
        return position_of(row, query.sort_keys, 0 if backwards else OFFSET_MAX), backwards
    return None, False


def _conditions(query: AnyListQuery, client: Client) -> _Conditions:
    conditions = _Conditions()
    conditions.add("state <> 'deleted'")
    if not client.sees_all:
        conditions.add("seller_id = {}", client.seller_id)
    for name in ("customer_id", "seller_id", "invoice_number", "live_mode"):
        value = getattr(query, name)
        if value is not None:
            conditions.add(f"{name} = {{}}", value)
    if query.ids:
        conditions.add("id = ANY({})", list(query.ids))
    _add_labels(conditions, query)
    _add_state(conditions, query)
    _add_comparisons(conditions, query)
    return conditions


def _add_labels(conditions: _Conditions, query: AnyListQuery) -> None:
    labels = [
        label(name, value)
        for name in ("currency", "application_id", "order_id", "sku_id")
        if (value := getattr(query, name)) is not None
    ]
    labels += [metadata_label(key, value) for key, value in query.metadata.items()]
    if labels:
        conditions.add(HAS_LABELS.format(operator="@>", value="{}"), labels)
    if query.upstream_ids:
        any_of = [label("upstream_id", value) for value in query.upstream_ids]
        conditions.add(HAS_LABELS.format(operator="&&", value="{}"), any_of)


def _add_state(conditions: _Conditions, query: AnyListQuery) -> None:
    if query.state is not None:
        # The standing says the same, and has an index.
        conditions.add("state = {}", query.state)
        standings = _STANDINGS_OF.get(query.state, {query.state})
        conditions.add("standing = ANY({})", sorted(standings))
    if query.status == ARCHIVED:
        conditions.add("archived")
    elif query.status is not None:
        _add_status(conditions, query.status, query.today)


def _add_status(conditions: _Conditions, status: str, today: date) -> None:
    conditions.add("NOT archived")
    if status == OVERDUE:
        conditions.add("standing = ANY({}) AND due_date < {}", sorted(MAY_BE_OVERDUE), today)
    elif status in MAY_BE_OVERDUE:
        conditions.add("standing = {} AND due_date >= {}", status, today)
    else:
        conditions.add("standing = {}", status)


def _add_comparisons(conditions: _Conditions, query: AnyListQuery) -> None:
    for name in COMPARED:
        for operator, sign in OPERATORS.items():
            value = getattr(query, f"{name}_{operator}")
            if value is not None:
                conditions.add(f"{name} {sign} {{}}", value)


def _add_keyset(
    conditions: _Conditions, sort: Sort, place: PagePosition, backwards: bool, inclusive: bool
) -> None:
    """What lies beyond the place. Of one direction, it is one comparison that an index can do."""
    keys = _keys(sort)
    placeholders = [conditions.placeholder(value) for value in (*place.values, place.id)]
    last = "=" if inclusive else ""
    if len({key.descending for key in keys}) == 1:
        columns = ", ".join(key.column for key in keys)
        sign = _beyond(keys[0], backwards)
        conditions.texts.append(f"({columns}) {sign}{last} ({', '.join(placeholders)})")
        return
    beyond = f"id {_beyond(keys[-1], backwards)}{last} {placeholders[-1]}"
    for key, value in zip(keys[-2::-1], placeholders[-2::-1], strict=True):
        sign = _beyond(key, backwards)
        beyond = f"({key.column} {sign} {value} OR ({key.column} = {value} AND {beyond}))"
    # It says nothing new, but an index can begin with it.
    first = f"{keys[0].column} {_beyond(keys[0], backwards)}= {placeholders[0]}"
    conditions.texts.append(f"{first} AND {beyond}")


def _beyond(key: SortKey, backwards: bool) -> str:
    return "<" if key.descending != backwards else ">"


def _keys(sort: Sort) -> list[SortKey]:
    """The sort made certain: the id decides between rows that are alike."""
    return [*sort, SortKey("id", sort[-1].descending)]


def _order(sort: Sort, backwards: bool) -> str:
    return ", ".join(
        f"{key.column} {'DESC' if key.descending != backwards else 'ASC'}" for key in _keys(sort)
    )
