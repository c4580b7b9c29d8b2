"""The JSON Schema of a model (2020-12) as written by hand: named scalars, no titles."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, TypeAdapter

from invoicing.api.docs.openapi import WithoutTitles
from invoicing.contracts.types import money, texts

Mode = Literal["validation", "serialization"]
Schema = dict[str, Any]

_NUMBER: Final = "A decimal string, never a JSON number; no exponent, no plus sign, no blanks."


class Scalar(NamedTuple):
    """The meaning of a plain value; `rules` add to the schema that pydantic makes."""

    type: Any
    description: str
    rules: Mapping[str, str] = MappingProxyType({})


SCALARS: Final[Mapping[str, Scalar]] = {
    "Currency": Scalar(
        money.Currency,
        "An ISO 4217 code that money can be given in. Its decimals are the scale of its amounts:"
        " 2 for USD, 0 for JPY, 3 for KWD, 4 for CLF.",
    ),
    "Money": Scalar(
        money.Money,
        "An amount, always with all the decimals of the invoice's currency:"
        f" 214.25 USD, 1500 JPY, 3.889 KWD. {_NUMBER}",
    ),
    "GivenMoney": Scalar(
        money.GivenMoney,
        "An amount below 10^15, with at most the decimals of its currency:"
        f" 200, 200.0 or 200.00 USD. {_NUMBER}",
        {"pattern": r"^0*[0-9]{1,15}(\.[0-9]{1,4})?$"},
    ),
    "GivenSignedMoney": Scalar(
        money.GivenSignedMoney,
        "An amount between -10^15 and 10^15, with at most the decimals of its currency:"
        f" -5.5 USD. {_NUMBER}",
        {"pattern": r"^-?0*[0-9]{1,15}(\.[0-9]{1,4})?$"},
    ),
    "ExactNumber": Scalar(
        money.Quantity,
        f"A quantity, or the price of one, with up to 12 decimals; may be below 0. {_NUMBER}",
    ),
    "Rate": Scalar(money.Rate, f"A share of 1, with up to 12 decimals: 0.2 is 20 %. {_NUMBER}"),
    "Percentage": Scalar(money.Percentage, f"From 0 to 100, with up to 12 decimals. {_NUMBER}"),
    "Day": Scalar(
        texts.Day,
        f"YYYY-MM-DD (RFC 3339, full-date), from {texts.EARLIEST_DATE} to {texts.LATEST_DATE}.",
        {"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    ),
    "Instant": Scalar(
        texts.Instant,
        "A time with its offset (RFC 3339, date-time), kept to the microsecond; ours are in UTC.",
        {
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}"
            r"(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
        },
    ),
    "Days": Scalar(texts.Days, "A number of calendar days."),
    "Metadata": Scalar(
        texts.Metadata, "The sender's own texts by name; they come back as they were."
    ),
}
"""Types that mean the same everywhere: one definition in each file, with the unit."""

_ANNOTATIONS: Final = frozenset({"title", "description", "default", "examples"})


def shape_of(model: type[BaseModel], mode: Mode) -> Schema:
    """The schema of a model's JSON, with its definitions in `$defs`."""
    schema = model.model_json_schema(mode=mode, schema_generator=WithoutTitles)
    named: set[str] = set()
    shape: Schema = _named(schema, mode, named)
    definitions = shape.setdefault("$defs", {})
    for name in named:
        scalar = SCALARS[name]
        definitions[name] = {
            **_own_schema(name, mode),
            **scalar.rules,
            "description": scalar.description,
        }
    return shape


def closed(schema: Any) -> Any:
    """Close every object in the schema to unknown fields."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: closed(part) for name, part in schema.items()}
    return parts | {"additionalProperties": False} if parts.get("type") == "object" else parts


def with_open_enums(schema: Any) -> Any:
    """Turn each list of values into examples: what is published may have new values later.

    `examples`, and not a keyword of our own, because strict validators refuse unknown keywords.
    """
    if isinstance(schema, list):
        return [with_open_enums(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: with_open_enums(part) for name, part in schema.items()}
    if "enum" not in parts:
        return parts
    note = f"{parts.get('description', '')} New values may come.".strip()
    return parts | {"examples": parts.pop("enum"), "description": note}


def _named(schema: Any, mode: Mode, named: set[str]) -> Any:
    """Replace each scalar by a reference, and add the names used to `named`."""
    if isinstance(schema, list):
        return [_named(part, mode, named) for part in schema]
    if not isinstance(schema, dict):
        return schema
    rules = {key: part for key, part in schema.items() if key not in _ANNOTATIONS}
    name = next((name for name in SCALARS if rules == _own_schema(name, mode)), None)
    if name is not None:
        named.add(name)
        notes = {key: part for key, part in schema.items() if key in _ANNOTATIONS}
        return {"$ref": f"#/$defs/{name}"} | _without_null(notes)
    return _without_null({key: _named(part, mode, named) for key, part in schema.items()})


def _without_null(schema: Schema) -> Schema:
    """Drop a default of null: `required` says which fields may be left out."""
    if schema.get("default", ...) is None:
        return {key: part for key, part in schema.items() if key != "default"}
    return schema


@cache
def _own_schema(name: str, mode: Mode) -> Schema:
    return TypeAdapter(SCALARS[name].type).json_schema(mode=mode)
