"""What headers say, and what they may not."""

import pytest
from fastapi import Request

from invoicing.api.http.problems import ProblemError
from invoicing.api.writes.preferences import (
    WAIT_SECONDS_DEFAULT,
    WAIT_SECONDS_MAX,
    expected_version,
    wait_seconds,
)


def request(name: str, value: str) -> Request:
    return Request({"type": "http", "headers": [(name.encode(), value.encode())]})


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=5", 5),
        ("handling=lenient, wait=7", 7),
        ('wait="3"', 3),
        ("WAIT = 2", 2),
        ("wait=9999", WAIT_SECONDS_MAX),
        ("wait=100000", WAIT_SECONDS_MAX),
        ("wait=" + "9" * 5_000, WAIT_SECONDS_MAX),
        ("respond-async", 0),
        ("respond-async, wait=10", 10),
        ("wait=10, respond-async", 10),
        ("wait=4, wait=8", 4),
        ("wait=-1", WAIT_SECONDS_DEFAULT),
        ("nonsense", WAIT_SECONDS_DEFAULT),
        ("", WAIT_SECONDS_DEFAULT),
    ],
)
def test_a_preference_says_how_long_to_wait(prefer: str, seconds: float) -> None:
    assert wait_seconds(request("prefer", prefer)) == seconds


def test_preferences_may_stand_in_several_headers() -> None:
    headers = [(b"prefer", b"respond-async"), (b"prefer", b"wait=10")]

    assert wait_seconds(Request({"type": "http", "headers": headers})) == 10


@pytest.mark.parametrize(("tag", "version"), [('"3"', 3), ("3", 3), ("*", None)])
def test_an_entity_tag_is_a_version(tag: str, version: int | None) -> None:
    assert expected_version(request("if-match", tag)) == version


@pytest.mark.parametrize("tag", ['W/"3"', '"a"', '"1", "2"', "", "-1", '"99999999999"'])
def test_another_tag_is_refused(tag: str) -> None:
    with pytest.raises(ProblemError):
        expected_version(request("if-match", tag))
