"""The decisions on a batch, in memory: one record after the other, in the order of the log."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from invoicing.contracts import replies
from invoicing.contracts.envelope import CommandEnvelope, DecodeFailure, reply_document, reply_id
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.domain.decision import Context
from invoicing.domain.handling import handle, reply_to
from invoicing.domain.invoice import Invoice
from invoicing.domain.sellers import Sellers
from invoicing.runtime import tracing
from invoicing.store.placeholders import placeholders
from invoicing.store.rendering import render
from invoicing.store.rows import (
    CommandKey,
    Loaded,
    StoredEvent,
    StoredReply,
    WriteBatch,
    stored_invoice,
)
from invoicing.worker.outgoing import CommandTrace, DeadLetter, Forward, OutgoingMessages
from invoicing.worker.records import LaneState, Record


class Decisions:
    """Decides records; each decision is folded into the state that the next one sees.

    `write_batch` and `outgoing` are what the records so far lead to. The events in both have
    placeholders for their numbers until the batch is stored.
    """

    def __init__(
        self,
        loaded: Loaded,
        lane: LaneState,
        sellers: Sellers,
        now: datetime,
        write_batch: WriteBatch,
    ) -> None:
        self.outgoing = OutgoingMessages()
        self._lane = lane
        self._sellers = sellers
        self._now = now
        self._next_number = placeholders()
        self._stored_events: Mapping[CommandKey, Sequence[StoredEvent]] = loaded.events
        self._replies = dict(loaded.replies)
        self._invoices: dict[str, Invoice | None] = {**loaded.invoices()}
        self._write_batch = write_batch
        # Whether the document has changed, of each invoice that has.
        self._changed: dict[str, bool] = {}

    def take(self, record: Record, command: CommandEnvelope | DecodeFailure) -> None:
        """Handle the next record: dead-letter, publish again, forward, decide, repeat or reject."""
        if isinstance(command, DecodeFailure):
            self.outgoing.dead_letters.append(DeadLetter(record, command, self._now))
            return
        key = (command.source, command.id)
        stored = self._replies.get(key)
        if stored and stored.position == record.position:
            # Comes before routing: what was stored from this record is published from here.
            self.outgoing.events += self._stored_events.get(key, ())
            self._send(stored, command, "repeat")
        elif not self._lane.owns(command.subject):
            self.outgoing.forwards.append(Forward(record, command.subject))
        elif stored is None:
            outcome = self._decide(record, command)
            reply = self._reply(record, command, outcome, reply_id(command))
            self._replies[key] = reply
            self._write_batch.replies.append(reply)
            code = outcome.code if isinstance(outcome, Rejection) else "accepted"
            self._send(reply, command, code)
        elif stored.body_hash == command.body_hash:
            self._send(stored, command, "repeat")
        else:
            # Not stored: the reply under this identity stays the first body's.
            conflict = Rejection(
                RejectionCode.IDEMPOTENCY_CONFLICT,
                "This source has sent another command under this id. Every command needs its own.",
            )
            reply = self._reply(record, command, conflict, reply_id(command, *record.position))
            self._send(reply, command, conflict.code)

    def write_batch(self) -> WriteBatch:
        """What the batch adds to the store."""
        for invoice_id, document_changed in self._changed.items():
            invoice = self._invoices[invoice_id]
            assert invoice is not None
            row = stored_invoice(invoice, document_changed=document_changed)
            self._write_batch.invoices[invoice_id] = row
        return self._write_batch

    def _decide(self, record: Record, command: CommandEnvelope) -> list[StoredEvent] | Rejection:
        """The command's events, which are then part of the state; or why it is rejected."""
        invoice = self._invoices.get(command.subject)
        # A clock that was set back must not put an event before the one that it follows.
        recorded_at = max(self._now, invoice.updated_at) if invoice else self._now
        context = Context(recorded_at, self._sellers, self._next_number())
        accepted = handle(command, invoice, context, sent_at=record.timestamp or self._now)
        if isinstance(accepted, Rejection):
            return accepted
        version = invoice.version if invoice else 0
        events = render(command, accepted, after_version=version, recorded_at=recorded_at)
        if isinstance(events, list) and events:
            already = self._changed.get(command.subject, False)
            self._changed[command.subject] = already or accepted.document_changed
            self._invoices[command.subject] = accepted.invoice
            self._write_batch.events.extend(events)
            self._write_batch.numbers.extend(accepted.numbers)
            self.outgoing.events += events
        return events

    def _reply(
        self,
        record: Record,
        command: CommandEnvelope,
        outcome: list[StoredEvent] | Rejection,
        id_: str,
    ) -> StoredReply:
        rejection = outcome if isinstance(outcome, Rejection) else None
        events = [] if isinstance(outcome, Rejection) else outcome
        types = [event.type for event in events]
        data = reply_to(command, rejection, self._invoices.get(command.subject), types)
        return StoredReply(
            command_key=(command.source, command.id),
            invoice_id=command.subject,
            body_hash=command.body_hash,
            document=reply_document(
                command,
                id=id_,
                type=replies.REJECTED if rejection else replies.ACCEPTED,
                recorded_at=self._now,
                data=data,
            ),
            versions=(events[0].version, events[-1].version) if events else None,
            position=record.position,
            recorded_at=self._now,
        )

    def _send(self, reply: StoredReply, command: CommandEnvelope, outcome: str) -> None:
        self.outgoing.replies.append(reply)
        self.outgoing.outcomes[outcome] += 1
        if command.traceparent is not None and tracing.is_on():
            self.outgoing.traces.append(CommandTrace(command.traceparent, command.type, outcome))
