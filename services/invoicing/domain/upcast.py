"""Upcasting: stored events are never rewritten; older schemas are converted when they are read.

For a change that is not backward compatible, raise the event's `schema_version` and add the step
from the previous version here. New optional fields need no step.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

Data = dict[str, Any]
Step = Callable[[Data], Data]

STEPS: Final[Mapping[str, Mapping[int, Step]]] = MappingProxyType({})
"""By event type and version: the conversion of its data to the next version."""


def has_one_schema(event_type: str) -> bool:
    """Whether events of this type have only ever had one schema."""
    return event_type not in STEPS


def upcast(event_type: str, schema_version: int, data: Data) -> Data:
    """Convert an event's data from its stored version to the newest."""
    steps = STEPS.get(event_type, {})
    while schema_version in steps:
        data = steps[schema_version](data)
        schema_version += 1
    return data
