"""How many decimals an amount has: given, at most as many as its currency; ours, just as many."""

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from operator import is_
from typing import Any, TypeVar, cast, get_args

from contracts.invoice import Shape
from contracts.money import EXPONENTS, UNITS, GivenDigits
from contracts.replies import FieldError

ShapeT = TypeVar("ShapeT", bound=Shape)


def excess_decimals(data: Shape, currency: str) -> Iterator[FieldError]:
    """Every amount in `data` that is finer than the currency allows, with its path."""
    yield from _excess(data, EXPONENTS[currency], "")


def at_scale(data: ShapeT, currency: str) -> ShapeT:
    """The same, with every amount at its currency's scale: 5 USD become 5.00."""
    return cast("ShapeT", _scaled(data, UNITS[currency]))


def _scaled(value: Any, unit: Decimal) -> Any:
    if isinstance(value, Decimal):
        return value.quantize(unit) + 0
    if isinstance(value, tuple):
        scaled = tuple(_scaled(entry, unit) for entry in value)
        return value if all(map(is_, scaled, value)) else scaled
    changes = {}
    for name, _ in _fields_to_look_at(value.__class__):
        part = getattr(value, name)
        if part not in (None, ()) and (scaled := _scaled(part, unit)) is not part:
            changes[name] = scaled
    return value.changed(**changes) if changes else value


def _excess(data: Shape, decimals: int, path: str) -> Iterator[FieldError]:
    given = data.model_fields_set
    for name, is_money in _fields_to_look_at(data.__class__):
        value = getattr(data, name) if name in given else None
        if value is None:
            continue
        if not is_money:
            yield from _excess_within(value, decimals, f"{path}{name}.")
        elif _decimals(value) > decimals:
            yield FieldError(field=f"{path}{name}", reason=f"must have at most {decimals} decimals")


def _excess_within(value: Any, decimals: int, path: str) -> Iterator[FieldError]:
    if isinstance(value, tuple):
        for place, entry in enumerate(value):
            yield from _excess(entry, decimals, f"{path}{place}.")
    else:
        yield from _excess(value, decimals, path)


def _decimals(amount: Decimal) -> int:
    # Infinity and NaN, whose exponents are letters, were refused when the digits were read.
    return -cast("int", amount.as_tuple().exponent)


@cache
def _fields_to_look_at(shape: type[Shape], /) -> tuple[tuple[str, bool], ...]:
    """The shape's fields that are money (True) or may hold some further down (False)."""
    found = []
    for name, field in shape.model_fields.items():
        parts = tuple(_parts((field.annotation, *field.metadata)))
        if any(isinstance(part, GivenDigits) for part in parts):
            found.append((name, True))
        elif any(_is_shape(part) and _fields_to_look_at(part) for part in parts):
            found.append((name, False))
    return tuple(found)


def _parts(annotations: tuple[Any, ...]) -> Iterator[Any]:
    for annotation in annotations:
        yield annotation
        yield from _parts(get_args(annotation))


def _is_shape(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, Shape)
