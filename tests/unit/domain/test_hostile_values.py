"""Hostile values in every field of every command: refused with the field's path, no exception, no
wrong invoice."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.contracts.commands import COMMANDS, CommandData, read_data
from invoicing.contracts.replies import ERRORS_MAX, Rejection
from tests.support.domain.complete import COMPLETE
from tests.support.domain.desk import Desk

INFINITY = float("1e400")
NOT_A_CONTAINER: list[Any] = [0, 1, -1, 1.5, INFINITY, True, False, "text", ""]
NOT_A_TEXT: list[Any] = [0, 1.5, INFINITY, True, [], {}, ["a"], {"a": "b"}]
BROKEN_TEXTS = ["\x00", "a\x00b", "\ud800", "a\udfffb", "x" * 5_001, "😀" * 5_001]
NUMBERS = [
    "", " ", "1 ", " 1", "1\n", "\t1", "+1", "--1", "-", ".", "1.", ".5", "1..2", "1,5", "1_000",
    "1e5", "1E5", "1e400", "0x10", "0b1", "NaN", "nan", "sNaN", "Infinity", "-Infinity", "inf",
    "١٢", "１２", "½", "²", "−1", "1\u200b", "\ufeff1", "1/2", "1%", "$1", "1.0.0", "1.\u0661",
    "1.00000000000001", "9" * 16, "1" + "0" * 15, "9" * 40, "9" * 41, "9" * 100_000,
    "0." + "0" * 40 + "1", "null", "true", "[]", "{}", "1;DROP TABLE invoices",
]  # fmt: skip
DAYS = [
    "", "2026-02-30", "2026-13-01", "2026-00-10", "2026-1-1", "26-01-01", "2026/01/01",
    "2026-01-01T00:00:00", "2026-01-01T00:00:00Z", "01.01.2026", "20260101", "2026-W01-1",
    "0000-01-01", "0001-01-01", "1899-12-31", "3000-01-01", "9999-12-31", "10000-01-01",
    "-2026-01-01", " 2026-01-01", "2026-01-01 ", "2026-01-01\n", "٢٠٢٦-٠١-٠١", "today",
    "1767225600",
]  # fmt: skip
INSTANTS = [
    "", "2026-01-01", "2026-01-01T10:00:00", "2026-01-01 10:00:00Z", "2026-01-01T25:00:00Z",
    "2026-01-01T10:60:00Z", "2026-01-01T10:00:60Z", "2026-02-30T10:00:00Z", "2026-01-01T10:00Z",
    "2026-01-01T10:00:00+25:00", "2026-01-01T10:00:00.Z", "2026-01-01T10:00:00.1234567890Z",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "1767225600",
    "2026-01-01T10:00:00Z\n", "now",
]  # fmt: skip
CURRENCIES = [
    "", "usd", "US", "USDD", "USD ", " USD", "US D", "XXX", "XAU", "XTS", "ZZZ", "DEM", "840", "$",
    "USD\n", "ＵＳＤ", "U\u0405D",
]  # fmt: skip
EMAILS = ["", "ada", "@", "ada@", "@example.com", "a b@example.com", "a@b@c", "a@b\nBcc: c@d"]
COUNTRIES = ["", "at", "AUT", "A", "A1", "ＡＴ", "AT "]
LOCALES = ["", "-", "de-", "d", "de AT", "de-AT-\n", "deutschland"]
WORDS = ["", "OPEN", "opened", "Business", "null", "__class__"]
FLAGS: list[Any] = ["true", "false", "", "yes", 0, 1, 1.0, [], {}]
ADDRESSES = [
    "", "pay.example", "javascript:alert(1)", "data:text/html,x", "ftp://pay.example/", "//pay",
    " https://pay.example", "https://pay.example/a b", "https://", "HTTPS://pay.example\n",
    "file:///etc/passwd",
]  # fmt: skip
DAY_COUNTS: list[Any] = [-1, 3_651, 10**18, INFINITY, 1.5, "30", True, [], {}]

NUMBER_FIELDS = {
    "amount", "amount_off", "percent_off", "quantity", "unit_price", "per_unit_amount", "rate",
    "fee",
}  # fmt: skip
DAY_FIELDS = {"document_date", "due_date", "as_of"}
INSTANT_FIELDS = {
    "received_at", "next_attempt_at", "start_time", "end_time", "settled_at", "evidence_due_at",
}  # fmt: skip
BY_NAME: dict[str, list[Any]] = {
    **{name: [*NUMBERS, *NOT_A_TEXT] for name in NUMBER_FIELDS},
    **{name: [*DAYS, *NOT_A_TEXT] for name in DAY_FIELDS},
    **{name: [*INSTANTS, *NOT_A_TEXT] for name in INSTANT_FIELDS},
    "currency": [*CURRENCIES, *NOT_A_TEXT],
    "email": [*EMAILS, *BROKEN_TEXTS, *NOT_A_TEXT],
    "to": [*EMAILS, *BROKEN_TEXTS, *NOT_A_TEXT],
    "country": [*COUNTRIES, *BROKEN_TEXTS, *NOT_A_TEXT],
    "locale": [*LOCALES, *BROKEN_TEXTS, *NOT_A_TEXT],
    "url": [*ADDRESSES, *BROKEN_TEXTS, *NOT_A_TEXT],
    "outcome": [*WORDS, *BROKEN_TEXTS, *NOT_A_TEXT],
    "customer_type": [*WORDS, *BROKEN_TEXTS, *NOT_A_TEXT],
    "charge_type": [*WORDS, *BROKEN_TEXTS, *NOT_A_TEXT],
    "collection_period_days": DAY_COUNTS,
}

Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every field, and every field of a field."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for name, part in value.items():
            yield from leaves(part, (*path, name))
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from leaves(part, (*path, place))


def hostile(path: Path, value: Any) -> list[Any]:
    """What no field of this kind may take."""
    name = str(path[-1])
    if "details" in path[:-1]:
        return [*BROKEN_TEXTS, 1.5, INFINITY, [], [1], 2**60]
    if isinstance(value, dict | list):
        return NOT_A_CONTAINER
    if isinstance(value, bool):
        return FLAGS
    return BY_NAME.get(name, [*BROKEN_TEXTS, *NOT_A_TEXT])


def put(data: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    changed: Any = json.loads(json.dumps(data))  # a copy that shares no part with another field
    place = changed
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return changed


FIELDS = [
    pytest.param(command, path, value, id=f"{command}: {'.'.join(map(str, path))}")
    for command, data in COMPLETE.items()
    for path, value in leaves(data)
]


def test_all_commands_and_fields_are_tried() -> None:
    assert set(COMPLETE) == set(COMMANDS)
    for name, command in COMMANDS.items():
        left_out = set(command.model_fields) - set(COMPLETE[name])
        assert left_out <= {"payment_terms_days", "amount"}, name


@pytest.mark.parametrize("command", COMPLETE)
def test_complete_data_is_read(command: str) -> None:
    assert isinstance(read_data(command, COMPLETE[command]), CommandData)


@pytest.mark.parametrize(("command", "path", "good"), FIELDS)
def test_a_hostile_value_is_refused_with_its_path(command: str, path: Path, good: Any) -> None:
    dotted = ".".join(map(str, path))
    for bad in hostile(path, good):
        rejection = read_data(command, put(COMPLETE[command], path, bad))
        assert isinstance(rejection, Rejection), (dotted, bad)
        assert rejection.code in ("invalid_command", "limit_exceeded")
        assert any(error.field.startswith(dotted) for error in rejection.errors), (bad, rejection)


@pytest.mark.parametrize("command", COMPLETE)
def test_a_field_of_no_schema_is_refused_with_its_path(command: str) -> None:
    for path, good in leaves(COMPLETE[command]):
        if isinstance(good, dict) and not {"metadata", "details"} & set(path):
            rejection = read_data(command, put(COMPLETE[command], (*path, "typo"), "1"))
            assert isinstance(rejection, Rejection)
            assert [error.field for error in rejection.errors] == [
                ".".join(map(str, (*path, "typo")))
            ]


@pytest.mark.parametrize("command", COMPLETE)
def test_an_unknown_field_is_refused_by_its_name(command: str) -> None:
    rejection = read_data(command, COMPLETE[command] | {"unkown_field": 1})
    assert isinstance(rejection, Rejection)
    assert [error.field for error in rejection.errors] == ["unkown_field"]


@pytest.mark.parametrize("command", COMPLETE)
@pytest.mark.parametrize("data", [None, [], [1], "text", "", 0, 1.5, INFINITY, True])
def test_data_that_is_no_object_is_refused(command: str, data: object) -> None:
    rejection = read_data(command, data)
    assert isinstance(rejection, Rejection)
    assert rejection.code == "invalid_command"


@pytest.mark.parametrize(
    "name", ["x" * 200_000, "\ud800" * 500, "\x00", "a\nb", "…" * 300, "\u202eevil", ""]
)
def test_a_hostile_name_of_a_field_is_refused_with_a_path_that_is_safe_to_send(name: str) -> None:
    for data in ({name: 1}, {"metadata": {name: 1}}, {"items": [{name: 1}]}):
        rejection = read_data("UpdateInvoice", data)
        assert isinstance(rejection, Rejection)
        for error in rejection.errors:
            assert len(error.field) <= 200
            assert error.field.encode().decode().isprintable()
            assert len(error.reason) <= 200


def test_errors_are_no_more_than_the_limit() -> None:
    rejection = read_data("UpdateInvoice", {f"typo_{n}": n for n in range(1_000)})
    assert isinstance(rejection, Rejection)
    assert len(rejection.errors) == ERRORS_MAX


@pytest.mark.parametrize("command", COMPLETE)
def test_a_reason_never_repeats_what_was_sent(command: str) -> None:
    for path, good in leaves(COMPLETE[command]):
        secret = {"secret-4711": "secret-4711"} if isinstance(good, str) else "secret-4711"
        rejection = read_data(command, put(COMPLETE[command], path, secret))
        if isinstance(rejection, Rejection):
            assert "4711" not in rejection.message
            assert all("4711" not in error.reason for error in rejection.errors)


def test_a_command_that_nobody_knows_is_refused() -> None:
    for name in ("", "createinvoice", "CreateInvoice ", "__class__", "\ud800", "x" * 256):
        rejection = read_data(name, {})
        assert isinstance(rejection, Rejection)
        assert rejection.code == "unknown_command"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


@given(st.sampled_from(sorted(COMPLETE)), json_values)
def test_whatever_json_comes_is_read_or_refused(command: str, data: object) -> None:
    assert isinstance(read_data(command, data), CommandData | Rejection)


@given(st.data(), json_values)
def test_whatever_a_field_holds_an_answer_can_be_written(data: st.DataObject, bad: object) -> None:
    command = data.draw(st.sampled_from(sorted(COMPLETE)))
    fields = list(leaves(COMPLETE[command]))
    if not fields:
        return
    path, _ = data.draw(st.sampled_from(fields))
    desk = Desk()
    if command != "CreateInvoice":
        desk.accept("CreateInvoice", **COMPLETE["CreateInvoice"])
    decided = desk.send_data(command, put(COMPLETE[command], path, bad))
    if isinstance(decided, Rejection):
        json.dumps([error.model_dump() for error in decided.errors]).encode()


@pytest.mark.parametrize("command", COMPLETE)
def test_complete_data_is_decided_on_a_complete_invoice(command: str) -> None:
    desk = Desk()
    if command != "CreateInvoice":
        desk.accept("CreateInvoice", **COMPLETE["CreateInvoice"])
    desk.send_data(command, COMPLETE[command])
    assert desk.current.document.items[0].subscription is not None
