"""Texts, dates and flags on the wire, with their limits.

NUL is rejected everywhere, because Postgres cannot store it. Pydantic itself rejects lone
surrogates.
"""

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, Strict, StringConstraints, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

TEXT_CHARACTERS_MAX: Final = 500
LONG_TEXT_CHARACTERS_MAX: Final = 5_000
METADATA_KEYS_MAX: Final = 50
METADATA_KEY_CHARACTERS_MAX: Final = 40
METADATA_VALUE_CHARACTERS_MAX: Final = 500
EARLIEST_DATE: Final = date(1900, 1, 1)
LATEST_DATE: Final = date(2999, 12, 31)
TERMS_DAYS_MAX: Final = 3_650

EXPLAINED: Final = "explained"
"""The type of a custom error whose message is the reason for the client, without the value."""

INVOICE_ID_PATTERN: Final = "^[A-Za-z0-9_-]{1,64}$"
INVOICE_ID_REASON: Final = "must be 1 to 64 characters of A-Z a-z 0-9 _ -"
TEXT_PATTERN: Final = r"^[^\u0000]*$"
EMAIL_PATTERN: Final = r"^[^@\s\u0000]+@[^@\s\u0000]+$"
WEB_ADDRESS_PATTERN: Final = r"^https?://[^\s\u0000]+$"
LOCALE_PATTERN: Final = r"^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$"
COUNTRY_PATTERN: Final = r"^[A-Z]{2}$"
DAY_PATTERN: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
INSTANT_PATTERN: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]"
    r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)


class FreeText:
    """Marks what people write, and what may therefore hold a card number (`card_data.py`)."""


Text = Annotated[
    str,
    StringConstraints(pattern=TEXT_PATTERN, max_length=TEXT_CHARACTERS_MAX),
    FreeText(),
]
LongText = Annotated[
    str,
    StringConstraints(pattern=TEXT_PATTERN, max_length=LONG_TEXT_CHARACTERS_MAX),
    FreeText(),
]
Phone = Annotated[str, StringConstraints(pattern=TEXT_PATTERN, max_length=TEXT_CHARACTERS_MAX)]
Identifier = Annotated[
    str, StringConstraints(pattern=TEXT_PATTERN, min_length=1, max_length=TEXT_CHARACTERS_MAX)
]
"""An id chosen by a client or provider: never empty."""

Email = Annotated[str, StringConstraints(pattern=EMAIL_PATTERN, max_length=320)]
WebAddress = Annotated[str, StringConstraints(pattern=WEB_ADDRESS_PATTERN, max_length=2_000)]
"""An address that a person can be sent to: http and https alone, since a page may link it."""

Locale = Annotated[str, StringConstraints(pattern=LOCALE_PATTERN, max_length=35)]
"""A language tag (BCP 47), such as de-AT; de_AT is accepted too."""

Country = Annotated[str, StringConstraints(pattern=COUNTRY_PATTERN)]
"""An ISO 3166-1 code of two letters."""

Flag = Annotated[bool, Strict()]
Days = Annotated[int, Strict(), Field(ge=0, le=TERMS_DAYS_MAX)]

_MetadataKey = Annotated[
    str,
    StringConstraints(pattern=TEXT_PATTERN, min_length=1, max_length=METADATA_KEY_CHARACTERS_MAX),
]
_MetadataValue = Annotated[
    str, StringConstraints(pattern=TEXT_PATTERN, max_length=METADATA_VALUE_CHARACTERS_MAX)
]
Metadata = Annotated[
    dict[_MetadataKey, _MetadataValue], Field(max_length=METADATA_KEYS_MAX), FreeText()
]
MetadataChanges = Annotated[
    dict[_MetadataKey, _MetadataValue | None], Field(max_length=2 * METADATA_KEYS_MAX), FreeText()
]
"""Keys to set, and keys to remove (null): as many of each as there can be."""


class _CalendarDay:
    """Accepts YYYY-MM-DD and no other form (RFC 3339, full-date)."""

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> CoreSchema:
        written = core_schema.str_schema(pattern=DAY_PATTERN)
        day = core_schema.date_schema(ge=EARLIEST_DATE, le=LATEST_DATE)
        return core_schema.chain_schema([written, day])


class _Instant:
    """Accepts a time with its offset (RFC 3339, date-time), truncated to microseconds."""

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> CoreSchema:
        written = core_schema.str_schema(pattern=INSTANT_PATTERN)
        time = core_schema.datetime_schema(
            tz_constraint="aware",
            ge=datetime.combine(EARLIEST_DATE, datetime.min.time(), UTC),
            le=datetime.combine(LATEST_DATE, datetime.min.time(), UTC),
        )
        return core_schema.chain_schema([written, time])


def _in_utc(time: datetime) -> datetime:
    return time.astimezone(UTC)


_DAY_SCHEMA: dict[str, Any] = {"type": "string", "format": "date"}
_INSTANT_SCHEMA: dict[str, Any] = {"type": "string", "format": "date-time"}

Day = Annotated[date, _CalendarDay(), WithJsonSchema(_DAY_SCHEMA)]
"""A day without a time, from 1900 to 2999."""

Instant = Annotated[datetime, _Instant(), AfterValidator(_in_utc), WithJsonSchema(_INSTANT_SCHEMA)]
"""A moment, kept in UTC."""


@lru_cache(maxsize=64)  # a batch records everything at one time
def rfc3339(time: datetime) -> str:
    """Format a time as everything that is published has it: in UTC, to the microsecond."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
