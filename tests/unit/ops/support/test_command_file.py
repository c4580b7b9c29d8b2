"""Files of commands: how they are split, what is filled in, what is rejected."""

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.contracts.envelope import read_command
from invoicing.ops.support.command_file import (
    BadDocument,
    ReadyCommand,
    complete,
    read_commands,
)

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
SHORTEST = b'{"type": "OpenInvoice", "subject": "inv_1"}'


def read(*lines: bytes) -> list[ReadyCommand | BadDocument]:
    return list(read_commands(b"\n".join(lines), NOW, lambda: "made-up"))


def test_what_the_envelope_leaves_out_is_filled_in() -> None:
    (command,) = read(SHORTEST)

    assert isinstance(command, ReadyCommand)
    assert orjson.loads(command.value) == {
        "specversion": "1.0",
        "id": "made-up",
        "source": "/invoicing/cli",
        "time": "2026-11-20T10:00:00.000000Z",
        "type": "OpenInvoice",
        "subject": "inv_1",
    }


def test_a_whole_line_is_sent_byte_for_byte() -> None:
    line = (
        b'{"specversion":"1.0", "id":"a",  "source":"/orders", "time":"2026-11-20T10:00:00Z",'
        b' "type":"OpenInvoice", "subject":"inv_1", "data":{}}'
    )

    assert read(line) == [ReadyCommand("/orders", "a", "inv_1", line)]


def test_each_line_without_an_id_gets_one_of_its_own() -> None:
    ids = iter(["first", "second"])

    commands = list(read_commands(SHORTEST + b"\n" + SHORTEST, NOW, lambda: next(ids)))

    assert [command.id for command in commands if isinstance(command, ReadyCommand)] == [
        "first",
        "second",
    ]


def test_blank_lines_are_skipped_and_still_counted() -> None:
    (bad,) = read(b"", b"  \r", b"{")

    assert isinstance(bad, BadDocument)
    assert bad.line == 3


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"[]", "not an object"),
        (b"{}", "id must be"),
        (b"\xff", "not UTF-8"),
        (b'{"type": "OpenInvoice"}', "subject must be 1 to 64"),
        (b'{"subject": "inv_1"}', "type must be"),
        (b'{"type": "OpenInvoice", "subject": "no blanks please"}', "subject must be 1 to 64"),
        (b'{"type": "OpenInvoice", "type": "VoidInvoice", "subject": "inv_1"}', "same name twice"),
        (b'{"type": "OpenInvoice", "subject": "inv_1", "time": "yesterday"}', "time must be"),
        (b'{"type": "OpenInvoice", "subject": "inv_1", "specversion": "0.3"}', "specversion must"),
    ],
)
def test_a_line_that_is_no_command_says_what_to_fix(line: bytes, reason: str) -> None:
    (bad,) = read(line)

    assert isinstance(bad, BadDocument)
    assert reason in bad.reason


@given(st.binary(max_size=200))
def test_whatever_a_line_holds_it_is_a_command_or_a_bad(line: bytes) -> None:
    assert all(isinstance(result, ReadyCommand | BadDocument) for result in read(line))


@given(
    st.dictionaries(
        st.sampled_from(["specversion", "id", "source", "time", "correlationid"]),
        st.text(min_size=1, max_size=10),
    )
)
def test_what_a_line_gives_is_never_changed(given_attributes: dict[str, str]) -> None:
    whole = {"type": "OpenInvoice", "subject": "inv_1", **given_attributes}

    filled_in = orjson.loads(complete(orjson.dumps(whole), NOW, lambda: "made-up"))

    assert filled_in.items() >= whole.items()
    assert filled_in.keys() >= {"specversion", "id", "source", "time"}


def test_a_completed_line_reads_as_a_command() -> None:
    command = read_command(complete(SHORTEST, NOW, lambda: "made-up"), ())

    assert getattr(command, "time", None) == NOW
