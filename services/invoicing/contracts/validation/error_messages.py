"""Validation errors in words that are safe to send back to the client.

Neither a path nor a reason repeats a value; a path is bounded, printable and free of card numbers,
whatever a field is called.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from invoicing.contracts.replies import (
    ERRORS_MAX,
    FIELD_CHARACTERS_MAX,
    FieldError,
    Rejection,
    RejectionCode,
)
from invoicing.contracts.types.card_numbers import mask_card_numbers
from invoicing.contracts.types.details import KINDS_OF_DETAIL
from invoicing.contracts.types.money import (
    MONEY_PATTERN,
    PERCENTAGE_PATTERN,
    QUANTITY_PATTERN,
    RATE_PATTERN,
    SIGNED_MONEY_PATTERN,
)
from invoicing.contracts.types.texts import (
    COUNTRY_PATTERN,
    DAY_PATTERN,
    EMAIL_PATTERN,
    EXPLAINED,
    INSTANT_PATTERN,
    LOCALE_PATTERN,
    TEXT_PATTERN,
    WEB_ADDRESS_PATTERN,
)

# Pydantic's error types for a value over a limit; of the numbers, only money has an `lt`.
_LIMITS: Final = {"string_too_long", "too_long", "less_than"}

_AS_THE_SCHEMA_SAYS: Final = "must be written as the schema says"
_A_DAY: Final = "must be a day of the calendar, as YYYY-MM-DD"
_A_TIME: Final = "must be a time with its offset, such as 2026-11-20T10:00:00Z"
_AN_OBJECT: Final = "must be an object"
_A_WHOLE_NUMBER: Final = "must be a whole number"

_REASONS: Final[Mapping[str, str]] = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this command",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "string_type": "must be a string",
    "string_unicode": "must be text without lone surrogates",
    "too_long": "must have at most {max_length} entries",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "bool_type": "must be true or false",
    "int_type": _A_WHOLE_NUMBER,
    "int_from_float": _A_WHOLE_NUMBER,
    "tuple_type": "must be an array",
    "dict_type": _AN_OBJECT,
    "model_type": _AN_OBJECT,
    "model_attributes_type": _AN_OBJECT,
    "literal_error": "must be {expected}",
    "date_parsing": _A_DAY,
    "date_from_datetime_parsing": _A_DAY,
    "datetime_parsing": _A_TIME,
    "datetime_from_date_parsing": _A_TIME,
}

_PATTERNS: Final[Mapping[str, str]] = {
    MONEY_PATTERN: "must be a plain decimal such as 100.00, with at most 4 decimals",
    SIGNED_MONEY_PATTERN: "must be a plain decimal such as -100.00, with at most 4 decimals",
    QUANTITY_PATTERN: "must be a plain decimal such as 1.5, with at most 15 digits and 12 decimals",
    RATE_PATTERN: "must be a plain decimal below 10 such as 0.2, with at most 12 decimals",
    PERCENTAGE_PATTERN: "must be a plain decimal from 0 to 100, with at most 12 decimals",
    TEXT_PATTERN: "must not hold NUL",
    EMAIL_PATTERN: "must be an e-mail address",
    LOCALE_PATTERN: "must be a language tag such as en-US",
    WEB_ADDRESS_PATTERN: "must be an address that begins with http:// or https://",
    COUNTRY_PATTERN: "must be two letters of ISO 3166-1, such as AT",
    DAY_PATTERN: _A_DAY,
    INSTANT_PATTERN: _A_TIME,
}

# Longer lists of values are not worth reading in a reason.
_VALUES_CHARACTERS_MAX: Final = 2_000


def invalid(errors: Sequence[FieldError]) -> Rejection:
    """Reject data that does not follow its schema."""
    return Rejection(
        RejectionCode.INVALID_COMMAND,
        "The command's data is not valid; errors say where.",
        tuple(errors[:ERRORS_MAX]),
    )


def rejection_from_validation_error(
    error: ValidationError, others: Sequence[FieldError] = ()
) -> Rejection:
    """Translate pydantic's errors, and add those that other checks found in other fields.

    The code is `limit_exceeded` if every error is about a limit, else `invalid_command`.
    """
    details = error.errors(include_url=False, include_input=False)
    errors = [
        FieldError(field=printable_path(detail["loc"]), reason=_reason(detail))
        for detail in details[:ERRORS_MAX]
    ]
    fields = {error.field for error in errors}
    errors += [other for other in others if other.field not in fields]
    # The lower limit of money is a `gt` below 0; `gt=0` is a rule and not a limit.
    only_limits = all(
        detail["type"] in _LIMITS or detail.get("ctx", {}).get("gt", 0) != 0 for detail in details
    )
    if others or not only_limits:
        return invalid(errors)
    return Rejection(
        RejectionCode.LIMIT_EXCEEDED,
        "The command's data is over a limit; errors say which.",
        tuple(errors),
    )


def printable_path(location: Iterable[int | str]) -> str:
    """Join the parts of a field's path by dots, whatever names it has.

    The path is bounded and printable, and card numbers in it are masked.
    """
    parts = (str(part) for part in location if part not in KINDS_OF_DETAIL)
    path = mask_card_numbers(".".join(parts))[:FIELD_CHARACTERS_MAX]
    return "".join(character if character.isprintable() else "?" for character in path)


def _reason(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == EXPLAINED:
        return detail["msg"]
    if detail["type"] == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], _AS_THE_SCHEMA_SAYS)
    if len(str(context.get("expected", ""))) > _VALUES_CHARACTERS_MAX:
        return "must be one of the values that the schema lists"
    return _REASONS.get(detail["type"], _AS_THE_SCHEMA_SAYS).format_map(context)
