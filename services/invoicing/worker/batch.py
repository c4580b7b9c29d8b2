"""One batch of a lane: loaded, decided in memory, and stored in one transaction.

The result is what must be published, whether it was decided just now or before a crash.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

from invoicing.contracts.dead_letters import DeadLetterReason
from invoicing.contracts.envelope import CommandEnvelope, DecodeFailure, read_command
from invoicing.domain.entries import NotLoadedError
from invoicing.domain.sellers import Sellers
from invoicing.store.entries import EntryKey, wanted_by
from invoicing.store.errors import is_infrastructure_error
from invoicing.store.protocol import EventStore
from invoicing.store.rows import CommandKey, Loaded, Position, WriteBatch
from invoicing.worker.decisions import Decisions
from invoicing.worker.metrics import timed
from invoicing.worker.outgoing import DeadLetter, OutgoingMessages
from invoicing.worker.records import LaneState, Record

RECORDS_A_TURN: Final = 20
"""After so many records the other lanes get a turn. One lane decides at a time; one that appends
holds its sellers' number series until it commits, and every process that needs them waits."""

log = structlog.get_logger()


class BatchHandler:
    """Handles the batches of all lanes of a worker: load, decide, append."""

    def __init__(self, store: EventStore, sellers: Sellers, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._sellers = sellers
        self._clock = clock
        self._deciding = asyncio.Lock()

    async def handle(self, records: Sequence[Record], lane: LaneState) -> OutgoingMessages:
        """Decide and store the records, each once.

        Raises infrastructure errors, `DatabaseBehindError` among them. Any other failure is some
        record's own fault: the batch is handled again one record at a time, and only a record that
        fails twice by itself is dead-lettered.
        """
        try:
            return await self._handle_together(records, lane)
        except Exception as error:
            if is_infrastructure_error(error):
                raise
            at, kind = str(records[0].position), type(error).__name__
        if len(records) > 1:
            log.warning("batch_taken_apart", records=len(records), at=at, error=kind)
            outgoing = OutgoingMessages()
            for record in records:
                outgoing.extend(await self.handle([record], lane))
            return outgoing
        try:
            # Once more: a connection that is cut in use fails in ways that look like no outage.
            return await self._handle_together(records, lane)
        except Exception as error:
            if is_infrastructure_error(error):
                raise
            return await self._dead_letter(records[0], error, lane)

    async def _handle_together(
        self, records: Sequence[Record], lane: LaneState
    ) -> OutgoingMessages:
        write_batch, outgoing = await self._decide(records, lane)
        with timed("append"):
            outgoing.replace_events(await self._store.append(write_batch))
        return outgoing

    async def _decide(
        self, records: Sequence[Record], lane: LaneState
    ) -> tuple[WriteBatch, OutgoingMessages]:
        """Decide the records in memory.

        A call of its own, so that what was loaded and decoded, most of a batch's memory, is freed
        before the waits for Postgres and Kafka: every lane may be waiting at once.
        """
        with timed("decode"):
            received = [(record, read_command(record.value, record.headers)) for record in records]
        with timed("load"):
            loaded = await self._store.load(*_wanted(received))
            commands = [one for _, one in received if isinstance(one, CommandEnvelope)]
            if wanted := wanted_by(loaded.snapshots, commands):
                loaded = await self._with_entries(loaded, wanted)
        while True:
            async with self._deciding:
                with timed("decide"):
                    write_batch = WriteBatch(records[-1].position.next, lane.checkpoint)
                    decisions = Decisions(loaded, lane, self._sellers, self._clock(), write_batch)
                    try:
                        for count, (record, command) in enumerate(received, start=1):
                            decisions.take(record, command)
                            if count % RECORDS_A_TURN == 0:
                                await asyncio.sleep(0)
                        return decisions.write_batch(), decisions.outgoing
                    except NotLoadedError as missing:
                        assert isinstance(command, CommandEnvelope)
                        key = EntryKey(command.subject, missing.kind, missing.id)
            # A rare decision, such as one on a source that can be charged once, looks at more.
            assert key not in loaded.wanted_entries, "an entry is missing though it was loaded"
            with timed("load"):
                loaded = await self._with_entries(loaded, {*loaded.wanted_entries, key})

    async def _with_entries(self, loaded: Loaded, wanted: Collection[EntryKey]) -> Loaded:
        entries = await self._store.load_entries(wanted)
        return replace(loaded, wanted_entries=wanted, entries=entries)

    async def _dead_letter(
        self, record: Record, error: Exception, lane: LaneState
    ) -> OutgoingMessages:
        # The error's own text may hold a customer's data, so only its type is logged and sent.
        log.error("record_dead_lettered", at=str(record.position), error=type(error).__name__)
        failure = DecodeFailure(
            DeadLetterReason.PROCESSING_FAILED,
            f"Handling the command failed with {type(error).__name__}; nothing was changed.",
        )
        await self._store.append(WriteBatch(record.position.next, lane.checkpoint))
        return OutgoingMessages(dead_letters=[DeadLetter(record, failure, self._clock())])


def _wanted(
    received: Iterable[tuple[Record, CommandEnvelope | DecodeFailure]],
) -> tuple[list[str], dict[CommandKey, list[Position]]]:
    """The invoices and the commands of a batch, each command with the positions of its records."""
    invoice_ids: dict[str, None] = {}
    commands: dict[CommandKey, list[Position]] = {}
    for record, command in received:
        if isinstance(command, CommandEnvelope):
            invoice_ids[command.subject] = None
            commands.setdefault((command.source, command.id), []).append(record.position)
    return list(invoice_ids), commands
