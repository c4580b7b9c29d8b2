"""Cursors come back as they were given, and whatever else comes is refused."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.api.http.problems import ProblemError
from invoicing.api.reads.cursors import (
    SORT_COLUMNS,
    PagePosition,
    SortKey,
    read_cursor,
    write_cursor,
)

INSTANTS = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001 (hypothesis adds the zone)
    max_value=datetime(2990, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
DAYS = st.dates(min_value=date(1900, 1, 1), max_value=date(2999, 12, 31))
AMOUNTS = st.decimals(min_value=Decimal(-(10**14)), max_value=Decimal(10**14), places=4)
VALUES = {
    "created_at": INSTANTS,
    "updated_at": INSTANTS,
    "document_date": DAYS,
    "due_date": DAYS,
    "total": AMOUNTS,
    "amount_due": AMOUNTS,
}


@st.composite
def places(draw: st.DrawFn) -> tuple[list[SortKey], PagePosition]:
    columns = draw(st.lists(st.sampled_from(SORT_COLUMNS), min_size=1, max_size=6, unique=True))
    sort = [SortKey(column, draw(st.booleans())) for column in columns]
    values = tuple(draw(VALUES[column]) for column in columns)
    return sort, PagePosition(values, draw(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)))


@given(places())
def test_a_cursor_tells_the_place_that_it_was_made_of(given_: Any) -> None:
    sort, place = given_

    assert read_cursor(write_cursor(place, sort), sort) == place


@given(st.text())
def test_no_text_makes_reading_fail_otherwise(text: str) -> None:
    with pytest.raises(ProblemError):
        read_cursor(text, [SortKey("total", descending=False)])
