"""The query parameters of lists: filters, comparisons, order and page.

A parameter is spelled here alone. `Column` and `Label` mark the filters that compare one value, and
`list_sql` makes the conditions of them.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticCustomError

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
from invoicing.contracts.types.texts import (
    EXPLAINED,
    INVOICE_ID_PATTERN,
    INVOICE_ID_REASON,
    Day,
    Identifier,
    Instant,
    Metadata,
)
from invoicing.runtime import clock

PAGE_MAX: Final = 100
PAGE_DEFAULT: Final = 10
VALUES_MAX: Final = 100
DEFAULT_SORT: Final[Sort] = (SortKey("created_at", descending=True),)
INVOICE_STATES: Final = (
    "draft", "open", "paid", "uncollectible", "void", "cancelled", "reversed",
)  # fmt: skip
INVOICE_STATUSES: Final = (
    "draft", "upcoming", "overdue", "partially_paid", "received", "paid", "overpaid",
    "uncollectible", "void", "cancelled", "reversed", "archived",
)  # fmt: skip
EXPANSIONS: Final = ("available_commands", "events")

OPERATORS: Final = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

_INSTANT: Final = TypeAdapter[datetime](Instant)
_DAY: Final = TypeAdapter[date](Day)


@dataclass(frozen=True, slots=True)
class Column:
    """Marks a filter by the column of `invoices` that has the parameter's name."""


@dataclass(frozen=True, slots=True)
class Label:
    """Marks a filter by the label that has the parameter's name (`domain.labels`)."""


def filters_by(kind: type[Column | Label], query: Query) -> Iterator[tuple[str, Any]]:
    """The names and values of the filters of one kind that the query has set."""
    for name, mark in _marks(type(query)):
        if isinstance(mark, kind) and (value := getattr(query, name)) is not None:
            yield name, value


@cache
def _marks(model: type[Query]) -> Sequence[tuple[str, Column | Label]]:
    """The marked fields; each request would otherwise search some fifty for them."""
    return [
        (name, mark)
        for name, field in model.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Column | Label)
    ]


def _reason(reason: str) -> PydanticCustomError:
    """An error with this reason. It must not repeat the value, or contain braces."""
    return PydanticCustomError(EXPLAINED, reason)


def _among(allowed: Collection[str]) -> AfterValidator:
    reason = f"must be names out of {', '.join(sorted(allowed))}, separated by commas"

    def check(value: str) -> str:
        if not all(name in allowed for name in value.split(",")):
            raise _reason(reason)
        return value

    return AfterValidator(check)


def _sort_key(value: str) -> str:
    column, _, direction = value.partition(".")
    if column not in SORT_COLUMNS or direction not in ("asc", "desc"):
        raise _reason(
            f"must be one of {', '.join(SORT_COLUMNS)}, followed by .asc or .desc,"
            " such as due_date.asc"
        )
    return value


def _status(value: str) -> str:
    if value in INVOICE_STATUSES:
        return value
    reason = f"must be one of {', '.join(INVOICE_STATUSES)}"
    if value in INVOICE_STATES:
        reason += f"; {value} is a value of the parameter state"
    raise _reason(reason)


def _invoice_id(value: str) -> str:
    if not re.fullmatch(INVOICE_ID_PATTERN, value, re.ASCII):
        raise _reason(INVOICE_ID_REASON)
    return value


def _instant_or_day(value: object) -> datetime | date:
    is_day = isinstance(value, str) and "T" not in value.upper()
    try:
        return (_DAY if is_day else _INSTANT).validate_python(value)
    except ValidationError:
        raise _reason(
            "must be a day such as 2026-11-20, or a time with its offset such as"
            " 2026-11-20T10:00:00Z"
        ) from None


def start_of(moment: datetime | date) -> datetime:
    """The moment itself, or a day's start in UTC."""
    if isinstance(moment, datetime):
        return moment
    return datetime.combine(moment, time.min, UTC)


InstantOrDay = Annotated[
    datetime | date,
    PlainValidator(_instant_or_day),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "format": f} for f in ("date-time", "date")]},
    ),
]
"""A time, or a whole day in UTC."""

AsOf = Annotated[
    datetime,
    PlainValidator(lambda value: start_of(_instant_or_day(value))),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "format": f} for f in ("date-time", "date")]},
    ),
]
"""A time. A day is its start in UTC."""

COMPARED: Final[Mapping[str, Any]] = {
    **{name: InstantOrDay if type_ is Instant else type_ for name, type_ in SORT_TYPES.items()},
    "attempt_count": Annotated[int, Field(ge=0, le=2**31 - 1)],
}
"""The columns that `name[gte]` and the other operators compare."""

Names = Annotated[str, StringConstraints(max_length=1_000, min_length=1)]
Cursor = Annotated[str, StringConstraints(max_length=CURSOR_CHARACTERS_MAX, min_length=1)]
InvoiceIdText = Annotated[
    str,
    AfterValidator(_invoice_id),
    WithJsonSchema({"type": "string", "pattern": INVOICE_ID_PATTERN}),
]
SortKeyText = Annotated[
    str,
    AfterValidator(_sort_key),
    WithJsonSchema(
        {"type": "string", "pattern": rf"^({'|'.join(SORT_COLUMNS)})\.(asc|desc)$"},
    ),
]
StatusText = Annotated[
    str,
    AfterValidator(_status),
    WithJsonSchema({"type": "string", "enum": list(INVOICE_STATUSES)}),
]


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
    state: tuple[Literal[INVOICE_STATES], ...] = Field(  # type: ignore[valid-type]
        (), max_length=VALUES_MAX, description="Any of these stored states."
    )
    status: tuple[StatusText, ...] = Field(
        (),
        max_length=VALUES_MAX,
        description="Any of these statuses, at `as_of`. `open` is not a status: an open"
        " invoice is upcoming, overdue, partially_paid or received.",
    )
    archived: Literal["true", "false", "all"] = Field(
        "all", description="Only archived invoices, only the others, or both."
    )
    as_of: AsOf | None = Field(
        None, description="The time of the statuses; by default now. A day is its start in UTC."
    )
    live_mode: Annotated[bool | None, Column()] = Field(
        None,
        description="False for test invoices, which have no real money. By default, a list shows"
        " the live ones; with `ids`, it shows both.",
    )
    metadata: Metadata = Field(
        default_factory=dict, description="`metadata[key]=value`, each of them."
    )

    @property
    def status_at(self) -> datetime:
        """The instant of the statuses."""
        return self.as_of or clock.now()


class Paged(Query):
    """Which page of a list, and in which order."""

    limit: int = Field(PAGE_DEFAULT, ge=1, le=PAGE_MAX, description="How many at most.")
    after: Cursor | None = Field(None, description="The page after this cursor.")
    before: Cursor | None = Field(None, description="The page before this cursor.")
    starting_after: InvoiceIdText | None = Field(None, description="The page after this invoice.")
    ending_before: InvoiceIdText | None = Field(None, description="The page before this invoice.")
    sort: tuple[SortKeyText, ...] = Field(
        (),
        max_length=len(SORT_COLUMNS),
        description="A column and a direction, such as `due_date.asc`; repeat to break ties.",
    )

    @property
    def sort_keys(self) -> Sort:
        """What to sort by; the id decides the rest."""
        parts = [name.partition(".") for name in self.sort]
        keys = [SortKey(column, direction == "desc") for column, _, direction in parts]
        return keys or DEFAULT_SORT


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
    """The query parameters of a list of invoices."""

    total_count: bool = Field(
        False,
        description="Also return `total_count`, the number of invoices that match. It takes longer"
        " the more invoices there are.",
    )


class ItemListQuery(Paged, Filters, Compared):
    """The query parameters of a list of items."""

    sku_id: Annotated[Identifier | None, Label()] = Field(
        None, description="The article: only its lines."
    )


AnyListQuery = ListQuery | ItemListQuery
