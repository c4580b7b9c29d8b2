"""TOML files that settings name. An error names the setting, the file and the field."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from invoicing.runtime.settings import PREFIX, WrongSettingError

Document = TypeVar("Document", bound=BaseModel)


def read_toml_file(setting: str, path: Path, model: type[Document]) -> Document:
    """The file as the model has it. Raises `WrongSettingError`; no value of the file is quoted."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return model.model_validate(document, extra="forbid")
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    except ValidationError as error:
        reason = "; ".join(_describe_errors(error, model))
    except ValueError as error:  # a TOMLDecodeError names line and column
        reason = str(error)
    raise WrongSettingError(
        f"{PREFIX}{setting}: {path} cannot be used: {reason}. docs/settings.md has an example."
    )


def _describe_errors(error: ValidationError, model: type[BaseModel]) -> Iterator[str]:
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        location = [part for part in one["loc"] if part != "[key]"]
        field = ".".join(map(str, location)) or "the file"
        if one["type"] == "missing":
            yield f"{field} is missing"
        elif one["type"] == "extra_forbidden":
            known = ", ".join(_fields_at(model, location[:-1]))
            yield f"{field} is not a field; there are {known}"
        else:
            reason = one["msg"].removeprefix("Value error, ")
            for subject in ("Input should", "String should"):
                reason = reason.replace(f"{subject} be", "must be").replace(subject, "must")
            yield f"{field} {reason}"


def _fields_at(model: type[BaseModel], location: list[Any]) -> list[str]:
    """The fields of the model that a path of fields, keys and indexes leads to."""
    annotation: Any = model
    for part in location:
        fields = getattr(annotation, "model_fields", {})
        # A field's own type, or that of the values of a table or list.
        annotation = fields[part].annotation if part in fields else annotation
        models = [one for one in _nested(annotation) if hasattr(one, "model_fields")]
        annotation = models[0] if models else annotation
    return sorted(getattr(annotation, "model_fields", {}))


def _nested(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _nested(argument)
