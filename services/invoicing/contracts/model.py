"""The base class of everything in a command, an event, a reply or a stored invoice.

Pydantic declares the models: their schemas, and the validation of what comes from outside, follow
from them. What the domain computes is valid already, and there pydantic's own instances would cost
more than all arithmetic: each holds a value for every field, and a set of those that were given.
So each model has a lean subclass, made here and nowhere else. A lean instance holds the fields that
were given and nothing more; the defaults of the others are attributes of its class. Either kind
reads the same, and is written the same.
"""

from abc import ABCMeta
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, ClassVar, Final, Self, TypeVar, cast

import orjson
from pydantic import BaseModel, ConfigDict

_KNOWN_SHAPES_MAX: Final = 10_000


class ContractModel(BaseModel):
    """An immutable model that can be built from valid parts without validation."""

    # A model's validator is built when it is first used: a process uses few of the models.
    model_config = ConfigDict(frozen=True, defer_build=True)

    declared: ClassVar[type["ContractModel"]]
    """The class as it is declared, for tables with a row for each model."""

    _lean: ClassVar[type[Any]]

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        super().__pydantic_init_subclass__(**options)
        cls.declared = cls
        cls._lean = _lean_class(cls)

    @classmethod
    def construct_unchecked(cls, **fields: Any) -> Self:
        """Build a model from valid values; absent fields take their defaults.

        Raises `TypeError` for an unknown field and for a required one that is missing.
        """
        return cls.of_fields(fields)

    @classmethod
    def of_fields(cls, fields: dict[str, Any]) -> Self:
        """As `construct_unchecked`, from a dictionary that the model then keeps."""
        order = _order_if_other(cls.declared, tuple(fields))
        if order is not None:
            fields = {name: fields[name] for name in order}
        return _lean_instance(cls, fields)

    @classmethod
    def computed_from(cls, given: "ContractModel", **fields: Any) -> Self:
        """Extend `given` by computed fields. `cls` has all fields of both."""
        return cls.of_fields({**given_fields(given), **fields})

    @classmethod
    def extended_from(cls, read: "ContractModel", **fields: Any) -> Self:
        """Add fields to what pydantic has read. Whether a field was given is kept."""
        model = cast("Self", _new(cls.declared))
        _set(model, "__dict__", {**read.__dict__, **fields})
        _set(model, "__pydantic_fields_set__", read.model_fields_set | fields.keys())
        _set(model, "__pydantic_extra__", None)
        _set(model, "__pydantic_private__", None)
        return model

    def copy_with(self, **fields: Any) -> Self:
        """Copy with these fields replaced by valid values."""
        return self.with_fields(fields)

    def with_fields(self, changes: Mapping[str, Any]) -> Self:
        """As `copy_with`, from a mapping."""
        given = given_fields(self)
        fields = {**given, **changes}
        if len(fields) == len(given):  # the same fields, so in the same order
            return _lean_instance(type(self), fields)
        return self.of_fields(fields)

    def __eq__(self, other: object) -> bool:
        """Whether all fields are equal; one that was not given has its default."""
        if not isinstance(other, ContractModel) or self.declared is not other.declared:
            return NotImplemented
        ours, theirs = self.__dict__, other.__dict__
        return ours == theirs or all(
            getattr(self, name) == getattr(other, name) for name in {**ours, **theirs}
        )

    def __hash__(self) -> int:
        return hash((self.declared, *[getattr(self, name) for name in self.declared.model_fields]))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """The model itself: nothing of it changes."""
        return self

    @property
    def json_value(self) -> Mapping[str, Any]:
        """The fields to write as JSON."""
        return given_fields(self)

    def to_json(self) -> str:
        """Serialise without the fields that were never given: a third of an invoice's bytes."""
        return to_json(self)


ModelT = TypeVar("ModelT", bound=ContractModel)


def given_fields(model: ContractModel) -> Mapping[str, Any]:
    """The fields that were given, by name and in the order of the model."""
    values = model.__dict__
    if type(model) is model._lean:
        return values
    given = model.model_fields_set
    return {name: value for name, value in values.items() if name in given}


def to_json(value: object) -> str:
    """Serialise models and what they consist of, as pydantic would: amounts are texts.

    Any other type of ours has an attribute `json_value`, of a type that orjson writes.
    """
    return orjson.dumps(value, default=_json_value, option=orjson.OPT_UTC_Z).decode()


def _json_value(value: Any) -> Any:
    return str(value) if type(value) is Decimal else value.json_value


def _lean_instance(model: type[ModelT], fields: dict[str, Any]) -> ModelT:
    instance: ModelT = _new(model._lean)
    # The one attribute of an instance: pydantic's others are those of the lean class.
    _set(instance, "__dict__", fields)
    return instance


_new: Final = object.__new__
_set: Final = object.__setattr__


@lru_cache(_KNOWN_SHAPES_MAX)
def _order_if_other(
    model: type[ContractModel], names: tuple[str, ...], /
) -> tuple[str, ...] | None:
    """The names of given fields in the order of the model, if they are in another one.

    JSON shows fields in that order. Raises `TypeError` unless a model is made of these.
    """
    fields = model.model_fields
    required = {name for name, field in fields.items() if field.is_required()}
    if not required <= set(names) <= fields.keys():
        raise TypeError(f"{model.__name__} is not made of {', '.join(names)}")
    ordered = tuple(name for name in fields if name in names)
    return None if ordered == names else ordered


def _lean_class(model: type[ContractModel]) -> type[ContractModel]:
    """The subclass of a model whose instances hold given fields only."""
    defaults = {
        name: field.get_default(call_default_factory=True, validated_data={})
        for name, field in model.model_fields.items()
        if not field.is_required()
    }
    pydantic_attributes = {
        "__pydantic_fields_set__": property(lambda self: set(self.__dict__)),
        "__pydantic_extra__": None,
        "__pydantic_private__": None,
    }
    # Not by pydantic's metaclass, which would take the defaults for fields of another model.
    namespace = {"__module__": model.__module__} | defaults | pydantic_attributes
    if model.json_value is ContractModel.json_value:
        # Of what it takes for a dataclass, orjson writes the dictionary.
        namespace["__dataclass_fields__"] = {}
    return ABCMeta.__new__(type(model), model.__name__, (model,), namespace)
