"""A record of the commands topic, and the state of the lane that handles it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from invoicing.contracts.envelope import headers_bytes
from invoicing.runtime.kafka.topics import partition_of
from invoicing.store.rows import Position


class Record(NamedTuple):
    """A record of the commands topic as it was read."""

    position: Position
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp_ms: int

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        return len(self.key or b"") + len(self.value or b"") + headers_bytes(self.headers)

    @property
    def has_timestamp(self) -> bool:
        """Whether the producer set a timestamp. Kafka uses -1 for none; some producers send 0."""
        return self.timestamp_ms > 0

    @property
    def timestamp(self) -> datetime | None:
        """The producer's timestamp; None without one, or for one outside the calendar."""
        if not self.has_timestamp:
            return None
        try:
            return datetime.fromtimestamp(self.timestamp_ms / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            return None


@dataclass(slots=True)
class LaneState:
    """What a lane knows of itself while it is open.

    `checkpoint` is the offset that the store must know of: less means that it has lost data.
    `routing_partitions` is the pinned number of partitions that invoices are routed to.
    """

    topic: str
    partition: int
    checkpoint: int
    routing_partitions: int

    def owns(self, invoice_id: str) -> bool:
        """Whether the invoice is routed to this lane."""
        return partition_of(invoice_id.encode(), self.routing_partitions) == self.partition
