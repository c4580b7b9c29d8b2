"""Query parameters as models, read strictly.

Ours, and not FastAPI's query models: those accept a repeated parameter silently, and know neither
`metadata[key]` nor `created_at[gte]`.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, Final, Self, get_origin
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from invoicing.api.http.problems import ProblemCode, ProblemError
from invoicing.contracts.replies import ERRORS_MAX, FIELD_CHARACTERS_MAX, FieldError
from invoicing.contracts.validation.error_messages import rejection_from_validation_error

_METADATA: Final = re.compile(r"metadata\[(.+)\]", re.DOTALL)


class Query(BaseModel):
    """The query parameters of a call. A parameter that takes several values is repeated.

    A route declares `query: Annotated[Model, Depends(Model.of)]`; OpenAPI finds the model there.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    @classmethod
    async def of(cls, request: Request) -> Self:
        """Read the request's query. Raises `ProblemError` with a reason for each parameter."""
        text = request.scope["query_string"].decode("latin-1")
        given, errors = _collected(cls, parse_qsl(text, keep_blank_values=True))
        try:
            if not errors:
                return cls.model_validate(given)
        except ValidationError as error:
            for wrong in rejection_from_validation_error(error).errors:
                name = wrong.field.removesuffix(".0")
                # A parameter that was given once is named without its index.
                is_single = len(given.get(name, "")) == 1
                errors.append(FieldError(field=name, reason=wrong.reason) if is_single else wrong)
        raise ProblemError(
            ProblemCode.INVALID_QUERY, "The query is not valid; errors say where.", errors
        )


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
    """The values by parameter, and an error for each one that the call does not take."""
    names = _fields_by_parameter(model)
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


@cache
def _fields_by_parameter(model: type[Query]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _error(name: str, reason: str) -> FieldError:
    shown = "".join(c if c.isprintable() else "?" for c in name[:FIELD_CHARACTERS_MAX])
    return FieldError(field=shown, reason=reason)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query parameter is absent, never null."""
    schema.pop("title", None)
    if schema.get("default", ...) is None:
        del schema["default"]
    options = [option for option in schema.pop("anyOf", ()) if option.get("type") != "null"]
    return {**schema, **options[0]} if len(options) == 1 else schema
