"""Fold events into the invoice. All events of an invoice, folded in order, give its state.

What an event changes beside the summary is defined by the topic that emits it.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from invoicing.contracts.events import EVENTS, EventData, InvoiceCreated
from invoicing.domain import (
    archive,
    consequences,
    credit_notes,
    disputes,
    invoices,
    payments,
    refunds,
    restatement,
    returns,
    sending,
    sources,
    write_offs,
)
from invoicing.domain.apply import Apply
from invoicing.domain.invoice import Invoice, summary_of

_TOPICS: Final = (
    invoices,
    payments,
    refunds,
    restatement,
    returns,
    disputes,
    write_offs,
    credit_notes,
    consequences,
    sources,
    sending,
    archive,
)

APPLY: Final[Mapping[type[EventData], Apply]] = MappingProxyType(
    {event: apply for topic in _TOPICS for event, apply in topic.APPLY.items()}
)
assert {InvoiceCreated, *APPLY} == set(EVENTS.values()), "every event needs a row in its topic"


def evolve(invoice: Invoice | None, event: EventData, recorded_at: datetime) -> Invoice:
    """Return the invoice after the event, which was stored at `recorded_at`.

    The first event of an invoice is `InvoiceCreated`; TypeError for any other one.
    """
    if invoice is None:
        if not isinstance(event, InvoiceCreated):
            raise TypeError(f"the first event of an invoice cannot be {event.type}")
        return invoices.created(event, recorded_at)
    changes = summary_of(event)
    # Events of the first releases lack these two; they show the defaults.
    changes["live_mode"] = invoice.live_mode
    changes["times_paid"] = max(invoice.times_paid, event.times_paid)
    changes |= APPLY[event.declared](invoice, event, recorded_at)
    if event.state is not invoice.state:
        changes["entered"] = {**invoice.entered, event.state: recorded_at}
    changes["version"] = invoice.version + 1
    changes["updated_at"] = recorded_at
    return invoice.with_fields(changes)
