"""Card data and secrets in a command: neither may be written to a log that is never changed.

A command that asks for something is rejected. One that reports what has happened is taken, with
the numbers masked, since money that arrived must be recorded.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from invoicing.contracts.model import ContractModel, ModelT
from invoicing.contracts.replies import FieldError
from invoicing.contracts.types.card_numbers import mask_card_numbers
from invoicing.contracts.types.texts import FreeText
from invoicing.contracts.validation.error_messages import printable_path
from invoicing.contracts.validation.scale import parts_of

_SECRETS: Final = frozenset(
    {"cvc", "cvv", "cvv2", "number", "pan", "clientsecret", "password", "token"}
)
"""Names in `details`, in lower case and without `_` and `-`."""

# In `details` and `metadata`, these names say that a text or a number is an identifier, which may
# pass for a card number by chance. What is in a group of such a name is looked at.
_IDENTIFIER: Final = re.compile(
    r"(?:.*[a-z0-9](?:Id|ID|Phone)|(?i:(?:.*[_-])?(?:id|iban|phone)))s?"  # order_id, customerIds
    r"|(?i:(?:.*[_-])?(?:account|phone)[_-]?number)"
    r"|customerPaymentReference",  # BPAY's, with Luhn's check digit of its own
)


def masked_or_errors(
    data: ModelT, *, masks: bool, may_hold_card_number: bool
) -> ModelT | tuple[FieldError, ...]:
    """Return the data without card numbers, or say where there are card numbers or secrets.

    Card numbers are masked if `masks` is true; otherwise they are errors. If the data's JSON has
    too few digits in a row, they need not be searched for.
    """
    errors: list[FieldError] = []
    # Not `getattr`: where there is no such field, pydantic takes longer than all of the rest.
    details = data.__dict__.get("details")
    if details:
        errors += _secrets(details, "details")
    if may_hold_card_number:
        paths: list[str] = []
        data = _masked_fields(data, "", paths)
        if not masks:
            errors += [_error(path, "must not hold a card number") for path in paths]
    return tuple(errors) or data


def _error(path: str, reason: str) -> FieldError:
    return FieldError(field=printable_path([path]), reason=reason)


def _masked_fields(data: ModelT, path: str, paths: list[str]) -> ModelT:
    """Mask the free texts of a model, and add the paths of those that held a card number."""
    names = _fields_with_texts(data.declared) & data.model_fields_set
    return data.copy_with(
        **{name: _masked(getattr(data, name), f"{path}{name}", paths) for name in sorted(names)}
    )


def _masked(value: Any, path: str, paths: list[str]) -> Any:
    if isinstance(value, ContractModel):
        return _masked_fields(value, f"{path}.", paths)
    if isinstance(value, tuple):
        return tuple(_masked(part, f"{path}.{index}", paths) for index, part in enumerate(value))
    if isinstance(value, dict):
        return {
            _masked(name, f"{path}.{name}", paths): part
            if _IDENTIFIER.fullmatch(name) and isinstance(part, str | int)
            else _masked(part, f"{path}.{name}", paths)
            for name, part in value.items()
        }
    # A whole number in `details` may be a card's.
    if isinstance(value, str | int):
        masked = mask_card_numbers(str(value))
        if masked != str(value):
            paths.append(path)
            return masked
    return value


def _secrets(details: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for name, value in details.items():
        if re.sub("[_-]", "", name).lower() in _SECRETS:
            yield _error(f"{path}.{name}", "must not be sent: its name is that of a secret")
        elif isinstance(value, dict):
            yield from _secrets(value, f"{path}.{name}")


@cache
def _fields_with_texts(model: type[ContractModel], /) -> frozenset[str]:
    return frozenset(
        name
        for name, field in model.model_fields.items()
        if any(map(_is_text, parts_of((field.annotation, *field.metadata))))
    )


def _is_text(annotation: object) -> bool:
    return isinstance(annotation, FreeText) or (
        isinstance(annotation, type)
        and issubclass(annotation, ContractModel)
        and bool(_fields_with_texts(annotation))
    )
