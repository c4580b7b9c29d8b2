"""The first way of running a service that this machine can use."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Option(Protocol):
    """One way of running a service."""

    kind: str

    @staticmethod
    def refusal() -> str | None:
        """Why this machine cannot use it, in a few words; None where it can."""

    def close(self) -> None: ...


OptionType = TypeVar("OptionType", bound=Option)


@dataclass(frozen=True)
class Choice(Generic[OptionType]):
    """What was chosen, and why nothing better."""

    option: type[OptionType]
    refusals: Sequence[str]

    @property
    def reasons(self) -> str:
        return "; ".join(self.refusals)


def choose(options: Sequence[type[OptionType]]) -> Choice[OptionType]:
    refusals: list[str] = []
    for option in options:
        refusal = option.refusal()
        if refusal is None:
            return Choice(option, refusals)
        refusals.append(refusal)
    raise RuntimeError("; ".join(refusals))
