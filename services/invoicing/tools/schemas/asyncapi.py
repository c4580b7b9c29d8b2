"""The topics as AsyncAPI 3.1: their messages, keys, readers and writers.

https://www.asyncapi.com/docs/reference/specification/v3.1.0 and its Kafka bindings, 0.5.0.
"""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from invoicing.contracts.dead_letters import (
    DEAD_LETTER_HEADERS,
    DeadLetterReason,
    dead_letter_headers,
)
from invoicing.contracts.envelope import CONTENT_TYPE
from invoicing.runtime.settings import Settings
from invoicing.tools.schemas.messages import Kind, Message
from invoicing.tools.schemas.story import BEGIN

_BINDING_VERSION: Final = "0.5.0"
_MEDIA_TYPE: Final = CONTENT_TYPE.decode().partition(";")[0]
_DEAD_LETTER: Final = "deadLetter"

_INFO: Final = (
    "Commands come in on one topic; events, and a reply to every command, go out on two others."
    " The topics have their default names here. The record's key is the invoice's id everywhere;"
    " commands and events have the same number of partitions, and an invoice's events go to the"
    " partition that its commands belong to. Read with isolation.level=read_committed, each event"
    " appears once, in the order of `version`. Values are CloudEvents 1.0 in structured JSON mode;"
    " commands are accepted in binary mode (`ce_` headers) too."
)


def asyncapi(messages: Sequence[Message]) -> dict[str, Any]:
    """The whole document; payloads are the schema files beside it."""
    return {
        "asyncapi": "3.1.0",
        "id": "urn:invoicing",
        "info": {"title": "Invoicing", "version": version("invoicing"), "description": _INFO},
        "defaultContentType": _MEDIA_TYPE,
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "The brokers of your installation.",
                "variables": {
                    "bootstrap": {
                        "default": Settings.model_fields["kafka_bootstrap_servers"].default,
                        "description": "Host and port of a broker.",
                    }
                },
            }
        },
        "channels": {
            "commands": _channel(
                "topic_commands", "Commands, from any producer.", _of(messages, "command")
            ),
            "events": _channel(
                "topic_events", "The events of each invoice.", _of(messages, "event")
            ),
            "replies": _channel(
                "topic_replies", "One reply to every command.", _of(messages, "answer")
            ),
            "deadLetters": _channel(
                "topic_dead_letter",
                "Records of the commands topic that cannot be processed, byte for byte.",
                [_DEAD_LETTER],
            ),
        },
        "operations": {
            "receiveCommands": {
                **_operation("receive", "commands", "Applies commands, each once."),
                "reply": {"channel": {"$ref": "#/channels/replies"}},
            },
            "sendEvents": _operation("send", "events", "Publishes events of accepted commands."),
            "sendReplies": _operation("send", "replies", "Accepts or rejects each command."),
            "sendDeadLetters": _operation("send", "deadLetters", "Keeps records without a reply."),
        },
        "components": {
            "messages": {
                message.type: {
                    "name": message.type,
                    "title": message.type,
                    "summary": message.schema["description"],
                    "contentType": _MEDIA_TYPE,
                    "correlationId": {"location": "$message.payload#/correlationid"},
                    "payload": {"$ref": f"./{message.path}"},
                    "bindings": _kafka(
                        key={"type": "string", "description": "The invoice's id: `subject`."}
                    ),
                    "examples": [{"payload": example} for example in message.examples],
                }
                for message in messages
            }
            | {_DEAD_LETTER: _dead_letter()}
        },
    }


def _of(messages: Iterable[Message], kind: Kind) -> list[str]:
    return [message.type for message in messages if message.kind == kind]


def _channel(setting: str, description: str, names: Iterable[str]) -> dict[str, Any]:
    topic = Settings.model_fields[setting].default
    return {
        "address": topic,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": _kafka(
            topic=topic, partitions=Settings.model_fields["topic_partitions"].default
        ),
    }


def _operation(action: str, channel: str, summary: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
    }


def _dead_letter() -> dict[str, Any]:
    example = dead_letter_headers(
        reason=DeadLetterReason.NOT_JSON,
        message="The record is not JSON: Expecting value (character 0).",
        topic=Settings.model_fields["topic_commands"].default,
        partition=3,
        offset=1042,
        failed_at=BEGIN,
    )
    return {
        "name": _DEAD_LETTER,
        "title": "A dead letter",
        "summary": "The record's key, value and headers as they came, and headers with the reason.",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "properties": {name: dict(schema) for name, schema in DEAD_LETTER_HEADERS.items()},
            "required": list(DEAD_LETTER_HEADERS),
        },
        "payload": {"description": "Any bytes, or none at all (a tombstone)."},
        "bindings": _kafka(key={"description": "As it came, or none."}),
        "examples": [
            {
                "headers": {name: (value or b"").decode() for name, value in example},
                "payload": "not a command",
            }
        ],
    }


def _kafka(**binding: Any) -> Mapping[str, Any]:
    return {"kafka": {**binding, "bindingVersion": _BINDING_VERSION}}
