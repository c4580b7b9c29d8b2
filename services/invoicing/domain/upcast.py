"""Stored events are never rewritten: one of an older schema is brought up to date when it is read.

To change an event's data so that older readers of it would be wrong: raise its `schema_version`,
and say here how the version before becomes the new one. New optional fields need nothing.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

Data = dict[str, Any]
Step = Callable[[Data], Data]

STEPS: Final[Mapping[str, Mapping[int, Step]]] = MappingProxyType({})
"""By event type: from each version that ever was, how its data becomes the next version's."""


def is_as_ever(event_type: str) -> bool:
    """Whether events of this type have had one schema only, so that none need be brought up."""
    return event_type not in STEPS


def upcast(event_type: str, schema_version: int, data: Data) -> Data:
    """An event's data as its newest version has it, from the version that it was stored in."""
    steps = STEPS.get(event_type, {})
    while schema_version in steps:
        data = steps[schema_version](data)
        schema_version += 1
    return data
