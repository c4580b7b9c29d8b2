"""The events of a decision as they are stored and published."""

from datetime import datetime
from typing import Final

from invoicing.contracts.envelope import CommandEnvelope, event_document
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.domain.decision import Accepted
from invoicing.store.rows import StoredEvent

EVENT_BYTES_MAX: Final = 1_000_000
"""Kafka's default limit is 1 MiB for a message with its key and headers."""


def render(
    command: CommandEnvelope, accepted: Accepted, *, after_version: int, recorded_at: datetime
) -> list[StoredEvent] | Rejection:
    """The events that follow `after_version`; a rejection if one would be too large for Kafka."""
    events = [
        StoredEvent(
            command.subject,
            number,
            event.type,
            event_document(
                command,
                type=event.type,
                schema_version=event.schema_version,
                version=number,
                recorded_at=recorded_at,
                data=event,
            ),
            (command.source, command.id),
            recorded_at,
        )
        for number, event in enumerate(accepted.events, start=after_version + 1)
    ]
    # A character has at most four bytes, so most documents need not be encoded to be sure.
    if any(
        len(event.document) * 4 > EVENT_BYTES_MAX and len(event.document.encode()) > EVENT_BYTES_MAX
        for event in events
    ):
        return Rejection(
            RejectionCode.LIMIT_EXCEEDED,
            f"The invoice would be larger than an event may be: {EVENT_BYTES_MAX} bytes.",
        )
    assert not events or accepted.invoice.version == events[-1].version
    return events
