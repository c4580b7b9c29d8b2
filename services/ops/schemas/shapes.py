"""The JSON Schema of a model (2020-12), as people write one: named scalars, no noise."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Literal

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from contracts import money, texts

Mode = Literal["validation", "serialization"]
Schema = dict[str, Any]

_NUMBER: Final = "A decimal string, never a JSON number; no exponent, no plus sign, no blanks."

SCALARS: Final[Mapping[str, tuple[Any, str]]] = {
    "Currency": (
        money.Currency,
        "An ISO 4217 code that money can be given in. Its decimals are the scale of its amounts:"
        " 2 for USD, 0 for JPY, 3 for KWD, 4 for CLF.",
    ),
    "Money": (
        money.Money,
        "An amount, always with all the decimals of the invoice's currency:"
        f" 214.25 USD, 1500 JPY, 3.889 KWD. {_NUMBER}",
    ),
    "GivenMoney": (
        money.GivenMoney,
        "An amount below 10^15, with at most the decimals of its currency:"
        f" 200, 200.0 or 200.00 USD. {_NUMBER}",
    ),
    "GivenSignedMoney": (
        money.GivenSignedMoney,
        "An amount between -10^15 and 10^15, with at most the decimals of its currency:"
        f" -5.5 USD. {_NUMBER}",
    ),
    "ExactNumber": (
        money.Quantity,
        f"A quantity, or the price of one, with up to 12 decimals; may be below 0. {_NUMBER}",
    ),
    "Rate": (money.Rate, f"A share of 1, with up to 12 decimals: 0.2 is 20 %. {_NUMBER}"),
    "Percentage": (money.Percentage, f"From 0 to 100, with up to 12 decimals. {_NUMBER}"),
    "Day": (
        texts.Day,
        f"YYYY-MM-DD (RFC 3339, full-date), from {texts.EARLIEST_DATE} to {texts.LATEST_DATE}.",
    ),
    "Instant": (
        texts.Instant,
        "A time with its offset (RFC 3339, date-time), finest microseconds; ours are in UTC.",
    ),
    "Days": (texts.Days, "A number of calendar days."),
    "Metadata": (texts.Metadata, "The sender's own texts by name; they come back as they were."),
}
"""What means the same wherever it stands: said once in each file, with its unit."""

_ANNOTATIONS: Final = frozenset({"title", "description", "default", "examples"})


class _WithoutTitles(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        """A field's name says as much."""
        return False


def shape_of(model: type[BaseModel], mode: Mode) -> Schema:
    """The schema of a model's JSON; its definitions stand in `$defs`."""
    schema = model.model_json_schema(mode=mode, schema_generator=_WithoutTitles)
    named: set[str] = set()
    shape: Schema = _named(schema, mode, named)
    for name in named:
        shape.setdefault("$defs", {})[name] = _scalar(name, mode) | {
            "description": SCALARS[name][1]
        }
    return shape


def closed(schema: Any) -> Any:
    """The same, but no object in it may have a field that is not named."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: closed(part) for name, part in schema.items()}
    return parts | {"additionalProperties": False} if parts.get("type") == "object" else parts


def _named(schema: Any, mode: Mode, named: set[str]) -> Any:
    """The same, with a reference for each scalar; `named` gets the names that were used."""
    if isinstance(schema, list):
        return [_named(part, mode, named) for part in schema]
    if not isinstance(schema, dict):
        return schema
    name = _name_of(schema, mode)
    if name is not None:
        named.add(name)
        notes = {key: part for key, part in schema.items() if key in _ANNOTATIONS}
        return {"$ref": f"#/$defs/{name}"} | _without_null(notes)
    return _without_null({key: _named(part, mode, named) for key, part in schema.items()})


def _without_null(schema: Schema) -> Schema:
    """That a field may be left out is told by `required`; null would mean something else."""
    if schema.get("default", ...) is None:
        return {key: part for key, part in schema.items() if key != "default"}
    return schema


def _name_of(schema: Schema, mode: Mode) -> str | None:
    rules = {key: part for key, part in schema.items() if key not in _ANNOTATIONS}
    return next((name for name in SCALARS if rules == _scalar(name, mode)), None)


@cache
def _scalar(name: str, mode: Mode) -> Schema:
    return TypeAdapter(SCALARS[name][0]).json_schema(mode=mode)
