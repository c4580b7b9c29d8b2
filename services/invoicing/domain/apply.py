"""What a topic says of each of its events: the fields of the invoice that the event changes."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from invoicing.contracts.events import EventData
from invoicing.domain.invoice import Invoice

Changes = dict[str, Any]
"""New values by the names of the invoice's fields."""

Apply = Callable[[Invoice, Any, datetime], Changes]
"""Called with the invoice before the event, an event of its own class, and when it was stored."""

ApplyTable = Mapping[type[EventData], Apply]


def summary_only(_invoice: Invoice, _event: EventData, _recorded_at: datetime) -> Changes:
    """For an event that changes the summary alone, which `evolve` takes over from every event."""
    return {}
