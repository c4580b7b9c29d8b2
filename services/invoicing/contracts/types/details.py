"""The details of a payment source: names and values whose meaning its provider defines."""

from typing import Annotated, Any, Final

from pydantic import Discriminator, Field, Strict, Tag
from typing_extensions import TypeAliasType

from invoicing.contracts.types.texts import TEXT_PATTERN, Flag, FreeText, Text

DETAILS_MAX: Final = 50
NAME_CHARACTERS_MAX: Final = 100
INTEGER_MAX: Final = 2**53
"""The largest whole number that every JSON reader takes (I-JSON, RFC 7493)."""

# With NUL, which no name may hold, so that a path can leave them out.
_TEXT, _NUMBER, _FLAG, _GROUP, _NOTHING = "\0text", "\0number", "\0flag", "\0group", "\0nothing"
KINDS_OF_DETAIL: Final = frozenset({_TEXT, _NUMBER, _FLAG, _GROUP, _NOTHING})
"""Tags in an error's location that are left out of the path that a client reads."""


def _kind(value: Any) -> str:
    kinds = {bool: _FLAG, int: _NUMBER, dict: _GROUP, type(None): _NOTHING}
    return kinds.get(type(value), _TEXT)


_Name = Annotated[str, Field(pattern=TEXT_PATTERN, min_length=1, max_length=NAME_CHARACTERS_MAX)]
_Number = Annotated[int, Strict(), Field(ge=-INTEGER_MAX, le=INTEGER_MAX)]
_Value = TypeAliasType(
    "_Value",
    "Annotated["
    "Annotated[Text, Tag(_TEXT)]"
    " | Annotated[_Number, Tag(_NUMBER)]"
    " | Annotated[Flag, Tag(_FLAG)]"
    " | Annotated[Details, Tag(_GROUP)]"
    " | Annotated[None, Tag(_NOTHING)],"
    " Discriminator(_kind)]",
)
Details = Annotated[dict[_Name, _Value], Field(max_length=DETAILS_MAX), FreeText()]
"""Texts, whole numbers, flags, and groups of them, by name."""
