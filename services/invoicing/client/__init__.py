"""The client library: send commands, await their replies, follow events.

    async with CommandClient("localhost:9092", source="/orders") as invoices:
        reply = await invoices.send(
            "CreateInvoice", "inv_1001", {...}, command_id="order-17-invoice"
        )

It needs asyncio and aiokafka, and none of the service's own modules except the contracts.
"""

from invoicing.client.commands import CommandClient, FieldError, NoReplyError, Reply
from invoicing.client.events import (
    Event,
    InMemoryVersions,
    NotAnEventError,
    VersionStore,
    follow_events,
)

__all__ = [
    "CommandClient",
    "Event",
    "FieldError",
    "InMemoryVersions",
    "NoReplyError",
    "NotAnEventError",
    "Reply",
    "VersionStore",
    "follow_events",
]
