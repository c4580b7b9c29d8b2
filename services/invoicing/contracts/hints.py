"""What a command's data certainly lacks: its text says at once what a walk over it finds slowly."""

from typing import Final, NamedTuple, Self

from invoicing.contracts.types.card_numbers import may_hold_card_number

_AMOUNTS: Final = (b'"amount', b'"fee"')
"""The beginnings of the names of all amounts in commands, as JSON has them."""


class Hints(NamedTuple):
    """Whether data may hold card numbers and amounts; never wrongly no."""

    card_numbers: bool = True
    amounts: bool = True

    @classmethod
    def of(cls, json: bytes) -> Self:
        """The hints of JSON that was written here, so that no name in it is escaped."""
        return cls(may_hold_card_number(json), any(name in json for name in _AMOUNTS))


NO_HINTS: Final = Hints()
