"""One batch of a lane: what each record leads to, decided in memory and stored in one transaction.

What comes back is what must be published, whether it was decided just now or in an earlier life.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

import structlog

from invoicing.contracts import replies
from invoicing.contracts.commands import COMMANDS, read_data
from invoicing.contracts.dead_letters import DeadLetterReason
from invoicing.contracts.envelope import (
    CommandEnvelope,
    DecodeFailure,
    event_document,
    headers_bytes,
    read_command,
    reply_document,
    reply_id,
)
from invoicing.contracts.events import DocumentEvent
from invoicing.contracts.replies import RejectedReply, Rejection, RejectionCode, Reply
from invoicing.domain.decide import decide
from invoicing.domain.decision import Accepted, Command, Context
from invoicing.domain.invoice import Invoice
from invoicing.domain.sellers import Sellers
from invoicing.domain.transitions import available_commands
from invoicing.runtime import tracing
from invoicing.runtime.stages import stage
from invoicing.store.errors import is_infrastructure_error
from invoicing.store.placeholders import placeholders
from invoicing.store.protocol import EventStore
from invoicing.store.rows import (
    CommandKey,
    Loaded,
    Position,
    StoredEvent,
    StoredReply,
    WriteBatch,
    stored_invoice,
)

EVENT_BYTES_MAX: Final = 1_000_000
"""Kafka's brokers take messages of 1 MiB, with key and headers, unless told otherwise."""

RECORDS_A_TURN: Final = 20
"""After so many the other lanes have a turn: one that appends holds its sellers' next numbers until
it has committed, and every process that numbers for them waits. One lane decides at a time."""

log = structlog.get_logger()


class Record(NamedTuple):
    """A record of the commands topic, as it came."""

    position: Position
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp_ms: int

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.key or b"") + len(self.value or b"") + headers_bytes(self.headers)

    @property
    def has_timestamp(self) -> bool:
        """Whether its producer gave it a time. Kafka has -1 for none; some producers send 0."""
        return self.timestamp_ms > 0

    @property
    def timestamp(self) -> datetime | None:
        """When its producer says it was made; None without a time, or with one of no calendar."""
        if not self.has_timestamp:
            return None
        try:
            return datetime.fromtimestamp(self.timestamp_ms / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            return None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that is set aside, and why."""

    record: Record
    unreadable: DecodeFailure
    failed_at: datetime


@dataclass(frozen=True, slots=True)
class Forward:
    """A record that another lane has to handle: the one that its invoice is at home in."""

    record: Record
    invoice_id: str


@dataclass(frozen=True, slots=True)
class CommandTrace:
    """A command that was answered, and the trace that its producer wants to see it in."""

    traceparent: str
    type: str
    outcome: str

    def tell(self, began_ns: int) -> None:
        """Note that it took from then until now."""
        # A type that we do not know may be any text, a customer's too.
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
    """What a batch leads to in Kafka, each list in the order of the log."""

    events: list[StoredEvent] = field(default_factory=list)
    replies: list[StoredReply] = field(default_factory=list)
    forwards: list[Forward] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    """How many answers were `accepted`, a `repeat`'s, or a refusal's code."""
    traced: list[CommandTrace] = field(default_factory=list)
    """The commands that came with a trace; none where traces are off."""

    def replace_events(self, stored: Iterable[StoredEvent]) -> None:
        """Put events as they were stored, with their numbers, in the place of those decided."""
        by_version = {(event.invoice_id, event.version): event for event in stored}
        self.events = [by_version.get((e.invoice_id, e.version), e) for e in self.events]

    def extend(self, other: "OutgoingMessages") -> None:
        """Add what comes after."""
        self.events += other.events
        self.replies += other.replies
        self.forwards += other.forwards
        self.dead_letters += other.dead_letters
        self.outcomes += other.outcomes
        self.traced += other.traced


class BatchHandler:
    """Handles a lane's batches: load, decide, append."""

    def __init__(self, store: EventStore, sellers: Sellers, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._sellers = sellers
        self._clock = clock
        self._deciding = asyncio.Lock()

    async def handle(
        self, records: Sequence[Record], is_home: Callable[[str], bool], handled: int = 0
    ) -> OutgoingMessages:
        """Decide and store the records, each once; `is_home` tells the lane's own invoices.

        Infrastructure errors are raised, also that the store has forgotten what stood below
        `handled`. Any other failure is some record's own: the batch is handled again one record at
        a time, and only the culprit is dead-lettered.
        """
        try:
            return await self._handle_together(records, is_home, handled)
        except Exception as error:
            if is_infrastructure_error(error):
                raise
            if len(records) == 1:
                return await self._handle_once_more(records[0], is_home, handled)
            at, kind = str(records[0].position), type(error).__name__
            log.warning("batch_taken_apart", records=len(records), at=at, error=kind)
        outgoing = OutgoingMessages()
        for record in records:
            outgoing.extend(await self.handle([record], is_home, handled))
        return outgoing

    async def _handle_once_more(
        self, record: Record, is_home: Callable[[str], bool], handled: int
    ) -> OutgoingMessages:
        """A connection that ends in the midst of its work fails in ways that tell of no outage."""
        try:
            return await self._handle_together([record], is_home, handled)
        except Exception as error:
            if is_infrastructure_error(error):
                raise
            return await self._set_aside(record, error, handled)

    async def _handle_together(
        self, records: Sequence[Record], is_home: Callable[[str], bool], handled: int
    ) -> OutgoingMessages:
        write_batch, outgoing = await self._decided(records, is_home, handled)
        with stage("append"):
            stored = await self._store.append(write_batch)
        outgoing.replace_events(stored)
        return outgoing

    async def _decided(
        self, records: Sequence[Record], is_home: Callable[[str], bool], handled: int
    ) -> tuple[WriteBatch, OutgoingMessages]:
        """What the records lead to, before any of it is stored.

        A call of its own, so that what was decided from, which is most of a batch's memory, is let
        go before the waits for Postgres and Kafka: every lane may be waiting at once.
        """
        with stage("decode"):
            received = [(record, read_command(record.value, record.headers)) for record in records]
        with stage("load"):
            loaded = await self._store.load(*_wanted(received))
        async with self._deciding:
            with stage("decide"):
                write_batch = WriteBatch(records[-1].position.next, handled)
                decisions = _Decisions(loaded, is_home, self._sellers, self._clock(), write_batch)
                for place, (record, command) in enumerate(received, start=1):
                    decisions.take(record, command)
                    if place % RECORDS_A_TURN == 0:
                        await asyncio.sleep(0)
            return decisions.write_batch(), decisions.outgoing

    async def next_offset(self, topic: str, partition: int) -> int:
        """Where a lane goes on, as far as the store knows."""
        return (await self._store.next_offsets(topic)).get(partition, 0)

    async def homes(self, topic: str) -> int:
        """Among how many of the topic's lanes the invoices are at home."""
        return await self._store.routing_partitions(topic)

    async def _set_aside(self, record: Record, error: Exception, handled: int) -> OutgoingMessages:
        # The error's own text may hold a customer's data, so only its kind is told.
        log.error("record_dead_lettered", at=str(record.position), error=type(error).__name__)
        unreadable = DecodeFailure(
            DeadLetterReason.PROCESSING_FAILED,
            f"Handling the command failed with {type(error).__name__}; nothing was changed.",
        )
        await self._store.append(WriteBatch(record.position.next, handled))
        return OutgoingMessages(dead_letters=[DeadLetter(record, unreadable, self._clock())])


def _wanted(
    received: Iterable[tuple[Record, CommandEnvelope | DecodeFailure]],
) -> tuple[list[str], dict[CommandKey, list[Position]]]:
    """The invoices and the commands that a batch names, and where each command stands."""
    invoice_ids: dict[str, None] = {}
    commands: dict[CommandKey, list[Position]] = {}
    for record, command in received:
        if isinstance(command, CommandEnvelope):
            invoice_ids[command.subject] = None
            commands.setdefault((command.source, command.id), []).append(record.position)
    return list(invoice_ids), commands


class _Decisions:
    """A batch in memory: each decision is folded into the state that the next one sees."""

    def __init__(
        self,
        loaded: Loaded,
        is_home: Callable[[str], bool],
        sellers: Sellers,
        now: datetime,
        write_batch: WriteBatch,
    ) -> None:
        self.outgoing = OutgoingMessages()
        self._is_home = is_home
        self._sellers = sellers
        self._now = now
        self._next_number = placeholders()
        self._stored_events: Mapping[CommandKey, Sequence[StoredEvent]] = loaded.events
        self._answers = dict(loaded.replies)
        self._invoices: dict[str, Invoice | None] = {
            invoice_id: Invoice.model_validate_json(snapshot)
            for invoice_id, snapshot in loaded.snapshots.items()
        }
        self._appendix = write_batch
        self._changed: dict[str, Invoice] = {}
        self._told_whole: set[str] = set()

    def take(self, record: Record, command: CommandEnvelope | DecodeFailure) -> None:
        """Take the next record of the log."""
        if isinstance(command, DecodeFailure):
            self.outgoing.dead_letters.append(DeadLetter(record, command, self._now))
            return
        key = (command.source, command.id)
        stored = self._answers.get(key)
        if stored and stored.position == record.position:
            # Asked before whose lane it is: once stored here, it is published from here.
            self.outgoing.events += self._stored_events.get(key, ())
            self._repeat(stored, command)
        elif not self._is_home(command.subject):
            self.outgoing.forwards.append(Forward(record, command.subject))
        elif stored is None:
            self._answer(record, command, self._decide(record, command))
        elif stored.body_hash == command.body_hash:
            self._repeat(stored, command)
        else:
            self._refuse_conflict(record, command)

    def write_batch(self) -> WriteBatch:
        """What the batch adds to the store."""
        for invoice_id, invoice in self._changed.items():
            document_changed = invoice_id in self._told_whole
            self._appendix.invoices[invoice_id] = stored_invoice(
                invoice, document_changed=document_changed
            )
        return self._appendix

    def _decide(self, record: Record, command: CommandEnvelope) -> list[StoredEvent] | Rejection:
        """The events that the command leads to, folded into the state; or why it leads to none."""
        data = read_data(command.type, command.data)
        if command.errors and getattr(data, "code", None) != RejectionCode.UNKNOWN_COMMAND:
            errors = command.errors + (data.errors if isinstance(data, Rejection) else ())
            return Rejection(
                RejectionCode.INVALID_COMMAND, "The command's envelope cannot be taken.", errors
            )
        if isinstance(data, Rejection):
            return data
        invoice = self._invoices.get(command.subject)
        # A clock that was set back must not put an event before the one that it follows.
        recorded_at = max(self._now, invoice.updated_at) if invoice else self._now
        outcome = decide(
            invoice,
            Command(
                invoice_id=command.subject,
                type=command.type,
                data=data,
                time=command.time or record.timestamp or self._now,
                expected_version=command.expected_version,
            ),
            Context(recorded_at=recorded_at, sellers=self._sellers, number=self._next_number()),
        )
        if isinstance(outcome, Rejection):
            return outcome
        events = self._render(command, invoice.version if invoice else 0, outcome, recorded_at)
        if any(_is_too_large(event.document) for event in events):
            return Rejection(
                RejectionCode.LIMIT_EXCEEDED,
                f"The invoice would be larger than an event may be: {EVENT_BYTES_MAX} bytes.",
            )
        self._fold(command, outcome, events)
        return events

    def _render(
        self, command: CommandEnvelope, version: int, accepted: Accepted, recorded_at: datetime
    ) -> list[StoredEvent]:
        return [
            StoredEvent(
                invoice_id=command.subject,
                version=version + place,
                type=event.type,
                document=event_document(
                    command,
                    type=event.type,
                    schema_version=event.schema_version,
                    version=version + place,
                    recorded_at=recorded_at,
                    data=event.model_dump_json(),
                ),
                command_key=(command.source, command.id),
                recorded_at=recorded_at,
            )
            for place, event in enumerate(accepted.events, start=1)
        ]

    def _fold(
        self, command: CommandEnvelope, accepted: Accepted, events: Sequence[StoredEvent]
    ) -> None:
        if not events:
            return
        assert accepted.invoice is not None
        self._invoices[command.subject] = self._changed[command.subject] = accepted.invoice
        if any(isinstance(event, DocumentEvent) for event in accepted.events):
            self._told_whole.add(command.subject)
        self._appendix.events.extend(events)
        self._appendix.numbers.extend(accepted.numbers)
        self.outgoing.events += events

    def _answer(
        self, record: Record, command: CommandEnvelope, outcome: list[StoredEvent] | Rejection
    ) -> None:
        events = [] if isinstance(outcome, Rejection) else outcome
        answer = StoredReply(
            command_key=(command.source, command.id),
            invoice_id=command.subject,
            body_hash=command.body_hash,
            document=self._answer_document(command, reply_id(command), outcome),
            versions=(events[0].version, events[-1].version) if events else None,
            position=record.position,
            recorded_at=self._now,
        )
        self._answers[answer.command_key] = answer
        self._appendix.replies.append(answer)
        self.outgoing.replies.append(answer)
        self._note(command, outcome.code if isinstance(outcome, Rejection) else "accepted")

    def _repeat(self, stored: StoredReply, command: CommandEnvelope) -> None:
        self.outgoing.replies.append(stored)
        self._note(command, "repeat")

    def _note(self, command: CommandEnvelope, outcome: str) -> None:
        self.outgoing.outcomes[outcome] += 1
        if command.traceparent is not None and tracing.is_on():
            traced = CommandTrace(command.traceparent, command.type, outcome)
            self.outgoing.traced.append(traced)

    def _refuse_conflict(self, record: Record, command: CommandEnvelope) -> None:
        """Another body under an id that is taken. The answer stored under that id stays."""
        rejection = Rejection(
            RejectionCode.IDEMPOTENCY_CONFLICT,
            "This source has sent another command under this id. Every command needs its own.",
        )
        position = record.position
        distinct = reply_id(command, position.topic, position.partition, position.offset)
        self.outgoing.replies.append(
            StoredReply(
                command_key=(command.source, command.id),
                invoice_id=command.subject,
                body_hash=command.body_hash,
                document=self._answer_document(command, distinct, rejection),
                versions=None,
                position=position,
                recorded_at=self._now,
            )
        )
        self._note(command, rejection.code)

    def _answer_document(
        self, command: CommandEnvelope, id_: str, outcome: list[StoredEvent] | Rejection
    ) -> str:
        invoice = self._invoices.get(command.subject)
        type_: str
        answer: Reply
        if isinstance(outcome, Rejection):
            type_, answer = replies.REJECTED, _rejection(command, invoice, outcome)
        else:
            type_, answer = replies.ACCEPTED, _acceptance(command, invoice, outcome)
        return reply_document(
            command, id=id_, type=type_, recorded_at=self._now, data=answer.model_dump_json()
        )


def _is_too_large(document: str) -> bool:
    # A character has at most four bytes, so most documents need not be encoded to be sure.
    return len(document) * 4 > EVENT_BYTES_MAX and len(document.encode()) > EVENT_BYTES_MAX


def _acceptance(
    command: CommandEnvelope, invoice: Invoice | None, events: Sequence[StoredEvent]
) -> Reply:
    return Reply.construct_unchecked(
        command_id=command.id,
        command_source=command.source,
        command_type=command.type,
        invoice_id=command.subject,
        version=invoice.version if invoice else None,
        state=invoice.state if invoice else None,
        events=tuple(event.type for event in events),
    )


def _rejection(
    command: CommandEnvelope, invoice: Invoice | None, rejection: Rejection
) -> RejectedReply:
    # To whoever asks, a deleted invoice is none.
    seen = None if invoice is not None and invoice.state == "deleted" else invoice
    return RejectedReply.construct_unchecked(
        command_id=command.id,
        command_source=command.source,
        command_type=command.type,
        invoice_id=command.subject,
        version=seen.version if seen else None,
        state=seen.state if seen else None,
        events=(),
        code=rejection.code,
        message=rejection.message,
        errors=rejection.errors[: replies.ERRORS_MAX],
        available_commands=available_commands(invoice),
    )
