"""What may be asked in an address: models that read it strictly and describe it for OpenAPI."""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeVar, get_origin

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from invoicing.api.http.problems import ProblemCode, ProblemError
from invoicing.contracts.replies import ERRORS_MAX, FIELD_CHARACTERS_MAX, FieldError
from invoicing.contracts.validation.error_messages import rejection_from_validation_error

_METADATA: Final = re.compile(r"metadata\[(.+)\]", re.DOTALL)


class Query(BaseModel):
    """What an address may ask; a list of values is asked by giving the name again."""

    model_config = ConfigDict(frozen=True)


QueryT = TypeVar("QueryT", bound=Query)


def read_query(model: type[QueryT]) -> Callable[[Request], Awaitable[QueryT]]:
    """A dependency that reads the request's query as this model, and refuses all that it lacks."""

    async def read(request: Request) -> QueryT:
        given, errors = _collected(model, request.query_params.multi_items())
        try:
            if not errors:
                return model.model_validate(given)
        except ValidationError as error:
            errors = list(rejection_from_validation_error(error).errors)
        raise ProblemError(
            ProblemCode.INVALID_QUERY, "The query cannot be taken; errors say why.", errors
        )

    return read


def parameters_of(model: type[Query]) -> list[dict[str, Any]]:
    """The model's fields as OpenAPI's parameters."""
    schema = model.model_json_schema()
    return [
        {
            "name": name,
            "in": "query",
            "description": field.pop("description", ""),
            "required": name in schema.get("required", ()),
            **({"style": "deepObject", "explode": True} if name == "metadata" else {}),
            "schema": _without_null(field),
        }
        for name, field in schema["properties"].items()
    ]


def _collected(
    model: type[Query], given: Iterable[tuple[str, str]]
) -> tuple[dict[str, Any], list[FieldError]]:
    """The values by name, and what was given that has no place."""
    names = {field.alias or name: field for name, field in model.model_fields.items()}
    values: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name, value in given:
        metadata = _METADATA.fullmatch(name) if "metadata" in names else None
        if metadata:
            values.setdefault("metadata", {})[metadata[1]] = value
        elif name not in names or name == "metadata":
            errors.append(_error(name, "is not a parameter of this call"))
        elif get_origin(names[name].annotation) is tuple:
            values.setdefault(name, []).append(value)
        elif name in values:
            errors.append(_error(name, "must be given once"))
        else:
            values[name] = value
    return values, errors[:ERRORS_MAX]


def _error(name: str, reason: str) -> FieldError:
    shown = "".join(c if c.isprintable() else "?" for c in name[:FIELD_CHARACTERS_MAX])
    return FieldError(field=shown, reason=reason)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is left out, never null."""
    schema.pop("title", None)
    if schema.get("default", ...) is None:
        del schema["default"]
    options = [option for option in schema.pop("anyOf", ()) if option.get("type") != "null"]
    return {**schema, **options[0]} if len(options) == 1 else schema
