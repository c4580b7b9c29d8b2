"""The topics, written to the spill by digests."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from invoicing.contracts.dead_letters import parse_dead_letter_headers
from invoicing.contracts.envelope import DecodeFailure, read_command
from invoicing.maintenance.topics import HighWatermarks, RetainedRange, read_topic, topic_reader
from invoicing.maintenance.verify.findings import Finding, FindingKind, Progress, Report
from invoicing.maintenance.verify.spill import Spill
from invoicing.runtime.kafka.topics import partition_of
from invoicing.runtime.settings import Settings
from invoicing.store.rows import Position

DIGEST_BYTES: Final = 16

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class RetainedRanges:
    """What each topic still held."""

    commands: RetainedRange
    events: RetainedRange
    answers: RetainedRange
    dead_letters: RetainedRange


def digest(value: bytes) -> bytes:
    """What stands for a value in the spill."""
    return hashlib.blake2b(value, digest_size=DIGEST_BYTES).digest()


async def spill_topics(
    settings: Settings,
    homes: int,
    watermarks: HighWatermarks,
    spill: Spill,
    report: Report,
    progress: Progress,
) -> RetainedRanges:
    """Read all four topics up to these ends. Raises `UnfinishedTransactionError`.

    `homes` are among how many lanes invoices are at home.
    """
    async with topic_reader(settings) as consumer:
        reading = _Reading(consumer, watermarks, spill, report, progress)
        return RetainedRanges(
            events=await reading.topic(settings.topic_events, "published_events", _event_row),
            answers=await reading.topic(
                settings.topic_replies, "published_answers", _published_answer_row
            ),
            dead_letters=await reading.topic(
                settings.topic_dead_letter,
                "dead_letters",
                partial(_dead_letter_row, topic_commands=settings.topic_commands),
            ),
            commands=await reading.topic(
                settings.topic_commands, "records", partial(_record_row, homes=homes)
            ),
        )


@dataclass(frozen=True, slots=True)
class _Reading:
    consumer: AIOKafkaConsumer
    watermarks: HighWatermarks
    spill: Spill
    report: Report
    progress: Progress

    async def topic(
        self, topic: str, table: str, row: Callable[[ConsumerRecord], Row]
    ) -> RetainedRange:
        retained = RetainedRange()
        async for records in read_topic(self.consumer, topic, self.watermarks, retained):
            self.spill.add(table, self._rows(records, row))
            self.progress(topic, retained.records, retained.length)
        return retained

    def _rows(
        self, records: Sequence[ConsumerRecord], row: Callable[[ConsumerRecord], Row]
    ) -> Iterator[Row]:
        for record in records:
            try:
                yield row(record)
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                self.report(_unreadable(record, error))


def _unreadable(record: ConsumerRecord, error: Exception) -> Finding:
    position = Position(record.topic, record.partition, record.offset)
    return Finding(
        FindingKind.MESSAGE_UNREADABLE,
        None,
        f"a message of this service at {position}",
        type(error).__name__,
    )


def _event_row(record: ConsumerRecord) -> Row:
    event = orjson.loads(record.value)
    return (
        str(event["subject"]), int(event["version"]), digest(record.value),
        record.key == event["subject"].encode(), record.partition, record.offset,
    )  # fmt: skip


def _published_answer_row(record: ConsumerRecord) -> Row:
    answer = orjson.loads(record.value)
    data = answer["data"]
    return (
        str(data["command_source"]), str(data["command_id"]), str(data["invoice_id"]),
        data.get("code"), digest(record.value), record.partition, record.offset,
    )  # fmt: skip


def _record_row(record: ConsumerRecord, homes: int) -> Row:
    command = read_command(record.value, record.headers)
    value = digest(record.value or b"")
    if isinstance(command, DecodeFailure):
        return (None, None, None, None, value, True, record.partition, record.offset)
    at_home = partition_of(command.subject.encode(), homes) == record.partition
    return (
        command.source, command.id, command.subject, command.body_hash, value, at_home,
        record.partition, record.offset,
    )  # fmt: skip


def _dead_letter_row(record: ConsumerRecord, topic_commands: str) -> Row:
    failure = parse_dead_letter_headers(record.headers)
    if failure.partition is None or failure.offset is None:
        raise ValueError("A dead letter has no readable position.")
    # Under another topic's name, a position says nothing about the records of this one.
    is_of_topic = failure.topic == topic_commands
    of_record = (failure.partition, failure.offset) if is_of_topic else (None, None)
    return (*of_record, digest(record.value or b""), record.partition, record.offset)
