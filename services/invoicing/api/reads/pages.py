"""Pages of lists: rows cut to a page's length, with cursors to what lies beyond."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import Field

from invoicing.api.http.bodies import Body
from invoicing.api.http.problems import ProblemCode, ProblemError
from invoicing.api.http.query import Query
from invoicing.api.reads.cursors import PagePosition, Sort, write_cursor
from invoicing.api.reads.views import View

RowT = TypeVar("RowT")


class Page(Body):
    """What every page has."""

    has_more: bool = Field(description="Whether there is more after this page.")
    has_previous: bool = Field(description="Whether there is more before this page.")
    start_cursor: str | None = Field(description="For `before`; null where the page is empty.")
    end_cursor: str | None = Field(description="For `after`; null where the page is empty.")


@dataclass(frozen=True)
class PageRows(Generic[RowT]):
    """Rows in the order of the sort, and whether there are others on either side."""

    rows: Sequence[RowT]
    has_more: bool
    has_previous: bool

    def document(self, data: Sequence[View], positions: Sequence[PagePosition], sort: Sort) -> View:
        """The page as HTTP returns it.

        `data` is that of the rows; of `positions`, the first and the last count.
        """
        document: dict[str, Any] = {
            "data": data,
            "has_more": self.has_more,
            "has_previous": self.has_previous,
            "start_cursor": write_cursor(positions[0], sort) if positions else None,
            "end_cursor": write_cursor(positions[-1], sort) if positions else None,
        }
        return document


def cut(
    rows: Sequence[RowT], limit: int, start: PagePosition | None, *, backwards: bool
) -> PageRows[RowT]:
    """Cut what was read from `start` on, in the direction of the walk, to a page.

    There is one row more than the page holds, unless the list ends before.
    """
    is_cut, rows = len(rows) > limit, rows[:limit]
    if backwards:
        return PageRows(rows[::-1], has_more=True, has_previous=is_cut)
    return PageRows(rows, has_more=is_cut, has_previous=start is not None)


def given_start(query: Query, *names: str) -> tuple[str, str] | None:
    """Which of these parameters says where the page starts, and its value.

    Raises `ProblemError` if several of them do.
    """
    given = [(name, value) for name in names if (value := getattr(query, name)) is not None]
    if len(given) > 1:
        both = " and ".join(name for name, _ in given)
        raise ProblemError(ProblemCode.INVALID_QUERY, f"Give one of {both}, not both.")
    return given[0] if given else None
