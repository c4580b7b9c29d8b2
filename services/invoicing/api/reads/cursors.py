"""Cursors: where a page ends, as text that means nothing to anybody else.

A cursor holds the sort that it is for, and the values that its row is sorted by. It is no secret
and no right: whatever it says, a page shows only what its reader may see.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import orjson
from asyncpg import Record
from pydantic import TypeAdapter, ValidationError

from invoicing.api.http.problems import ProblemCode, ProblemError
from invoicing.contracts.types.money import GivenSignedMoney
from invoicing.contracts.types.texts import Day, Instant

CURSOR_CHARACTERS_MAX: Final = 1_000
OFFSET_MAX: Final = 2**31 - 1

_TYPES: Final[Mapping[str, TypeAdapter[Any]]] = {
    "created_at": TypeAdapter(Instant),
    "updated_at": TypeAdapter(Instant),
    "document_date": TypeAdapter(Day),
    "due_date": TypeAdapter(Day),
    "total": TypeAdapter(GivenSignedMoney),
    "amount_due": TypeAdapter(GivenSignedMoney),
}


@dataclass(frozen=True, slots=True)
class SortKey:
    """One thing to sort by."""

    column: str
    descending: bool

    def __str__(self) -> str:
        return f"{self.column}.{'desc' if self.descending else 'asc'}"


Sort = Sequence[SortKey]

SORT_COLUMNS: Final = tuple(_TYPES)


@dataclass(frozen=True, slots=True)
class PagePosition:
    """A row's place in a sort: its values in the order of the sort, then its id.

    `offset` counts within the row, where a page ends inside of it.
    """

    values: tuple[Any, ...]
    id: str
    offset: int = 0


def position_of(row: Record, sort: Sort, offset: int = 0) -> PagePosition:
    """The place of a row that holds all that it is sorted by."""
    return PagePosition(tuple(row[key.column] for key in sort), row["id"], offset)


def write_cursor(place: PagePosition, sort: Sort) -> str:
    """The place as a cursor."""
    told = [list(map(str, sort)), list(map(_text, place.values)), place.id, place.offset]
    return base64.urlsafe_b64encode(orjson.dumps(told)).rstrip(b"=").decode()


def read_cursor(cursor: str, sort: Sort) -> PagePosition:
    """The place that a cursor tells of. Raises `ProblemError`."""
    try:
        told = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        names, values, id_, offset = told
        if names != list(map(str, sort)):
            raise _invalid("The cursor is of a list that is sorted otherwise.")
        if not (isinstance(id_, str) and type(offset) is int and 0 <= offset <= OFFSET_MAX):
            raise ValueError
        read = [
            _TYPES[key.column].validate_python(value)
            for key, value in zip(sort, values, strict=True)
        ]
    except (ValueError, TypeError, binascii.Error, ValidationError):
        raise _invalid("The cursor is not one that this list has given.") from None
    return PagePosition(tuple(read), id_.replace("\0", ""), offset)


def _invalid(detail: str) -> ProblemError:
    return ProblemError(ProblemCode.INVALID_CURSOR, detail)


def _text(value: datetime | date | Decimal) -> str:
    return value.isoformat() if isinstance(value, date) else f"{value:f}"
