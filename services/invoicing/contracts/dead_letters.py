"""The headers of a dead letter: why a record was dead-lettered, and where it came from.

A dead letter keeps the record's key, value and headers, and gains headers named `dl_`. A redrive
renames those of the first failure to `dl_first_` and drops the others, so that a record that fails
again shows its first failure and its latest one.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from invoicing.contracts.types.texts import rfc3339

Header = tuple[str, bytes | None]
Headers = Iterable[Header]

_PREFIX: Final = "dl_"
_FIRST_PREFIX: Final = "dl_first_"
_REDRIVEN_FROM: Final = "dl_redriven_from"
_NUMBER: Final = re.compile(r"[0-9]{1,19}", re.ASCII)


class DeadLetterReason(StrEnum):
    """Why a record was dead-lettered: the header `dl_reason`."""

    TOMBSTONE = "tombstone"
    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    NOT_AN_ENVELOPE = "not_an_envelope"
    PROCESSING_FAILED = "processing_failed"


DEAD_LETTER_HEADERS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "dl_reason": {
            "type": "string",
            "examples": [reason.value for reason in DeadLetterReason],
            "description": "The reason, for programs. New values may come.",
        },
        "dl_message": {
            "type": "string",
            "description": "The reason, for people. Never quotes the record.",
        },
        "dl_topic": {"type": "string", "description": "The topic that the record was read from."},
        "dl_partition": {
            "type": "string",
            "pattern": "^[0-9]+$",
            "description": "The partition in that topic.",
        },
        "dl_offset": {
            "type": "string",
            "pattern": "^[0-9]+$",
            "description": "The offset in that partition.",
        },
        "dl_failed_at": {
            "type": "string",
            "format": "date-time",
            "description": "When the record was dead-lettered, in UTC.",
        },
    }
)
"""The headers that every dead letter has, with their JSON Schemas."""


@dataclass(frozen=True, slots=True)
class DeadLetterHeaders:
    """The headers of a dead letter as read. Unreadable ones are empty or None."""

    reason: str
    message: str
    topic: str
    partition: int | None
    offset: int | None
    failed_at: datetime | None

    @property
    def origin(self) -> str:
        """The record's position when it was dead-lettered: `invoices.commands-3@812`."""
        if self.partition is None or self.offset is None:
            return ""
        return f"{self.topic}-{self.partition}@{self.offset}"


def dead_letter_headers(
    *,
    reason: DeadLetterReason,
    message: str,
    topic: str,
    partition: int,
    offset: int,
    failed_at: datetime,
) -> list[Header]:
    """Build the headers that a dead letter has beside the record's own."""
    headers = {
        "dl_reason": reason,
        "dl_message": message,
        "dl_topic": topic,
        "dl_partition": str(partition),
        "dl_offset": str(offset),
        "dl_failed_at": rfc3339(failed_at),
    }
    assert headers.keys() == DEAD_LETTER_HEADERS.keys()
    return [(name, text.encode()) for name, text in headers.items()]


def parse_dead_letter_headers(headers: Headers) -> DeadLetterHeaders:
    """Read a dead letter's headers. Never raises.

    The last header of a name counts: a producer's own header of that name comes before it.
    """
    texts = {
        name: value.decode(errors="replace")
        for name, value in headers
        if value is not None and name in DEAD_LETTER_HEADERS
    }
    return DeadLetterHeaders(
        reason=texts.get("dl_reason", ""),
        message=texts.get("dl_message", ""),
        topic=texts.get("dl_topic", ""),
        partition=_number(texts.get("dl_partition", "")),
        offset=_number(texts.get("dl_offset", "")),
        failed_at=_time(texts.get("dl_failed_at", "")),
    )


def redrive_headers(headers: Iterable[Header], letter_id: str) -> list[Header]:
    """Build the headers that a record returns with to the commands topic.

    They are the record's own headers, those of its first failure, and `dl_redriven_from`:
    `letter_id` is the dead letter's PARTITION@OFFSET.
    """
    headers = list(headers)
    own = [header for header in headers if not header[0].startswith(_PREFIX)]
    first = [header for header in headers if header[0].startswith(_FIRST_PREFIX)] or [
        (_FIRST_PREFIX + name.removeprefix(_PREFIX), value)
        for name, value in headers
        if name.startswith(_PREFIX)
    ]
    return [*own, *first, (_REDRIVEN_FROM, letter_id.encode())]


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
