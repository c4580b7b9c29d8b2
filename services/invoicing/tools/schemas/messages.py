"""The JSON Schema of every message: the CloudEvent with its data, and examples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Literal

import orjson

from invoicing.contracts import replies
from invoicing.contracts.commands import COMMANDS, CommandData, UpdateInvoice
from invoicing.contracts.envelope import IDENTITY_CHARACTERS_MAX, SOURCE
from invoicing.contracts.events import EVENTS
from invoicing.contracts.replies import RejectedReply, Reply
from invoicing.contracts.types.texts import INVOICE_ID_PATTERN
from invoicing.tools.schemas.shapes import Schema, closed, shape_of, with_open_enums
from invoicing.tools.schemas.story import StoryResult, command_message

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Kind = Literal["command", "event", "answer"]

_INTEGER_MAX: Final = 2**31 - 1
"""CloudEvents: an Integer attribute has 32 bits."""

_IDENTITY: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": IDENTITY_CHARACTERS_MAX,
    "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$",
}
_ATTRIBUTE_NAMES: Final[Schema] = {"pattern": "^[a-z0-9]+$"}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_SUBJECT: Final[Schema] = {
    "type": "string",
    "pattern": INVOICE_ID_PATTERN,
    "description": "The invoice's id, of A-Z a-z 0-9 _ -; also the record's key.",
}
_TRACEPARENT: Final[Schema] = {
    "type": "string",
    "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
    "description": "W3C Trace Context; copied to all that follows.",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One type of message."""

    kind: Kind
    type: str
    schema: Schema
    examples: Sequence[Any]

    @property
    def path(self) -> str:
        """The path of its schema, below `schemas/`."""
        return f"{self.kind}s/{self.type}.json"


def schema_id(message_type: str, version: int) -> str:
    """The `$id` of a schema, which the `dataschema` of what we publish names."""
    return f"urn:invoicing:schema:{message_type}:{version}"


def messages(result: StoryResult) -> Iterator[Message]:
    """All commands, events and replies, with examples from the result of a story.

    A command that the story does not have gets an example from those of its fields.
    """
    examples = _examples(result)
    missing = EVENTS.keys() - examples.keys()
    assert not missing, f"no step of STORY in story.py emits {', '.join(sorted(missing))}"
    for name, command in COMMANDS.items():
        if name not in examples:
            fields = command.model_fields.items()
            data = {field: info.examples[0] for field, info in fields if info.examples}
            examples[name] = [command_message(1, (name, "inv_1001", data))]
        yield _message("command", name, 1, command_data(command), examples)
    for name, event in EVENTS.items():
        data = with_open_enums(shape_of(event, "serialization"))
        yield _message("event", name, event.schema_version, data, examples)
    for name, answer in ((replies.ACCEPTED, Reply), (replies.REJECTED, RejectedReply)):
        data = with_open_enums(shape_of(answer, "serialization"))
        yield _message("answer", name, 1, data, examples)


def command_data(command: type[CommandData]) -> Schema:
    """The schema of a command's data, closed: unknown fields are errors."""
    schema: Schema = closed(shape_of(command, "validation"))
    if issubclass(command, UpdateInvoice):
        # A field that is left out keeps its value, so a default would be wrong.
        schema["properties"] = {
            name: {key: part for key, part in field.items() if key != "default"}
            for name, field in schema["properties"].items()
        }
    return schema


def _message(
    kind: Kind, type_: str, version: int, data: Schema, examples: Mapping[str, Sequence[Any]]
) -> Message:
    definitions = data.pop("$defs")
    description = data.pop("description")
    title = data.pop("title")
    envelope = _ENVELOPES[kind](type_, schema_id(type_, version))
    optional = {
        "data": kind == "command" and "required" not in data,
        "subject": type_ == replies.REJECTED,
    }
    required = [name for name in _REQUIRED[kind] if not optional.get(name)]
    schema = {
        "$schema": DIALECT,
        "$id": schema_id(type_, version),
        "title": title if kind != "answer" else type_,
        "description": description,
        "type": "object",
        "properties": {**envelope, "data": data},
        **({"propertyNames": _ATTRIBUTE_NAMES} if kind == "command" else {}),
        "required": required,
        "examples": examples[type_],
        "$defs": dict(sorted(definitions.items())),
    }
    return Message(kind, type_, schema, examples[type_])


def _command_envelope(type_: str, schema: str) -> Schema:
    return {
        "specversion": {"const": "1.0", "description": "CloudEvents' version."},
        "id": _IDENTITY
        | {
            "description": "With `source` the command's identity: the same again gets the same"
            " answer, and nothing happens twice. Printable characters."
        },
        "source": _IDENTITY | {"description": "Who sends it. Printable characters."},
        "type": {"const": type_},
        "subject": _SUBJECT,
        "time": _TIME
        | {"description": "When it was given, RFC 3339 with offset; by default the record's time."},
        "datacontenttype": {
            "type": "string",
            "pattern": r"^[\w.+-]+/([\w.-]+\+)?[Jj][Ss][Oo][Nn]\s*(;.*)?$",
            "default": "application/json",
            "description": "A JSON media type.",
        },
        "dataschema": {"type": "string", "description": f"Not looked at; {schema} is meant."},
        "expectedversion": {
            "type": "integer",
            "minimum": 0,
            "maximum": _INTEGER_MAX,
            "description": "Where it is not the invoice's version, the command is rejected with"
            " version_conflict; 0 is an invoice that does not exist.",
        },
        "correlationid": _IDENTITY | {"description": "Copied to all that follows."},
        "traceparent": _TRACEPARENT,
        "data_base64": False,
    }


def _published_envelope(type_: str, schema: str) -> Schema:
    return {
        "specversion": {"const": "1.0", "description": "CloudEvents' version."},
        "id": {"type": "string", "format": "uuid", "description": "The same at every delivery."},
        "source": {"const": SOURCE},
        "type": {"const": type_},
        "subject": _SUBJECT,
        "time": _TIME | {"description": "When it was recorded, in UTC, to the microsecond."},
        "datacontenttype": {"const": "application/json"},
        "dataschema": {"const": schema, "description": "This schema, with its version."},
        "causationid": _IDENTITY | {"description": "The command's `id`."},
        "correlationid": _IDENTITY | {"description": "The command's, where it had one."},
        "traceparent": _TRACEPARENT,
    }


def _reply_envelope(type_: str, schema: str) -> Schema:
    envelope = _published_envelope(type_, schema)
    if type_ == replies.REJECTED:
        # The reply to a command that names no invoice, or in characters that no invoice has.
        description = "The `subject` of the command; missing if the command has none to show."
        envelope["subject"] = _IDENTITY | {"description": description}
    return envelope


def _event_envelope(type_: str, schema: str) -> Schema:
    return _published_envelope(type_, schema) | {
        "causationsource": _IDENTITY | {"description": "The command's `source`."},
        "version": {
            "type": "integer",
            "minimum": 1,
            "maximum": _INTEGER_MAX,
            "description": "The invoice's version after the event: 1, 2, 3, ... without a gap.",
        },
    }


_ENVELOPES: Final = {
    "command": _command_envelope,
    "event": _event_envelope,
    "answer": _reply_envelope,
}
_PUBLISHED: Final = (
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "causationid",
)
_REQUIRED: Final[Mapping[Kind, Sequence[str]]] = {
    "command": ("specversion", "id", "source", "type", "subject", "data"),
    "event": (*_PUBLISHED, "causationsource", "version", "data"),
    "answer": (*_PUBLISHED, "data"),
}


def _examples(result: StoryResult) -> dict[str, list[Any]]:
    """The first of each type; of rejections, the first of each code."""
    events = (stored.document for stored in result.events)
    answers = (stored.document for stored in result.answers)
    published = map(orjson.loads, chain(events, answers))
    first: dict[tuple[str, str | None], Any] = {}
    for message in (*result.commands, *published):
        code = message["data"]["code"] if message["type"] == replies.REJECTED else None
        first.setdefault((message["type"], code), message)
    examples: dict[str, list[Any]] = {}
    for (type_, _), message in first.items():
        examples.setdefault(type_, []).append(message)
    return examples
