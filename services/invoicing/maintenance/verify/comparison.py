"""Both sides, read back from the spill in one order and compared."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from sqlite3 import Row
from typing import Final

from invoicing.maintenance.topics import EVERYTHING, HighWatermarks, RetainedRange
from invoicing.maintenance.verify import spill as spilled
from invoicing.maintenance.verify.answered import (
    AnswerDigest,
    CommandCase,
    CommandRecord,
    PublishedAnswer,
    check_command,
)
from invoicing.maintenance.verify.findings import Finding, FindingKind
from invoicing.maintenance.verify.kafka_side import RetainedRanges
from invoicing.maintenance.verify.numbers import GivenNumber, SeriesCheck
from invoicing.maintenance.verify.published import PublishedDigest, StoredDigest, check_published
from invoicing.maintenance.verify.spill import Spill
from invoicing.runtime.kafka.topics import partition_of
from invoicing.runtime.settings import Settings
from invoicing.store.rows import Position

# Two machines' clocks differ by less: what was recorded this close to what a topic has lost by age
# may be lost too.
CLOCKS_DIFFER: Final = timedelta(minutes=1)
NOWHERE: Final = -1


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rules of one comparison: what was due, and what the topics still held.

    `homes` are among how many lanes invoices are at home.
    """

    settings: Settings
    watermarks: HighWatermarks
    homes: int
    retained: RetainedRanges
    numbers_counted: Mapping[tuple[str, str], int]

    def findings(self, spill: Spill) -> Iterator[Finding]:
        """All that the two sides do not agree on."""
        yield from self._events(spill.read(spilled.EVENTS_BY_INVOICE))
        yield from self._commands(spill.read(spilled.CASES_BY_COMMAND))
        yield from self._dead_letters(spill.read(spilled.SET_ASIDE))
        yield from self._numbers(spill.read(spilled.NUMBERS))

    def _events(self, rows: Iterator[Row]) -> Iterator[Finding]:
        for invoice_id, group in groupby(rows, itemgetter("invoice_id")):
            stored: list[StoredDigest] = []
            published: list[PublishedDigest] = []
            for row in group:
                if row["published"]:
                    position = _position(row, self.settings.topic_events)
                    is_keyed = bool(row["is_keyed"])
                    published.append(
                        PublishedDigest(row["version"], row["digest"], position, is_keyed)
                    )
                else:
                    stored.append(self._stored_event(row))
            home = partition_of(invoice_id.encode(), self.homes)
            yield from check_published(
                invoice_id, stored, published, home, once=self.settings.is_transactional
            )

    def _stored_event(self, row: Row) -> StoredDigest:
        return StoredDigest(
            row["version"],
            row["digest"],
            committed=self._is_committed(row),
            retained=is_retained(row, self.retained.events),
            answered=bool(row["answered"]),
            lane=row["partition"],
        )

    def _commands(self, rows: Iterator[Row]) -> Iterator[Finding]:
        for (source, id_), group in groupby(rows, itemgetter("source", "id")):
            answer: AnswerDigest | None = None
            records: list[CommandRecord] = []
            published: list[PublishedAnswer] = []
            for row in group:
                if row["side"] == spilled.STORED:
                    answer = self._answer(row)
                elif row["side"] == spilled.RECORD:
                    records.append(self._record(row))
                else:
                    published.append(self._published(row))
            case = CommandCase((source, id_), answer, records, published)
            yield from check_command(case, once=self.settings.is_transactional)

    def _answer(self, row: Row) -> AnswerDigest:
        return AnswerDigest(
            row["invoice_id"],
            row["body_hash"],
            row["digest"],
            _position(row, self.settings.topic_commands),
            committed=self._is_committed(row),
            retained=is_retained(row, self.retained.answers),
        )

    def _record(self, row: Row) -> CommandRecord:
        return CommandRecord(
            _position(row, self.settings.topic_commands),
            row["invoice_id"],
            row["body_hash"],
            row["digest"],
            committed=self._is_committed(row),
            at_home=bool(row["at_home"]),
        )

    def _published(self, row: Row) -> PublishedAnswer:
        return PublishedAnswer(
            row["invoice_id"],
            row["code"],
            row["digest"],
            _position(row, self.settings.topic_replies),
        )

    def _dead_letters(self, rows: Iterator[Row]) -> Iterator[Finding]:
        for row in rows:
            position = _position(row, self.settings.topic_commands)
            letters = row["letters"]
            if not letters:
                lost = self.retained.dead_letters.lost_until
                if self._is_committed(row) and not lost:
                    yield Finding(
                        FindingKind.COMMAND_NOT_SET_ASIDE,
                        None,
                        f"a dead letter for {position}, which cannot be read",
                        "none",
                    )
            elif row["equal_letters"] != letters or (
                letters > 1 and self.settings.is_transactional
            ):
                yield Finding(
                    FindingKind.DEAD_LETTER_DIFFERS,
                    row["invoice_id"],
                    f"one dead letter with the bytes of {position}",
                    f"{letters}, of which {row['equal_letters']} with these bytes",
                )

    def _numbers(self, rows: Iterator[Row]) -> Iterator[Finding]:
        unseen = dict(self.numbers_counted)
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
    return Position(topic, NOWHERE if partition is None else partition, offset or 0)


def is_retained(row: Row, retained: RetainedRange) -> bool:
    """Whether a topic cannot have lost by age what was recorded then."""
    lost_until = retained.lost_until.get(row["partition"])
    if lost_until is None:
        return True
    if lost_until is EVERYTHING:
        return False
    return datetime.fromtimestamp(row["recorded_at"], UTC) > lost_until + CLOCKS_DIFFER
