"""The scale of amounts: a currency's number of decimals (ISO 4217).

An amount is given with at most as many decimals as its currency has, and kept with exactly as
many: 5 USD become 5.00.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from operator import is_
from typing import Any, Final, NamedTuple, cast, get_args

from invoicing.contracts.model import ContractModel, ModelT
from invoicing.contracts.replies import FieldError
from invoicing.contracts.types.money import EXPONENTS, SIGNED_MONEY_PATTERN, UNITS, GivenDigits

_AMOUNT: Final = re.compile(SIGNED_MONEY_PATTERN, re.ASCII)


class _Field(NamedTuple):
    """A field that is an amount, or (`model`) holds some further down."""

    name: str
    model: type[ContractModel] | None


def scaled_or_errors(data: ModelT, currency: str) -> ModelT | tuple[FieldError, ...]:
    """Set every amount in `data` to its currency's scale, or say which have too many decimals."""
    errors: list[FieldError] = []
    scaled = _scaled(data, UNITS[currency], EXPONENTS[currency], "", errors)
    return tuple(errors) if errors else scaled


def _scaled(
    data: ModelT, unit: Decimal, decimals: int, path: str, errors: list[FieldError]
) -> ModelT:
    changes: dict[str, Any] = {}
    values = data.__dict__
    for name, model in _fields_with_amounts(data.declared):
        # A field that was not given is missing or has its default, which holds no amount.
        value = values.get(name)
        if value is None:
            continue
        if model is None:
            if value.same_quantum(unit) and value:
                continue
            # The exponents of infinity and NaN are letters; reading the digits has refused both.
            if -cast("int", value.as_tuple().exponent) > decimals:
                errors.append(_too_fine(f"{path}{name}", decimals))
                continue
            scaled: Any = value.quantize(unit) + 0  # -0.00 becomes 0.00
        elif isinstance(value, tuple):
            scaled = tuple(
                [
                    _scaled(entry, unit, decimals, f"{path}{name}.{index}.", errors)
                    for index, entry in enumerate(value)
                ]
            )
            if all(map(is_, scaled, value)):
                continue
        else:
            scaled = _scaled(value, unit, decimals, f"{path}{name}.", errors)
        if scaled is not value:
            changes[name] = scaled
    # Most amounts are given at their scale, and copies are what this would cost most.
    return data.copy_with(**changes) if changes else data


def excess_decimals(
    model: type[ContractModel], data: Mapping[str, object], currency: str, path: str = ""
) -> Iterator[FieldError]:
    """Find amounts with too many decimals in JSON that is not valid otherwise."""
    for name, part in _fields_with_amounts(model):
        value = data.get(name)
        if part is None:
            if isinstance(value, str) and _AMOUNT.fullmatch(value):
                decimals = len(value.partition(".")[2])
                if decimals > EXPONENTS[currency]:
                    yield _too_fine(f"{path}{name}", EXPONENTS[currency])
        elif isinstance(value, dict):
            yield from excess_decimals(part, value, currency, f"{path}{name}.")
        elif isinstance(value, list):
            for index, entry in enumerate(value):
                if isinstance(entry, dict):
                    yield from excess_decimals(part, entry, currency, f"{path}{name}.{index}.")


def _too_fine(path: str, decimals: int) -> FieldError:
    return FieldError(field=path, reason=f"must have at most {decimals} decimals")


@cache
def _fields_with_amounts(model: type[ContractModel], /) -> tuple[_Field, ...]:
    found = []
    for name, field in model.model_fields.items():
        parts = tuple(parts_of((field.annotation, *field.metadata)))
        models = [
            part
            for part in parts
            if isinstance(part, type)
            and issubclass(part, ContractModel)
            and _fields_with_amounts(part)
        ]
        assert len(models) <= 1, f"{model.__name__}.{name} holds amounts of several models"
        if any(isinstance(part, GivenDigits) for part in parts):
            found.append(_Field(name, None))
        elif models:
            found.append(_Field(name, models[0]))
    return tuple(found)


def amount_names(model: type[ContractModel]) -> set[str]:
    """The names of all amounts in a model and its parts."""
    return {
        name
        for field in _fields_with_amounts(model)
        for name in (amount_names(field.model) if field.model else [field.name])
    }


def parts_of(annotations: tuple[Any, ...]) -> Iterator[Any]:
    """All that annotations are made of: a tuple's type, the types of a union, their metadata."""
    for annotation in annotations:
        yield annotation
        yield from parts_of(get_args(annotation))
