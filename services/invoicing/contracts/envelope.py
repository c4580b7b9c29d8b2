"""The envelope of commands, events and replies: CloudEvents 1.0, structured or binary mode.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md and its Kafka binding.

A record whose `id` and `source` can be read is a command, and gets a reply even if the rest of its
envelope is wrong: `CommandEnvelope.errors` says what is. Any other record is a `DecodeFailure`.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final, NamedTuple, TypeGuard
from uuid import UUID

import orjson

from invoicing.contracts.dead_letters import DeadLetterReason, Headers
from invoicing.contracts.hints import NO_HINTS, Hints
from invoicing.contracts.model import ContractModel, to_json
from invoicing.contracts.replies import ERRORS_MAX, FieldError
from invoicing.contracts.strict_json import StrictJsonError, parse_json
from invoicing.contracts.types.card_numbers import mask_card_numbers
from invoicing.contracts.types.texts import INVOICE_ID_PATTERN, INVOICE_ID_REASON, rfc3339
from invoicing.contracts.validation.error_messages import printable_path

RECORD_BYTES_MAX: Final = 256 * 1024
# Even an empty header costs two length bytes, and a record may have many.
HEADER_BYTES: Final = 2
IDENTITY_CHARACTERS_MAX: Final = 256

SOURCE: Final = "/invoicing"
CONTENT_TYPE: Final = b"application/cloudevents+json; charset=UTF-8"
HEADERS: Final = (("content-type", CONTENT_TYPE),)

_EVENT_IDS: Final = UUID("8c0c6d1e-54c4-5a9e-9d53-0f6d6e2c7a11").bytes
_REPLY_IDS: Final = UUID("f2f5a1c6-0a64-57a0-8f0d-3c1b9a7d4e22").bytes

_VARIANTS: Final = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
"""A UUID's digit of the variant, for each digit of a hash."""

_REQUIRED: Final = frozenset({"specversion", "id", "source", "type", "subject"})
_OPTIONAL: Final = (
    "data",
    "expectedversion",
    "correlationid",
    "time",
    "traceparent",
    "tracestate",
    "datacontenttype",
    "dataschema",
    "data_base64",
)
_ATTRIBUTES: Final = _REQUIRED.union(_OPTIONAL)

_SUBJECT: Final = re.compile(INVOICE_ID_PATTERN, re.ASCII)
_ATTRIBUTE_NAME: Final = re.compile(r"[a-z0-9]+", re.ASCII)
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_JSON_TYPE: Final = re.compile(r"\s*[\w.+-]+/([\w.-]+\+)?json\s*(;.*)?", re.ASCII | re.IGNORECASE)
_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)

_AN_IDENTITY: Final = f"must be 1 to {IDENTITY_CHARACTERS_MAX} printable characters"


@dataclass(frozen=True, slots=True)
class DecodeFailure:
    """A record that no reply can be addressed to. The message does not quote it."""

    reason: DeadLetterReason
    message: str


class CommandEnvelope(NamedTuple):
    """A command as it came: `data` is parsed JSON, not validated.

    `source` and `id` are its identity; `body_hash` (SHA-256) differs for another body under the
    same identity. `type` and `subject` are empty if they cannot be read, and `subject` is an
    invoice's id only if `has_invoice_id` says so; `errors` holds a reason in either case.
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
    hints: Hints = NO_HINTS
    """What `data` need not be searched for."""

    @property
    def has_invoice_id(self) -> bool:
        """Whether `subject` can be the id of an invoice."""
        return _SUBJECT.fullmatch(self.subject) is not None


def read_command(value: bytes | None, headers: Headers) -> CommandEnvelope | DecodeFailure:
    """Read a record's value and headers as a command. Never raises."""
    if value is None:
        return DecodeFailure(DeadLetterReason.TOMBSTONE, "The record has no value.")
    for part, size in (("value", len(value)), ("headers", headers_bytes(headers))):
        if size > RECORD_BYTES_MAX:
            return DecodeFailure(
                DeadLetterReason.TOO_LARGE,
                f"The record's {part} take {size} bytes; the limit is {RECORD_BYTES_MAX}.",
            )
    texts = _text_headers(headers)
    content_type = texts.get("content-type", "").lower()
    is_structured = content_type.startswith("application/cloudevents")
    is_binary = not is_structured and ("ce_id" in texts or "ce_specversion" in texts)
    try:
        parsed = None if is_binary and not value else parse_json(value)
    except StrictJsonError as error:
        return DecodeFailure(error.reason, str(error))
    if is_binary:
        return _command({**_binary_attributes(texts), "data": parsed}, texts)
    if not isinstance(parsed, dict):
        return DecodeFailure(
            DeadLetterReason.NOT_AN_ENVELOPE, "The record is JSON, but not an object."
        )
    return _command(parsed, texts)


def headers_bytes(headers: Headers) -> int:
    """The size of a record's headers without compression."""
    return sum(HEADER_BYTES + len(name.encode()) + len(text or b"") for name, text in headers)


def event_id(invoice_id: str, version: int) -> str:
    """The id of an event: the same however often it is published."""
    return _name_based(_EVENT_IDS, f"{invoice_id}/{version}")


def reply_id(command: CommandEnvelope, *distinction: object) -> str:
    """The id of a command's reply; `distinction` where one identity has a second reply."""
    parts = (command.source, command.id, *map(str, distinction))
    return _name_based(_REPLY_IDS, "\n".join(parts))


def event_document(
    command: CommandEnvelope,
    *,
    type: str,  # noqa: A002 (the envelope's own name for it)
    schema_version: int,
    version: int,
    recorded_at: datetime,
    data: ContractModel,
) -> str:
    """Serialise an event as it is stored and published. `version` is the invoice's after it."""
    assert command.has_invoice_id, "an event needs an invoice"
    document = _document(command, event_id(command.subject, version), type, recorded_at)
    document["dataschema"] = f"urn:invoicing:schema:{type}:{schema_version}"
    _add_cause(document, command)
    document["causationsource"] = command.source
    document["version"] = version
    document["data"] = data
    return to_json(document)


def reply_document(
    command: CommandEnvelope,
    *,
    id: str,  # noqa: A002
    type: str,  # noqa: A002
    recorded_at: datetime,
    data: ContractModel,
) -> str:
    """Serialise a reply as it is stored and published."""
    document = _document(command, id, type, recorded_at)
    document["dataschema"] = f"urn:invoicing:schema:{type}:1"
    _add_cause(document, command)
    document["data"] = data
    return to_json(document)


def _document(command: CommandEnvelope, id_: str, type_: str, time: datetime) -> dict[str, object]:
    """The attributes that every record of ours begins with."""
    document: dict[str, object] = {
        "specversion": "1.0",
        "id": id_,
        "source": SOURCE,
        "type": type_,
        "subject": command.subject,
        "time": rfc3339(time),
        "datacontenttype": "application/json",
    }
    if not command.subject:  # CloudEvents: a subject that is given is not empty.
        del document["subject"]
    return document


def _add_cause(document: dict[str, object], command: CommandEnvelope) -> None:
    document["causationid"] = command.id
    if command.correlation_id is not None:
        document["correlationid"] = command.correlation_id
    if command.traceparent is not None:
        document["traceparent"] = command.traceparent


def _name_based(space: bytes, name: str) -> str:
    """Make a UUID of version 5 (RFC 9562, 5.5). `uuid.uuid5` takes four times as long."""
    digits = hashlib.sha1(space + name.encode(), usedforsecurity=False).hexdigest()
    return (
        f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}"
        f"-{_VARIANTS[digits[16]]}{digits[17:20]}-{digits[20:32]}"
    )


def _text_headers(headers: Headers) -> dict[str, str]:
    """The headers that are UTF-8, by name in lower case. Others are never ours."""
    texts = {}
    for name, value in headers:
        if value is not None:
            try:
                texts[name.lower()] = value.decode()
            except UnicodeDecodeError:
                continue
    return texts


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
    id_, source = attributes.get("id"), attributes.get("source")
    if not _is_identity(id_) or not _is_identity(source):
        name = "source" if _is_identity(id_) else "id"
        message = f"The envelope's {name} {_AN_IDENTITY}."
        return DecodeFailure(DeadLetterReason.NOT_AN_ENVELOPE, message)
    type_, subject = attributes.get("type"), attributes.get("subject")
    time, data = _time(attributes.get("time")), attributes.get("data")
    expected = attributes.get("expectedversion")
    correlation_id = attributes.get("correlationid")
    # W3C Trace Context. A broken one is ignored: tracing must never cost a command.
    traceparent = attributes.get("traceparent", headers.get("traceparent"))
    is_traced = isinstance(traceparent, str) and _TRACEPARENT.fullmatch(traceparent)
    data = {} if data is None else data
    body_hash, hints = _hash([type_, subject, expected, data])
    return CommandEnvelope(
        id=id_,
        source=source,
        type=type_ if _is_identity(type_) else "",
        subject=subject if _is_identity(subject) else "",
        time=time,
        expected_version=expected if _is_version(expected) else None,
        correlation_id=correlation_id if _is_identity(correlation_id) else None,
        traceparent=str(traceparent) if is_traced else None,
        data=data,
        body_hash=body_hash,
        errors=tuple(islice(_errors(attributes, time), ERRORS_MAX)),
        hints=hints,
    )


def _is_identity(value: object) -> TypeGuard[str]:
    return (
        isinstance(value, str)
        and 1 <= len(value) <= IDENTITY_CHARACTERS_MAX
        and value.isprintable()
    )


def _is_version(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _errors(attributes: Mapping[str, object], time: datetime | None) -> Iterator[FieldError]:
    """Check all attributes but id and source; `time` is the one given, if it could be read."""
    if attributes.get("specversion") != "1.0":
        yield FieldError(field="specversion", reason='must be "1.0"')
    if not _is_identity(attributes.get("type")):
        yield FieldError(field="type", reason=_AN_IDENTITY)
    subject = attributes.get("subject")
    if not (isinstance(subject, str) and _SUBJECT.fullmatch(subject)):
        yield FieldError(field="subject", reason=INVOICE_ID_REASON)
    if time is None and attributes.get("time") is not None:
        yield FieldError(
            field="time", reason="must be an RFC 3339 time with offset: 2026-11-20T10:00:00Z"
        )
    expected = attributes.get("expectedversion")
    if expected is not None and not _is_version(expected):
        yield FieldError(field="expectedversion", reason="must be a whole number, 0 or above")
    correlation_id = attributes.get("correlationid")
    if correlation_id is not None and not _is_identity(correlation_id):
        yield FieldError(field="correlationid", reason=_AN_IDENTITY)
    content_type = attributes.get("datacontenttype")
    if content_type not in (None, "application/json") and not (
        isinstance(content_type, str) and _JSON_TYPE.fullmatch(content_type)
    ):
        yield FieldError(field="datacontenttype", reason="must be a JSON media type")
    elif "data_base64" in attributes:
        yield FieldError(field="data_base64", reason="must be given as JSON, in data")
    has_data = attributes.get("data") is not None
    for name in attributes:
        reason = None if name in _ATTRIBUTES else _why_unknown(name, has_data=has_data)
        if reason is not None:
            yield FieldError(field=printable_path([name]), reason=reason)


def _why_unknown(name: str, *, has_data: bool) -> str | None:
    """Why an unknown attribute is an error; None if it may be somebody's CloudEvents extension.

    A slip in the name of a required attribute needs no check: the attribute itself is missing.
    """
    letters = re.sub("[^a-z0-9]", "", name.lower())
    for known in _OPTIONAL:
        if letters == known or _is_one_slip(letters, known):
            return f"is not an attribute of a command; did you mean {known}?"
    if not _ATTRIBUTE_NAME.fullmatch(name):
        return "is not an attribute: CloudEvents names have only a-z and 0-9"
    # What a misspelt `data` would have held is lost where the command needs none.
    return None if has_data else "is not an attribute of a command, and data is missing"


def _is_one_slip(name: str, known: str) -> bool:
    """Whether one letter is wrong, missing or too many, or two neighbours are swapped."""
    if abs(len(name) - len(known)) > 1:
        return False
    pairs = zip(name, known, strict=False)
    at = next((at for at, (one, other) in enumerate(pairs) if one != other), len(known))
    rest, wanted = name[at:], known[at:]
    return (
        rest[1:] == wanted[1:]
        or rest == wanted[1:]
        or rest[1:] == wanted
        or (rest[:2] == wanted[:2][::-1] and rest[2:] == wanted[2:])
    )


def _time(value: object) -> datetime | None:
    if not (isinstance(value, str) and _RFC_3339.fullmatch(value)):
        return None
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _hash(body: object) -> tuple[bytes, Hints]:
    """Hash a body by its meaning: neither the order of names nor the envelope's mode counts.

    Also returns what its text says of the body.

    Card numbers are masked first: from a stored hash and a masked number, the number could be
    found by trying.
    """
    try:
        text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a lone surrogate somewhere, which the command's schema will refuse
        text = json.dumps(body, sort_keys=True).encode()
    hints = Hints.of(text)
    if hints.card_numbers:
        text = mask_card_numbers(text.decode()).encode()
    return hashlib.sha256(text).digest(), hints
