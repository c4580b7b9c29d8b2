"""How many decimals an amount has: given, at most as many as its currency; ours, just as many."""

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from operator import is_
from typing import Any, cast, get_args

from invoicing.contracts.model import ContractModel, ModelT
from invoicing.contracts.replies import FieldError
from invoicing.contracts.types.money import EXPONENTS, UNITS, GivenDigits


def excess_decimals(data: ContractModel, currency: str) -> Iterator[FieldError]:
    """Every amount in `data` that is finer than the currency allows, with its path."""
    yield from _excess(data, EXPONENTS[currency], "")


def at_scale(data: ModelT, currency: str) -> ModelT:
    """The same, with every amount at its currency's scale: 5 USD become 5.00."""
    return _scaled(data, UNITS[currency])


def _scaled(data: ModelT, unit: Decimal) -> ModelT:
    changes = {}
    for name, is_money, part in _given_parts(data):
        scaled = part.quantize(unit) + 0 if is_money else _scaled_within(part, unit)
        if scaled is not part:
            changes[name] = scaled
    return data.copy_with(**changes) if changes else data


def _scaled_within(part: Any, unit: Decimal) -> Any:
    if not isinstance(part, tuple):
        return _scaled(part, unit)
    scaled = tuple([_scaled(entry, unit) for entry in part])
    return part if all(map(is_, scaled, part)) else scaled


def _excess(data: ContractModel, decimals: int, path: str) -> Iterator[FieldError]:
    for name, is_money, part in _given_parts(data):
        if not is_money:
            yield from _excess_within(part, decimals, f"{path}{name}.")
        elif _decimals(part) > decimals:
            yield FieldError(field=f"{path}{name}", reason=f"must have at most {decimals} decimals")


def _excess_within(part: Any, decimals: int, path: str) -> Iterator[FieldError]:
    if isinstance(part, tuple):
        for place, entry in enumerate(part):
            yield from _excess(entry, decimals, f"{path}{place}.")
    else:
        yield from _excess(part, decimals, path)


def _given_parts(data: ContractModel) -> list[tuple[str, bool, Any]]:
    """The fields to look at that somebody gave: by default no field holds any money."""
    given, fields = data.model_fields_set, data.__dict__
    return [
        (name, is_money, fields[name])
        for name, is_money in _fields_to_look_at(data.__class__)
        if name in given and fields[name] is not None
    ]


def _decimals(amount: Decimal) -> int:
    # Infinity and NaN, whose exponents are letters, were refused when the digits were read.
    return -cast("int", amount.as_tuple().exponent)


@cache
def _fields_to_look_at(shape: type[ContractModel], /) -> tuple[tuple[str, bool], ...]:
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
    return isinstance(part, type) and issubclass(part, ContractModel)
