"""The query parameters of lists: filters, comparisons, order and page.

A parameter is spelled here alone. `Column` and `Label` mark the filters that compare one value, and
`list_sql` makes the conditions of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints, create_model

from invoicing.api.http.query import Query
from invoicing.api.reads.cursors import (
    CURSOR_CHARACTERS_MAX,
    SORT_COLUMNS,
    SORT_TYPES,
    Sort,
    SortKey,
)
from invoicing.api.reads.views import VIEW_FIELDS
from invoicing.contracts.types.money import Currency
from invoicing.contracts.types.texts import Identifier, Instant, Metadata

PAGE_MAX: Final = 100
PAGE_DEFAULT: Final = 10
VALUES_MAX: Final = 100
DEFAULT_SORT: Final[Sort] = (SortKey("created_at", descending=True),)
INVOICE_STATUSES: Final = (
    "draft", "upcoming", "overdue", "partially_paid", "received", "paid", "overpaid",
    "uncollectible", "void", "cancelled", "reversed", "archived",
)  # fmt: skip
EXPANSIONS: Final = ("available_commands", "events")

OPERATORS: Final = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
COMPARED: Final[Mapping[str, Any]] = {
    **SORT_TYPES,
    "attempt_count": Annotated[int, Field(ge=0, le=2**31 - 1)],
}
"""The columns that `name[gte]` and the other operators compare."""


@dataclass(frozen=True, slots=True)
class Column:
    """Marks a filter by the column of `invoices` that has the parameter's name."""


@dataclass(frozen=True, slots=True)
class Label:
    """Marks a filter by the label that has the parameter's name (`domain.list_index`)."""


def filters_by(kind: type[Column | Label], query: Query) -> Iterator[tuple[str, Any]]:
    """The names and values of the filters of one kind that the query has set."""
    for name, field in type(query).model_fields.items():
        value = getattr(query, name)
        if value is not None and any(isinstance(mark, kind) for mark in field.metadata):
            yield name, value


def _among(allowed: Sequence[str] | frozenset[str]) -> AfterValidator:
    def check(value: str) -> str:
        names = value.split(",")
        if not all(name in allowed for name in names):
            raise ValueError("unknown name")
        return value

    return AfterValidator(check)


Names = Annotated[str, StringConstraints(max_length=1_000, min_length=1)]
Cursor = Annotated[str, StringConstraints(max_length=CURSOR_CHARACTERS_MAX, min_length=1)]
SORT_PATTERN: Final = rf"^({'|'.join(SORT_COLUMNS)})\.(asc|desc)$"
InvoiceIdText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Shown(Query):
    """Which fields an answer shows."""

    fields: tuple[Annotated[Names, _among(VIEW_FIELDS)], ...] = Field(
        (), max_length=VALUES_MAX, description="Only these fields; comma separated, or repeated."
    )
    expand: tuple[Annotated[Names, _among(EXPANSIONS)], ...] = Field(
        (), max_length=VALUES_MAX, description=f"These too: {', '.join(EXPANSIONS)}."
    )

    @property
    def shown_fields(self) -> set[str]:
        """The fields to show; none: all."""
        return {name for given in self.fields for name in given.split(",")}

    @property
    def expansions(self) -> set[str]:
        """What to show beside."""
        return {name for given in self.expand for name in given.split(",")}


class Filters(Query):
    """Which invoices a list shows. Several filters must all hold."""

    ids: tuple[InvoiceIdText, ...] = Field((), max_length=VALUES_MAX, description="Any of these.")
    upstream_ids: tuple[Identifier, ...] = Field(
        (), max_length=VALUES_MAX, description="Any of these."
    )
    customer_id: Annotated[Identifier | None, Column()] = Field(None, description="The customer.")
    seller_id: Annotated[Identifier | None, Column()] = Field(None, description="The seller.")
    application_id: Annotated[Identifier | None, Label()] = Field(
        None, description="The application."
    )
    order_id: Annotated[Identifier | None, Label()] = Field(None, description="The order.")
    sku_id: Annotated[Identifier | None, Label()] = Field(
        None, description="An article in any of its lines."
    )
    invoice_number: Annotated[Identifier | None, Column()] = Field(None, description="The number.")
    currency: Annotated[Currency | None, Label()] = Field(
        None, description="The currency, ISO 4217."
    )
    state: (
        Literal["draft", "open", "paid", "uncollectible", "void", "cancelled", "reversed"] | None
    ) = Field(None, description="The stored state.")
    status: Literal[INVOICE_STATUSES] | None = Field(  # type: ignore[valid-type]
        None, description="The status on the day of `as_of`."
    )
    as_of: Instant | None = Field(
        None, description="The time of the statuses; by default now. Days begin at midnight UTC."
    )
    live_mode: Annotated[bool | None, Column()] = Field(
        None, description="False for trials without real money."
    )
    metadata: Metadata = Field(
        default_factory=dict, description="`metadata[key]=value`, each of them."
    )

    @property
    def today(self) -> date:
        """The day that statuses are as of."""
        return (self.as_of or datetime.now(UTC)).date()


class Paged(Query):
    """Which page of a list, and in which order."""

    limit: int = Field(PAGE_DEFAULT, ge=1, le=PAGE_MAX, description="How many at most.")
    after: Cursor | None = Field(None, description="The page after this cursor.")
    before: Cursor | None = Field(None, description="The page before this cursor.")
    starting_after: InvoiceIdText | None = Field(None, description="The page after this invoice.")
    ending_before: InvoiceIdText | None = Field(None, description="The page before this invoice.")
    sort: tuple[Annotated[str, StringConstraints(pattern=SORT_PATTERN)], ...] = Field(
        (), max_length=len(SORT_COLUMNS), description="`due_date.asc`; repeat to sort further."
    )

    @property
    def sort_keys(self) -> Sort:
        """What to sort by; the id decides the rest."""
        keys = [SortKey(*_split(name)) for name in self.sort]
        return keys or DEFAULT_SORT


def _split(name: str) -> tuple[str, bool]:
    column, _, direction = name.partition(".")
    return column, direction == "desc"


_comparisons: Any = {
    f"{name}_{operator}": (
        type_ | None,
        Field(None, alias=f"{name}[{operator}]", description=f"`{name}` {sign} this."),
    )
    for name, type_ in COMPARED.items()
    for operator, sign in OPERATORS.items()
}
Compared = create_model("Compared", __base__=Query, __doc__="Comparisons.", **_comparisons)


class ListQuery(Paged, Filters, Shown, Compared):
    """All that a list of invoices can be asked."""


class ItemListQuery(Paged, Filters, Compared):
    """All that a list of items can be asked."""

    sku_id: Annotated[Identifier | None, Label()] = Field(
        None, description="The article: only its lines."
    )


AnyListQuery = ListQuery | ItemListQuery
