"""Write digests of all topics to the spill."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import orjson
from aiokafka import ConsumerRecord

from invoicing.contracts.dead_letters import parse_dead_letter_headers
from invoicing.contracts.envelope import DecodeFailure, read_command
from invoicing.maintenance.topics import HighWatermarks, RetainedRange, read_topic, topic_reader
from invoicing.maintenance.verify.findings import Finding, FindingKind, Progress, Report
from invoicing.maintenance.verify.spill import Row, Spill, digest
from invoicing.runtime.kafka.topics import partition_of
from invoicing.runtime.settings import Settings
from invoicing.store.rows import Position


@dataclass(frozen=True, slots=True)
class RetainedRanges:
    """What each topic still retains."""

    commands: RetainedRange
    events: RetainedRange
    replies: RetainedRange
    dead_letters: RetainedRange


async def spill_topics(
    settings: Settings,
    routing_partitions: int,
    watermarks: HighWatermarks,
    spill: Spill,
    report: Report,
    progress: Progress,
) -> RetainedRanges:
    """Read all four topics up to the watermarks. Raises `UnfinishedTransactionError`."""
    async with topic_reader(settings) as consumer:

        async def read(
            topic: str, table: str, row_of: Callable[[ConsumerRecord], Row]
        ) -> RetainedRange:
            retained = RetainedRange()
            async for records in read_topic(consumer, topic, watermarks, retained):
                rows = []
                for record in records:
                    try:
                        rows.append(row_of(record))
                    except (ValueError, LookupError, TypeError, AttributeError) as error:
                        position = Position(record.topic, record.partition, record.offset)
                        expected = f"a message of this service at {position}"
                        found = type(error).__name__
                        report(Finding(FindingKind.MESSAGE_UNREADABLE, None, expected, found))
                spill.add(table, rows)
                progress(topic, retained.records, retained.length)
            return retained

        record_row = partial(_record_row, routing_partitions=routing_partitions)
        dead_letter_row = partial(_dead_letter_row, topic_commands=settings.topic_commands)
        return RetainedRanges(
            events=await read(settings.topic_events, "published_events", _event_row),
            replies=await read(settings.topic_replies, "published_replies", _reply_row),
            dead_letters=await read(settings.topic_dead_letter, "dead_letters", dead_letter_row),
            commands=await read(settings.topic_commands, "records", record_row),
        )


def _event_row(record: ConsumerRecord) -> Row:
    event = orjson.loads(record.value)
    return (
        str(event["subject"]), int(event["version"]), digest(record.value),
        record.key == event["subject"].encode(), record.partition, record.offset,
    )  # fmt: skip


def _reply_row(record: ConsumerRecord) -> Row:
    data = orjson.loads(record.value)["data"]
    return (
        str(data["command_source"]), str(data["command_id"]), str(data["invoice_id"]),
        data.get("code"), digest(record.value), record.partition, record.offset,
    )  # fmt: skip


def _record_row(record: ConsumerRecord, routing_partitions: int) -> Row:
    command = read_command(record.value, record.headers)
    value = digest(record.value or b"")
    if isinstance(command, DecodeFailure):
        return (None, None, None, None, value, True, record.partition, record.offset)
    is_routed = partition_of(command.subject.encode(), routing_partitions) == record.partition
    return (
        command.source, command.id, command.subject, command.body_hash, value, is_routed,
        record.partition, record.offset,
    )  # fmt: skip


def _dead_letter_row(record: ConsumerRecord, topic_commands: str) -> Row:
    failure = parse_dead_letter_headers(record.headers)
    if failure.partition is None or failure.offset is None:
        raise ValueError("The dead letter's headers name no position.")
    # A position in a commands topic of another name says nothing about this one's records.
    is_of_topic = failure.topic == topic_commands
    of_record = (failure.partition, failure.offset) if is_of_topic else (None, None)
    return (*of_record, digest(record.value or b""), record.partition, record.offset)
