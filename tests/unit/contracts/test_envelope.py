"""Reading never raises; what is read means the same in either mode."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.contracts.dead_letters import DeadLetterReason
from invoicing.contracts.envelope import (
    RECORD_BYTES_MAX,
    CommandEnvelope,
    DecodeFailure,
    event_id,
    read_command,
    reply_document,
    reply_id,
)
from invoicing.contracts.replies import ERRORS_MAX, Reply

COMMAND: dict[str, Any] = {
    "specversion": "1.0",
    "id": "0192",
    "source": "/orders",
    "type": "VoidInvoice",
    "subject": "inv_1",
    "time": "2026-11-20T10:00:00Z",
    "data": {"reason": "entered twice"},
}


def structured(**changes: Any) -> bytes:
    return json.dumps({**COMMAND, **changes}).encode()


def read(value: bytes, *headers: tuple[str, bytes | None]) -> CommandEnvelope:
    command = read_command(value, headers)
    assert isinstance(command, CommandEnvelope), command
    return command


def fields_at_fault(command: CommandEnvelope) -> list[str]:
    return [error.field for error in command.errors]


def test_a_structured_command_is_read() -> None:
    command = read(structured(expectedversion=3, correlationid="order-77"))

    assert (command.source, command.id) == ("/orders", "0192")
    assert (command.type, command.subject) == ("VoidInvoice", "inv_1")
    assert command.expected_version == 3
    assert command.correlation_id == "order-77"
    assert command.data == {"reason": "entered twice"}
    assert command.errors == ()


def test_binary_mode_means_the_same() -> None:
    headers = [
        (f"ce_{name}", str(value).encode()) for name, value in COMMAND.items() if name != "data"
    ]
    command = read_command(
        b'{"reason": "entered twice"}', [*headers, ("content-type", b"application/json")]
    )

    assert command == read(structured())


def test_binary_mode_takes_no_value_for_no_data() -> None:
    headers = [
        (f"ce_{name}", str(COMMAND[name]).encode()) for name in ("specversion", "id", "source")
    ]
    command = read(b"", *headers, ("ce_type", b"OpenInvoice"), ("ce_subject", b"inv_1"))

    assert command.data == {}


@pytest.mark.parametrize(
    "headers",
    [
        [("padding", b"x" * RECORD_BYTES_MAX)],
        [("x" * RECORD_BYTES_MAX, None)],
        [("", None)] * (RECORD_BYTES_MAX // 2 + 1),
    ],
    ids=["one that is large", "a name that is large", "many that say nothing"],
)
def test_headers_have_the_limit_of_a_value(headers: list[tuple[str, bytes | None]]) -> None:
    too_large = read_command(structured(), headers)

    assert isinstance(too_large, DecodeFailure)
    assert too_large.reason == DeadLetterReason.TOO_LARGE


def test_headers_do_not_lessen_what_a_value_may_have() -> None:
    padding = "x" * (RECORD_BYTES_MAX - len(structured(correlationid="")))
    headers: list[tuple[str, bytes | None]] = [("padding", b"x" * (RECORD_BYTES_MAX - 10))]

    as_large_as_may_be = structured(correlationid=padding)

    assert len(as_large_as_may_be) == RECORD_BYTES_MAX
    assert not isinstance(read_command(as_large_as_may_be, headers), DecodeFailure)


@given(
    value=st.binary(max_size=200),
    headers=st.lists(st.tuples(st.text(max_size=9), st.none() | st.binary(max_size=9))),
)
def test_reading_never_raises(value: bytes, headers: list[tuple[str, bytes | None]]) -> None:
    assert isinstance(read_command(value, headers), CommandEnvelope | DecodeFailure)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(
    name=st.sampled_from(
        [*COMMAND, "correlationid", "expectedversion", "datacontenttype", "traceparent"]
    ),
    value=JSON,
)
def test_a_strange_attribute_never_raises(name: str, value: object) -> None:
    assert isinstance(
        read_command(structured(**{name: value}), []), CommandEnvelope | DecodeFailure
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("specversion", "0.3"),
        ("specversion", None),
        ("time", "yesterday"),
        ("time", "2026-11-20T10:00:00"),
        ("time", 5),
        ("expectedversion", "3"),
        ("expectedversion", -1),
        ("expectedversion", True),
        ("expectedversion", 1.5),
        ("correlationid", ""),
        ("correlationid", "x" * 257),
        ("datacontenttype", "text/xml"),
        ("data_base64", "e30="),
    ],
)
def test_a_fault_of_the_envelope_is_told_by_its_field(field: str, value: object) -> None:
    assert fields_at_fault(read(structured(**{field: value}))) == [field]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("expectedVersion", "expectedversion"),
        ("expected_version", "expectedversion"),
        ("expectedversio", "expectedversion"),
        ("correlationId", "correlationid"),
        ("Data", "data"),
        ("datta", "data"),
        ("dat", "data"),
        ("daat", "data"),
        ("date", "data"),
        ("tiem", "time"),
    ],
)
def test_an_attribute_that_is_misspelt_is_an_error(name: str, meant: str) -> None:
    command = read(structured(**{name: 1}))

    assert [(error.field, error.reason) for error in command.errors] == [
        (name, f"is not an attribute of a command; did you mean {meant}?")
    ]


@pytest.mark.parametrize("name", ["Tenant", "my-team", "my_team", "größe", "", "a.b"])
def test_a_name_that_no_attribute_can_have_is_an_error(name: str) -> None:
    assert fields_at_fault(read(structured(**{name: "x"}))) == [name]


@pytest.mark.parametrize("name", ["tenant", "partitionkey", "uid", "sequence", "dataref", "p2"])
def test_an_extension_of_cloudevents_is_ignored(name: str) -> None:
    assert read(structured(**{name: "x"})) == read(structured())


def test_a_command_without_data_has_no_attribute_that_is_unknown() -> None:
    envelope = {name: value for name, value in COMMAND.items() if name != "data"}

    assert read(json.dumps(envelope).encode()).errors == ()
    assert fields_at_fault(read(json.dumps(envelope | {"payload": {}}).encode())) == ["payload"]


def test_a_misspelt_attribute_is_found_in_binary_mode() -> None:
    headers = [(f"ce_{name}", str(COMMAND[name]).encode()) for name in COMMAND if name != "data"]

    assert fields_at_fault(read(b"{}", *headers, ("ce_expectedversions", b"3"))) == [
        "expectedversions"
    ]


def test_the_path_of_a_hostile_name_is_bounded_and_printable() -> None:
    names = ["x" * 100_000, "\x00", "\u202e", "\ud800"]
    errors = read(structured(**dict.fromkeys(names, 1))).errors

    assert len(errors) == len(names) - 1  # a name of many letters may be an extension
    assert all(len(error.field) <= 200 and error.field.isprintable() for error in errors)


def test_errors_are_no_more_than_a_reply_holds() -> None:
    many = {f"No{number}": 1 for number in range(5_000)}

    assert len(read(structured(**many)).errors) == ERRORS_MAX


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"subject": None}, ["subject"]),
        ({"subject": 7}, ["subject"]),
        ({"subject": "inv 1"}, ["subject"]),
        ({"subject": "a.b:c/d"}, ["subject"]),
        ({"subject": "i" * 65}, ["subject"]),
        ({"subject": "inv_1\n"}, ["subject"]),
        ({"type": None}, ["type"]),
        ({"type": ""}, ["type"]),
        ({"type": None, "subject": None}, ["type", "subject"]),
    ],
)
def test_a_command_with_an_id_and_a_source_can_be_answered(
    changes: dict[str, Any], fields: list[str]
) -> None:
    command = read(structured(**changes))

    assert (command.source, command.id) == ("/orders", "0192")
    assert fields_at_fault(command) == fields
    assert command.has_invoice_id == ("subject" not in changes)


@pytest.mark.parametrize("subject", ['"}', "a\\b", "größe", "inv 1", ""])
def test_a_reply_shows_a_subject_of_any_characters(subject: str) -> None:
    command = read(structured(subject=subject))

    data = Reply.construct_unchecked(
        command_id="1",
        command_source="/orders",
        command_type="VoidInvoice",
        invoice_id=subject,
        version=None,
        state=None,
        events=(),
    )
    reply = json.loads(
        reply_document(
            command, id="1", type="command.rejected", recorded_at=datetime.now(UTC), data=data
        )
    )

    assert reply.get("subject", "") == subject


@pytest.mark.parametrize("name", ["id", "source"])
@pytest.mark.parametrize("value", [None, "", 7, "x" * 257, "a\nb"])
def test_a_record_without_an_identity_is_no_command(name: str, value: object) -> None:
    failure = read_command(structured(**{name: value}), [])

    assert isinstance(failure, DecodeFailure)
    assert failure.reason is DeadLetterReason.NOT_AN_ENVELOPE
    assert name in failure.message


@pytest.mark.parametrize("value", ["00-xyz", 7, None, "00-" + "0" * 200])
def test_a_broken_traceparent_is_left_out(value: object) -> None:
    command = read(structured(traceparent=value))

    assert command.traceparent is None
    assert command.errors == ()


def test_depth_64_is_read_and_65_is_not() -> None:
    def nested(levels: int) -> bytes:
        # The envelope itself is the first level.
        inner = "1"
        for _ in range(levels - 1):
            inner = '{"a":' + inner + "}"
        return structured(data=0).replace(b'"data": 0', b'"data": ' + inner.encode())

    assert isinstance(read_command(nested(64), []), CommandEnvelope)
    too_deep = read_command(nested(65), [])
    assert isinstance(too_deep, DecodeFailure)
    assert too_deep.reason is DeadLetterReason.TOO_DEEP


def test_the_body_hash_ignores_order_time_and_tracing() -> None:
    one = read(structured(data={"a": 1, "b": 2}))
    other = read(structured(data={"b": 2, "a": 1}, time="2026-11-21T00:00:00Z", correlationid="x"))

    assert one.body_hash == other.body_hash


@pytest.mark.parametrize(
    "changes", [{"data": {}}, {"type": "OpenInvoice"}, {"subject": "inv_2"}, {"expectedversion": 1}]
)
def test_the_body_hash_tells_bodies_apart(changes: dict[str, Any]) -> None:
    assert read(structured(**changes)).body_hash != read(structured()).body_hash


@given(st.text(), st.integers(1))
def test_an_events_id_is_a_name_based_uuid(invoice_id: str, version: int) -> None:
    space = UUID("8c0c6d1e-54c4-5a9e-9d53-0f6d6e2c7a11")
    assert event_id(invoice_id, version) == str(uuid5(space, f"{invoice_id}/{version}"))


def test_ids_are_made_from_what_they_name() -> None:
    command = read(structured())

    assert event_id("inv_1", 1) == event_id("inv_1", 1)
    assert event_id("inv_1", 1) != event_id("inv_1", 2)
    assert event_id("inv_1", 11) != event_id("inv_11", 1)
    assert reply_id(command) == reply_id(command)
    assert reply_id(command, "topic", 0, 7) != reply_id(command)


def test_a_number_of_many_digits_is_read_as_what_it_is_about() -> None:
    assert read(structured(data=0).replace(b'"data": 0', b'"data": ' + b"9" * 40)).data == 1e40


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"9" * 200_000])
def test_a_number_that_none_can_be_is_not_read(number: bytes) -> None:
    unreadable = read_command(structured(data=0).replace(b'"data": 0', b'"data": ' + number), [])

    assert isinstance(unreadable, DecodeFailure)
    assert unreadable.reason is DeadLetterReason.NOT_JSON


def test_a_body_with_a_lone_surrogate_has_a_hash() -> None:
    one, other = read(structured(data="\ud800")), read(structured(data="\ud801"))

    assert one.body_hash != other.body_hash
