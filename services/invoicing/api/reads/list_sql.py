"""The SQL of a list: filters, and a keyset page over an index, forward or back.

A page starts at the sort values where the last one ended, never at a row count: it costs the same
at any depth, and rows that are added meanwhile do not shift it.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from invoicing.api.auth.tokens import Client
from invoicing.api.reads.cursors import SORT_COLUMNS, PagePosition, Sort, SortKey
from invoicing.api.reads.filters import (
    COMPARED,
    OPERATORS,
    AnyListQuery,
    Column,
    InstantOrDay,
    Label,
    filters_by,
    start_of,
)
from invoicing.domain.labels import label, metadata_label
from invoicing.domain.status import (
    ARCHIVED,
    BASE_STATUSES_OF_OPEN,
    BASE_STATUSES_OF_PAID,
    MAY_BE_OVERDUE,
    OVERDUE,
)
from invoicing.store.rows import OVERDUE_FROM

SELECT_PAGE: Final = f"""
SELECT id, version, state, snapshot, standing, archived, {", ".join(SORT_COLUMNS)},
    {OVERDUE_FROM} AS overdue_from
FROM invoices
WHERE {{conditions}}
ORDER BY {{order}}
LIMIT {{limit}}
"""  # noqa: S608 (column names of ours)

FIND_SORT_VALUES: Final = f"""
SELECT id, {", ".join(SORT_COLUMNS)}
FROM invoices WHERE id = $1 AND ($2 = '*' OR seller_id = $2)
"""  # noqa: S608 (column names of ours)

COUNT_MAX: Final = 100_000
"""Invoices beyond it are not counted: the time grows with the count."""

COUNT: Final = """
SELECT count(*) FROM (SELECT FROM invoices WHERE {conditions} LIMIT {limit}) AS matching
"""

HAS_LABELS: Final = "id IN (SELECT invoice_id FROM invoice_labels WHERE labels {operator} {value})"

_MAY_BE_OVERDUE: Final = ", ".join(f"'{status}'" for status in sorted(MAY_BE_OVERDUE))
_COMPARISONS: Final = [
    (f"{column}_{operator}", column, operator) for column in COMPARED for operator in OPERATORS
]
"""The parameters that compare a column, with the column and the operator of each."""
_BASE_STATUSES_OF: Final = {"open": BASE_STATUSES_OF_OPEN, "paid": BASE_STATUSES_OF_PAID}


@dataclass
class _Conditions:
    """The conditions of a WHERE clause, and the values of their parameters."""

    texts: list[str] = field(default_factory=list)
    values: list[object] = field(default_factory=list)

    def add(self, template: str, *values: object) -> None:
        """Add a condition; each `{}` in it becomes a parameter."""
        self.texts.append(template.format(*map(self.parameter, values)))

    def parameter(self, value: object) -> str:
        """Add a value; gives its parameter, such as `$3`."""
        self.values.append(value)
        return f"${len(self.values)}"


def page_statement(
    query: AnyListQuery,
    client: Client,
    position: PagePosition | None,
    backwards: bool,
    limit: int,
    inclusive: bool = False,
) -> tuple[str, list[object]]:
    """The SQL of a page that starts at a position, and its arguments."""
    conditions = _conditions(query, client)
    if position is not None:
        _add_keyset(conditions, query.sort_keys, position, backwards, inclusive)
    order = ", ".join(
        f"{key.column} {'DESC' if key.descending != backwards else 'ASC'}"
        for key in _total_order(query.sort_keys)
    )
    statement = SELECT_PAGE.format(
        conditions="\n  AND ".join(conditions.texts),
        order=order,
        limit=conditions.parameter(limit),
    )
    return statement, conditions.values


def count_statement(query: AnyListQuery, client: Client) -> tuple[str, list[object]]:
    """The SQL that counts all matching invoices, up to a limit, and its arguments."""
    conditions = _conditions(query, client)
    where = "\n  AND ".join(conditions.texts)
    statement = COUNT.format(conditions=where, limit=conditions.parameter(COUNT_MAX + 1))
    return statement, conditions.values


def _conditions(query: AnyListQuery, client: Client) -> _Conditions:
    conditions = _Conditions()
    conditions.add("state <> 'deleted'")
    if not client.sees_all:
        conditions.add("seller_id = {}", client.seller_id)
    for column, value in filters_by(Column, query):
        conditions.add(f"{column} = {{}}", value)
    if query.ids:
        conditions.add("id = ANY({})", list(query.ids))
    elif query.live_mode is None:
        conditions.add("live_mode")
    if query.archived != "all":
        conditions.add("archived" if query.archived == "true" else "NOT archived")
    _add_labels(conditions, query)
    _add_state(conditions, query)
    for name, column, operator in _COMPARISONS:
        value = getattr(query, name)
        if value is None:
            continue
        if COMPARED[column] is InstantOrDay and not isinstance(value, datetime):
            _add_day_comparison(conditions, column, operator, value)
        else:
            conditions.add(f"{column} {OPERATORS[operator]} {{}}", value)
    return conditions


def _add_day_comparison(conditions: _Conditions, column: str, operator: str, day: date) -> None:
    """Compare a time with a whole day, in UTC."""
    start, end = start_of(day), start_of(day + timedelta(days=1))
    if operator in ("eq", "gte"):
        conditions.add(f"{column} >= {{}}", start)
    if operator in ("eq", "lte"):
        conditions.add(f"{column} < {{}}", end)
    if operator == "gt":
        conditions.add(f"{column} >= {{}}", end)
    if operator == "lt":
        conditions.add(f"{column} < {{}}", start)


def _add_labels(conditions: _Conditions, query: AnyListQuery) -> None:
    labels = [label(name, value) for name, value in filters_by(Label, query)]
    labels += [metadata_label(key, value) for key, value in query.metadata.items()]
    if labels:
        conditions.add(HAS_LABELS.format(operator="@>", value="{}"), labels)
    if query.upstream_ids:
        any_of = [label("upstream_id", value) for value in query.upstream_ids]
        conditions.add(HAS_LABELS.format(operator="&&", value="{}"), any_of)


def _add_state(conditions: _Conditions, query: AnyListQuery) -> None:
    if query.state:
        # Redundant, but the index is on `standing`.
        conditions.add("state = ANY({})", list(query.state))
        base_statuses = {s for state in query.state for s in _BASE_STATUSES_OF.get(state, {state})}
        conditions.add("standing = ANY({})", sorted(base_statuses))
    if query.status:
        any_of = [_status(conditions, status, query.status_at) for status in query.status]
        conditions.texts.append(any_of[0] if len(any_of) == 1 else f"({' OR '.join(any_of)})")


def _status(conditions: _Conditions, status: str, at: datetime) -> str:
    if status == ARCHIVED:
        return "archived"
    if status == OVERDUE:
        # The texts of the index, so that it is used whatever the parameters are.
        values: list[object] = [at]
        template = f"NOT archived AND standing IN ({_MAY_BE_OVERDUE}) AND {OVERDUE_FROM} <= {{}}"
    elif status in MAY_BE_OVERDUE:
        values = [status, at]
        template = f"NOT archived AND standing = {{}} AND {OVERDUE_FROM} > {{}}"
    else:
        values = [status]
        template = "NOT archived AND standing = {}"
    return template.format(*map(conditions.parameter, values))


def _add_keyset(
    conditions: _Conditions, sort: Sort, position: PagePosition, backwards: bool, inclusive: bool
) -> None:
    """The rows beyond a position. If all keys have one direction, one row comparison does."""
    keys = _total_order(sort)
    parameters = [conditions.parameter(value) for value in (*position.values, position.id)]
    last = "=" if inclusive else ""
    if len({key.descending for key in keys}) == 1:
        columns = ", ".join(key.column for key in keys)
        sign = _beyond(keys[0], backwards)
        conditions.texts.append(f"({columns}) {sign}{last} ({', '.join(parameters)})")
        return
    beyond = f"id {_beyond(keys[-1], backwards)}{last} {parameters[-1]}"
    for key, value in zip(keys[-2::-1], parameters[-2::-1], strict=True):
        sign = _beyond(key, backwards)
        beyond = f"({key.column} {sign} {value} OR ({key.column} = {value} AND {beyond}))"
    # Redundant, but it lets the index start at the first key.
    first = f"{keys[0].column} {_beyond(keys[0], backwards)}= {parameters[0]}"
    conditions.texts.append(f"{first} AND {beyond}")


def _beyond(key: SortKey, backwards: bool) -> str:
    return "<" if key.descending != backwards else ">"


def _total_order(sort: Sort) -> list[SortKey]:
    """The sort with the id last, which breaks ties."""
    return [*sort, SortKey("id", sort[-1].descending)]
