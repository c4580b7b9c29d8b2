"""Opaque page cursors (keyset pagination).

A cursor holds its sort and the row's sort values. It is neither secret nor signed, and grants
nothing: every page is filtered by what its reader may see.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import orjson
from asyncpg import Record
from pydantic import TypeAdapter, ValidationError

from invoicing.api.http.problems import ProblemCode, ProblemError
from invoicing.contracts.types.money import GivenSignedMoney
from invoicing.contracts.types.texts import Day, Instant

CURSOR_CHARACTERS_MAX: Final = 1_000
OFFSET_MAX: Final = 2**31 - 1

SORT_TYPES: Final[Mapping[str, Any]] = {
    "created_at": Instant,
    "updated_at": Instant,
    "document_date": Day,
    "due_date": Day,
    "total": GivenSignedMoney,
    "amount_due": GivenSignedMoney,
}
"""The columns of `invoices` that lists sort by, and how their values are written."""

SORT_COLUMNS: Final = tuple(SORT_TYPES)
_ADAPTERS: Final = {column: TypeAdapter[Any](type_) for column, type_ in SORT_TYPES.items()}
UNREADABLE: Final = (ValueError, TypeError, binascii.Error, ValidationError)
"""What reading a cursor that a client made up may raise."""


@dataclass(frozen=True, slots=True)
class SortKey:
    """A column to sort by, and its direction."""

    column: str
    descending: bool

    def __str__(self) -> str:
        return f"{self.column}.{'desc' if self.descending else 'asc'}"


Sort = Sequence[SortKey]


@dataclass(frozen=True, slots=True)
class PagePosition:
    """A row's position in a sort: its values in the order of the sort, then its id.

    `offset` is the item within the invoice, for pages of items.
    """

    values: tuple[Any, ...]
    id: str
    offset: int = 0


def position_of(row: Record, sort: Sort, offset: int = 0) -> PagePosition:
    """The position of a row that has all sort columns."""
    return PagePosition(tuple(row[key.column] for key in sort), row["id"], offset)


def write_cursor(position: PagePosition, sort: Sort) -> str:
    """Encode a position."""
    values = [
        value.isoformat() if isinstance(value, date) else f"{value:f}" for value in position.values
    ]
    return encode([list(map(str, sort)), values, position.id, position.offset])


def read_cursor(cursor: str, sort: Sort) -> PagePosition:
    """Decode a cursor. Raises `ProblemError` if it is not one of this list and sort."""
    try:
        names, values, id_, offset = decode(cursor)
        if names != list(map(str, sort)):
            raise invalid_cursor("The cursor belongs to a list with another sort.")
        if not (isinstance(id_, str) and type(offset) is int and 0 <= offset <= OFFSET_MAX):
            raise ValueError
        read = [
            _ADAPTERS[key.column].validate_python(value)
            for key, value in zip(sort, values, strict=True)
        ]
    except UNREADABLE:
        raise invalid_cursor() from None
    return PagePosition(tuple(read), id_.replace("\0", ""), offset)


def encode(parts: Sequence[object]) -> str:
    """Encode the parts of a cursor."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def decode(cursor: str) -> Any:
    """Decode the parts of a cursor. Raises `UNREADABLE`."""
    return orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))


def invalid_cursor(detail: str = "The cursor is not valid.") -> ProblemError:
    """The response to a cursor that is not one of the list."""
    return ProblemError(ProblemCode.INVALID_CURSOR, detail)
