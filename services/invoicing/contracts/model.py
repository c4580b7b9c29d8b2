"""The base class of everything in a command, an event, a reply or a stored invoice.

Pydantic validates what comes from outside. What the domain computes is valid already, and to
validate it again would cost a fifth of the time that a command takes. `construct_unchecked`,
`computed_from` and `copy_with` therefore set pydantic's private attributes directly, as
`BaseModel.model_construct` does, at a fifth of its price. They check the names of fields and
leave the values to mypy. This is the only module that touches those attributes.
"""

from functools import cache
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict


class ContractModel(BaseModel):
    """An immutable model that can be built from valid parts without validation."""

    # A model's validator is built when it is first used: a process uses few of the models.
    model_config = ConfigDict(frozen=True, defer_build=True)

    @classmethod
    def construct_unchecked(cls, **fields: Any) -> Self:
        """Build a model from valid values; absent fields take their defaults.

        Raises `TypeError` for an unknown field and for a required one that is missing.
        """
        template, required = _template(cls)
        values = template | fields
        if len(values) > len(template) or not required.issubset(fields):
            raise TypeError(f"{cls.__name__} is not made of {', '.join(fields)}")
        return _construct(cls, values, set(fields))

    @classmethod
    def computed_from(cls, given: "ContractModel", **fields: Any) -> Self:
        """Extend `given` by computed fields. `cls` has all fields of both."""
        values = _template(cls)[0] | given.__dict__ | fields
        return _construct(cls, values, given.model_fields_set.union(fields))

    def copy_with(self, **fields: Any) -> Self:
        """Copy with these fields replaced by valid values."""
        values = self.__dict__ | fields
        if len(values) > len(self.__dict__):
            raise TypeError(f"{type(self).__name__} has not all of {', '.join(fields)}")
        return _construct(type(self), values, self.model_fields_set.union(fields))

    def model_dump_json(self, *, exclude_unset: bool = True, **options: Any) -> str:
        """Serialise without the fields that were never set: a third of an invoice's bytes."""
        # As pydantic's own method does it, without passing on twenty options.
        serializer = self.__pydantic_serializer__
        return serializer.to_json(self, exclude_unset=exclude_unset, **options).decode()


ModelT = TypeVar("ModelT", bound=ContractModel)


def _construct(cls: type[ModelT], values: dict[str, Any], fields_set: set[str]) -> ModelT:
    model = cls.__new__(cls)
    object.__setattr__(model, "__dict__", values)
    object.__setattr__(model, "__pydantic_fields_set__", fields_set)
    object.__setattr__(model, "__pydantic_extra__", None)
    object.__setattr__(model, "__pydantic_private__", None)
    return model


@cache
def _template(cls: type[ContractModel], /) -> tuple[dict[str, Any], frozenset[str]]:
    """Defaults of all fields, in the order that JSON shows them, and the required names."""
    fields = cls.model_fields
    required = frozenset(name for name, field in fields.items() if field.is_required())
    defaults = {
        name: field.get_default(call_default_factory=True, validated_data={})
        for name, field in fields.items()
    }
    return defaults, required
