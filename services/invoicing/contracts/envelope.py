"""The envelope around commands, events and answers: CloudEvents 1.0, structured or binary mode.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md and its Kafka binding.
Reading never raises: what cannot be read comes back as `DecodeFailure`, with the reason.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeGuard
from uuid import UUID

import orjson

from invoicing.contracts.dead_letters import DeadLetterReason, Headers
from invoicing.contracts.replies import FieldError
from invoicing.contracts.strict_json import StrictJsonError, parse_json
from invoicing.contracts.types.texts import rfc3339

RECORD_BYTES_MAX: Final = 256 * 1024
# A header that says nothing takes its two lengths: many of them are not nothing.
HEADER_BYTES: Final = 2
IDENTITY_CHARACTERS_MAX: Final = 256

SOURCE: Final = "/invoicing"
CONTENT_TYPE: Final = b"application/cloudevents+json; charset=UTF-8"
HEADERS: Final = (("content-type", CONTENT_TYPE),)

_EVENT_IDS: Final = UUID("8c0c6d1e-54c4-5a9e-9d53-0f6d6e2c7a11").bytes
_ANSWER_IDS: Final = UUID("f2f5a1c6-0a64-57a0-8f0d-3c1b9a7d4e22").bytes

_SUBJECT = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_JSON_TYPE = re.compile(r"\s*[\w.+-]+/([\w.-]+\+)?json\s*(;.*)?", re.ASCII | re.IGNORECASE)
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class DecodeFailure:
    """A record nobody can be answered about: `message` says what to mend, without its content."""

    reason: DeadLetterReason
    message: str


class CommandEnvelope(NamedTuple):
    """A command as it came: `data` is parsed JSON, unchecked; `errors` the envelope's own faults.

    `source` and `id` are its identity; `body_hash` (SHA-256) tells two bodies under one identity
    apart.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime | None
    expected_version: int | None
    correlation_id: str | None
    traceparent: str | None
    data: object
    body_hash: bytes
    errors: tuple[FieldError, ...] = ()


def read_command(value: bytes | None, headers: Headers) -> CommandEnvelope | DecodeFailure:
    """Read a record's value and headers as a command."""
    if value is None:
        return DecodeFailure(DeadLetterReason.TOMBSTONE, "The record has no value.")
    for what, size in (("value", len(value)), ("headers", headers_bytes(headers))):
        if size > RECORD_BYTES_MAX:
            return DecodeFailure(
                DeadLetterReason.TOO_LARGE,
                f"The record's {what} take {size} bytes; at most {RECORD_BYTES_MAX} are taken.",
            )
    texts = _readable(headers)
    binary = _is_binary(texts)
    try:
        parsed = {} if binary and not value else parse_json(value)
    except StrictJsonError as error:
        return DecodeFailure(error.reason, str(error))
    if binary:
        return _command({**_binary_attributes(texts), "data": parsed}, texts)
    if not isinstance(parsed, dict):
        return DecodeFailure(
            DeadLetterReason.NOT_AN_ENVELOPE, "The record is JSON, but not an object."
        )
    return _command(parsed, texts)


def headers_bytes(headers: Headers) -> int:
    """How large a record's headers are, whatever they were compressed to."""
    return sum(HEADER_BYTES + len(name.encode()) + len(text or b"") for name, text in headers)


def event_id(invoice_id: str, version: int) -> str:
    """The same event has the same id however often it is published."""
    return _name_based(_EVENT_IDS, f"{invoice_id}/{version}")


def reply_id(command: CommandEnvelope, *distinction: object) -> str:
    """The id of a command's answer; `distinction` where one identity has a second answer."""
    parts = (command.source, command.id, *map(str, distinction))
    return _name_based(_ANSWER_IDS, "\n".join(parts))


def event_document(
    command: CommandEnvelope,
    *,
    type: str,  # noqa: A002 (the envelope's own name for it)
    schema_version: int,
    version: int,
    recorded_at: datetime,
    data: str,
) -> str:
    """One event as it is stored and published.

    `data` is JSON already; `version` is the invoice's after the event.
    """
    return _document(
        command,
        id=event_id(command.subject, version),
        type=type,
        time=recorded_at,
        dataschema=f"urn:invoicing:schema:{type}:{schema_version}",
        extensions={"causationsource": command.source, "version": version},
        data=data,
    )


def reply_document(
    command: CommandEnvelope,
    *,
    id: str,  # noqa: A002
    type: str,  # noqa: A002
    recorded_at: datetime,
    data: str,
) -> str:
    """One answer as it is stored and published. `data` is JSON already."""
    return _document(
        command,
        id=id,
        type=type,
        time=recorded_at,
        dataschema=f"urn:invoicing:schema:{type}:1",
        extensions={},
        data=data,
    )


def _name_based(space: bytes, name: str) -> str:
    """A UUID of version 5 (RFC 9562, 5.5). `uuid.uuid5` gives the same at four times the price."""
    digest = bytearray(hashlib.sha1(space + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    digits = digest.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _document(
    command: CommandEnvelope,
    *,
    id: str,  # noqa: A002
    type: str,  # noqa: A002
    time: datetime,
    dataschema: str,
    extensions: Mapping[str, object],
    data: str,
) -> str:
    ours = (
        f'{{"specversion":"1.0","id":"{id}","source":"{SOURCE}","type":"{type}",'
        f'"subject":"{command.subject}","time":"{rfc3339(time)}",'
        f'"datacontenttype":"application/json","dataschema":"{dataschema}"'
    )
    # Only what the command's sender chose can need escaping.
    theirs: dict[str, object] = {"causationid": command.id}
    if command.correlation_id is not None:
        theirs["correlationid"] = command.correlation_id
    if command.traceparent is not None:
        theirs["traceparent"] = command.traceparent
    theirs |= extensions
    return f'{ours},{orjson.dumps(theirs).decode()[1:-1]},"data":{data}}}'


def _readable(headers: Headers) -> dict[str, str]:
    """The headers that are text; one that is null or not UTF-8 is not ours, and passed over."""
    texts = {}
    for name, value in headers:
        if value is not None:
            try:
                texts[name.lower()] = value.decode()
            except UnicodeDecodeError:
                continue
    return texts


def _is_binary(headers: Mapping[str, str]) -> bool:
    structured = headers.get("content-type", "").lower().startswith("application/cloudevents")
    return not structured and ("ce_id" in headers or "ce_specversion" in headers)


def _binary_attributes(headers: Mapping[str, str]) -> dict[str, object]:
    attributes: dict[str, object] = {
        name[3:]: value
        for name, value in headers.items()
        if name.startswith("ce_") and name != "ce_data"
    }
    version = attributes.get("expectedversion")
    if isinstance(version, str) and re.fullmatch(r"[0-9]{1,10}", version, re.ASCII):
        attributes["expectedversion"] = int(version)
    if "content-type" in headers:
        attributes["datacontenttype"] = headers["content-type"]
    return attributes


def _command(
    attributes: Mapping[str, object], headers: Mapping[str, str]
) -> CommandEnvelope | DecodeFailure:
    for name in ("id", "source", "type"):
        if not _is_identity(attributes.get(name)):
            return _unreadable_attribute(
                name, f"1 to {IDENTITY_CHARACTERS_MAX} printable characters"
            )
    subject = attributes.get("subject")
    if not (isinstance(subject, str) and _SUBJECT.fullmatch(subject)):
        return _unreadable_attribute("subject", "1 to 64 of A-Z a-z 0-9 _ -")
    time, data = _time(attributes.get("time")), attributes.get("data")
    data = {} if data is None else data
    expected = attributes.get("expectedversion")
    return CommandEnvelope(
        id=str(attributes["id"]),
        source=str(attributes["source"]),
        type=str(attributes["type"]),
        subject=subject,
        time=time,
        expected_version=expected if _is_version(expected) else None,
        correlation_id=_optional_identity(attributes.get("correlationid")),
        traceparent=_traceparent(attributes, headers),
        data=data,
        body_hash=_hash([attributes["type"], subject, expected, data]),
        errors=tuple(_faults(attributes, time)),
    )


def _is_identity(value: object) -> bool:
    return (
        isinstance(value, str)
        and 1 <= len(value) <= IDENTITY_CHARACTERS_MAX
        and value.isprintable()
    )


def _optional_identity(value: object) -> str | None:
    return value if isinstance(value, str) and _is_identity(value) else None


def _is_version(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_json(content_type: object) -> bool:
    return content_type == "application/json" or (
        isinstance(content_type, str) and _JSON_TYPE.fullmatch(content_type) is not None
    )


def _unreadable_attribute(name: str, wanted: str) -> DecodeFailure:
    return DecodeFailure(
        DeadLetterReason.NOT_AN_ENVELOPE, f"The envelope has no readable {name}: {wanted}."
    )


def _faults(attributes: Mapping[str, object], time: datetime | None) -> Iterator[FieldError]:
    """What is wrong with the envelope of a command that can be named; `time` as it was read."""
    if attributes.get("specversion") != "1.0":
        yield FieldError(field="specversion", reason='must be "1.0"')
    if time is None and attributes.get("time") is not None:
        yield FieldError(
            field="time", reason="must be a time as RFC 3339 writes it, with its offset"
        )
    expected = attributes.get("expectedversion")
    if expected is not None and not _is_version(expected):
        yield FieldError(field="expectedversion", reason="must be a whole number, 0 or above")
    correlation_id = attributes.get("correlationid")
    if correlation_id is not None and not _is_identity(correlation_id):
        reason = f"must be 1 to {IDENTITY_CHARACTERS_MAX} printable characters"
        yield FieldError(field="correlationid", reason=reason)
    content_type = attributes.get("datacontenttype")
    if content_type is not None and not _is_json(content_type):
        yield FieldError(field="datacontenttype", reason="must be a JSON media type")
    elif "data_base64" in attributes:
        yield FieldError(field="data_base64", reason="must be given as JSON, in data")


def _time(value: object) -> datetime | None:
    if not (isinstance(value, str) and _RFC_3339.fullmatch(value)):
        return None
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _traceparent(attributes: Mapping[str, object], headers: Mapping[str, str]) -> str | None:
    """W3C Trace Context. A broken one is left out: it must never cost anyone an invoice."""
    value = attributes.get("traceparent", headers.get("traceparent"))
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else None


def _hash(body: object) -> bytes:
    """Equal for equal meanings: neither the order of names nor the mode of the envelope counts."""
    try:
        text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a lone surrogate somewhere, which the command's schema will refuse
        text = json.dumps(body, sort_keys=True).encode()
    return hashlib.sha256(text).digest()
