"""Compare both sides, read back from the spill in one order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from sqlite3 import Row
from typing import Final

from invoicing.maintenance.topics import HighWatermarks
from invoicing.maintenance.verify import spill as spilled
from invoicing.maintenance.verify.commands import (
    CommandCase,
    CommandRecord,
    PublishedReply,
    ReplyDigest,
    check_command,
)
from invoicing.maintenance.verify.events import PublishedDigest, StoredDigest, check_events
from invoicing.maintenance.verify.findings import Finding, FindingKind
from invoicing.maintenance.verify.kafka_side import RetainedRanges
from invoicing.maintenance.verify.numbers import GivenNumber, SeriesCheck
from invoicing.maintenance.verify.spill import Spill
from invoicing.runtime.kafka.topics import partition_of
from invoicing.runtime.settings import Settings
from invoicing.store.rows import Position

NO_PARTITION: Final = -1


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is needed to judge a difference: what was committed, and what the topics retained."""

    settings: Settings
    watermarks: HighWatermarks
    routing_partitions: int
    retained: RetainedRanges
    numbers_counted: Mapping[tuple[str, str], int]

    def events(self, spill: Spill) -> Iterator[Finding]:
        """Every invoice's stored and published events."""
        once = self.settings.is_transactional
        rows = spill.read(spilled.EVENTS_BY_INVOICE)
        for invoice_id, group in groupby(rows, itemgetter("invoice_id")):
            stored: list[StoredDigest] = []
            published: list[PublishedDigest] = []
            for row in group:
                version, digest = row["version"], row["digest"]
                if row["published"]:
                    position = _position(row, self.settings.topic_events)
                    is_keyed = bool(row["is_keyed"])
                    published.append(PublishedDigest(version, digest, position, is_keyed))
                else:
                    stored.append(
                        StoredDigest(
                            version,
                            digest,
                            committed=self._is_committed(row),
                            retained=self.retained.events.covers(
                                row["partition"], row["recorded_at"]
                            ),
                            has_reply=bool(row["has_reply"]),
                            lane=row["partition"],
                        )
                    )
            partition = partition_of(invoice_id.encode(), self.routing_partitions)
            yield from check_events(invoice_id, stored, published, partition, once=once)

    def commands(self, spill: Spill) -> Iterator[Finding]:
        """Every command's records, stored reply and published replies."""
        rows = spill.read(spilled.CASES_BY_COMMAND)
        for key, group in groupby(rows, itemgetter("source", "id")):
            reply: ReplyDigest | None = None
            records: list[CommandRecord] = []
            published: list[PublishedReply] = []
            for row in group:
                fields = row["invoice_id"], row["digest"]
                position = _position(row, self.settings.topic_commands)
                if row["side"] == spilled.PUBLISHED:
                    position = _position(row, self.settings.topic_replies)
                    published.append(PublishedReply(*fields, position, row["code"]))
                elif row["side"] == spilled.RECORD:
                    committed, is_routed = self._is_committed(row), bool(row["is_routed"])
                    records.append(
                        CommandRecord(*fields, position, row["body_hash"], committed, is_routed)
                    )
                else:
                    committed = self._is_committed(row)
                    retained = self.retained.replies.covers(row["partition"], row["recorded_at"])
                    reply = ReplyDigest(*fields, position, row["body_hash"], committed, retained)
            case = CommandCase(key, reply, records, published)
            yield from check_command(case, once=self.settings.is_transactional)

    def dead_letters(self, spill: Spill) -> Iterator[Finding]:
        """Every unreadable or dead-lettered record and its dead letters."""
        may_be_lost = bool(self.retained.dead_letters.lost_until)
        for row in spill.read(spilled.DEAD_LETTERED):
            position = _position(row, self.settings.topic_commands)
            letters, equal = row["letters"], row["equal_letters"]
            if not letters:
                if self._is_committed(row) and not may_be_lost:
                    expected = f"a dead letter for {position}, which cannot be read"
                    yield Finding(FindingKind.COMMAND_NOT_SET_ASIDE, None, expected, "none")
            elif equal != letters or (letters > 1 and self.settings.is_transactional):
                yield Finding(
                    FindingKind.DEAD_LETTER_DIFFERS,
                    row["invoice_id"],
                    f"one dead letter with the bytes of {position}",
                    f"{letters}, {equal} of them with these bytes",
                )

    def numbers(self, spill: Spill) -> Iterator[Finding]:
        """Every seller's numbers and what its series have counted."""
        unseen = dict(self.numbers_counted)
        rows = spill.read(spilled.NUMBERS)
        for (seller_id, kind), group in groupby(rows, itemgetter("seller_id", "kind")):
            check = SeriesCheck(seller_id, kind, unseen.pop((seller_id, kind), 0))
            for row in group:
                yield from check.take(GivenNumber(row["text"], row["invoice_id"]))
            yield from check.end()
        for (seller_id, kind), counted in unseen.items():
            yield from SeriesCheck(seller_id, kind, counted).end()

    def _is_committed(self, row: Row) -> bool:
        """Whether the group has committed the offset of the command at the row's position."""
        if row["partition"] is None:
            return False
        return bool(row["offset"] < self.watermarks.committed.get(row["partition"], 0))


def _position(row: Row, topic: str) -> Position:
    partition, offset = row["partition"], row["offset"]
    return Position(topic, NO_PARTITION if partition is None else partition, offset or 0)
