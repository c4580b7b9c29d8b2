"""What a batch leads to in Kafka: events, replies, forwards and dead letters."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from invoicing.contracts.commands import COMMANDS
from invoicing.contracts.envelope import DecodeFailure
from invoicing.runtime import tracing
from invoicing.store.rows import StoredEvent, StoredReply
from invoicing.worker.records import Record


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that goes to the dead-letter topic, and why."""

    record: Record
    failure: DecodeFailure
    failed_at: datetime


@dataclass(frozen=True, slots=True)
class Forward:
    """A record that goes to the partition its invoice is routed to."""

    record: Record
    invoice_id: str


@dataclass(frozen=True, slots=True)
class CommandTrace:
    """A command that was answered, and the trace that its producer wants to see it in."""

    traceparent: str
    type: str
    outcome: str

    def record_span(self, began_ns: int) -> None:
        """Record the command's span, from `began_ns` until now."""
        # An unknown type may be any text, even a customer's data.
        name = self.type if self.type in COMMANDS else "unknown command"
        tracing.record(
            name,
            "CONSUMER",
            parent=self.traceparent,
            began_ns=began_ns,
            attributes={"invoicing.outcome": self.outcome},
        )


@dataclass(slots=True)
class OutgoingMessages:
    """A batch's messages, each list in the order of the log."""

    events: list[StoredEvent] = field(default_factory=list)
    replies: list[StoredReply] = field(default_factory=list)
    forwards: list[Forward] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    """How many replies were `accepted`, a `repeat`, or rejected, by code."""
    traces: list[CommandTrace] = field(default_factory=list)
    """The commands that came with a trace; empty while tracing is off."""

    def replace_events(self, stored: Iterable[StoredEvent]) -> None:
        """Replace decided events by the same events as stored, which have their numbers."""
        by_version = {(event.invoice_id, event.version): event for event in stored}
        self.events = [by_version.pop((e.invoice_id, e.version), e) for e in self.events]
        assert not by_version, "the store has events that would never be published"

    def extend(self, other: "OutgoingMessages") -> None:
        """Add the messages of the records that follow."""
        self.events += other.events
        self.replies += other.replies
        self.forwards += other.forwards
        self.dead_letters += other.dead_letters
        self.outcomes += other.outcomes
        self.traces += other.traces
