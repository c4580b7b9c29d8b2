"""The whole comparison: read both sides to disk, then compare them in order.

The order of the reads makes this correct beside live workers: Kafka's watermarks first, then the
topics up to them, then Postgres' snapshot. A batch is stored before it is published, so whatever
the topics showed is in the later snapshot. What the snapshot has and the topics had not is due only
if the group had committed its command's offset before the watermarks were read, so work in flight
gives no findings. The lanes' checkpoints are read twice: before Kafka's watermarks and with the
snapshot.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from invoicing.maintenance.database import checkpoints, routing_partitions, snapshot
from invoicing.maintenance.topics import HighWatermarks, read_watermarks
from invoicing.maintenance.verify.comparison import Comparison
from invoicing.maintenance.verify.findings import Finding, FindingKind, Progress, Report
from invoicing.maintenance.verify.kafka_side import RetainedRanges, spill_topics
from invoicing.maintenance.verify.postgres_side import Tables, spill_database
from invoicing.maintenance.verify.spill import spilling
from invoicing.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Verified:
    """How much was compared."""

    topic_commands: str
    watermarks: HighWatermarks
    retained: RetainedRanges
    tables: Tables

    @property
    def partitions_cut(self) -> int:
        """Partitions, of all topics, that lost records to retention and were compared in part."""
        retained = self.retained
        topics = (retained.commands, retained.events, retained.replies, retained.dead_letters)
        return sum(len(topic.lost_until) for topic in topics)

    @property
    def offsets_not_due(self) -> int:
        """How far the group was behind the end of the commands topic, Kafka's markers included."""
        begins, committed = self.retained.commands.begins, self.watermarks.committed
        return sum(
            end - max(committed.get(lane.partition, 0), begins[lane.partition])
            for lane, end in self.watermarks.ends.items()
            if lane.topic == self.topic_commands
        )


async def verify(settings: Settings, report: Report, progress: Progress) -> Verified:
    """Compare Postgres with the topics; every broken promise is reported as it is found.

    Raises `TopicsError`, `SchemaError` and `UnfinishedTransactionError`.
    """
    with spilling() as spill:
        async with snapshot(settings) as connection:
            before = await checkpoints(connection, settings)
        watermarks = await read_watermarks(settings)
        partitions = await routing_partitions(settings, watermarks)
        retained = await spill_topics(settings, partitions, watermarks, spill, report, progress)
        async with snapshot(settings) as connection:
            tables = await spill_database(
                connection, settings.topic_commands, spill, report, progress
            )
            after = await checkpoints(connection, settings)
        for finding in check_checkpoints(settings.topic_commands, before, after, watermarks):
            report(finding)
        spill.index()
        both = Comparison(settings, watermarks, partitions, retained, tables.numbers_counted)
        for check in (both.events, both.commands, both.dead_letters, both.numbers):
            for finding in check(spill):
                report(finding)
        return Verified(settings.topic_commands, watermarks, retained, tables)


def check_checkpoints(
    topic: str, before: Mapping[int, int], after: Mapping[int, int], watermarks: HighWatermarks
) -> Iterator[Finding]:
    """Compare the database's checkpoints with Kafka's offsets, for all lanes of the commands topic.

    Workers advance both meanwhile. What was stored `before` the watermarks were read must be in the
    log by then; what Kafka had committed by then must be stored `after`.
    """
    for lane in sorted(lane for lane in watermarks.ends if lane.topic == topic):
        name, end = f"{topic}-{lane.partition}", watermarks.ends[lane]
        committed = watermarks.committed.get(lane.partition)
        stored_before, stored_after = before.get(lane.partition, 0), after.get(lane.partition, 0)
        handled = max(stored_before, committed or 0)
        if handled > end:
            expected = f"{name} has the records that were handled, up to {handled}"
            yield Finding(FindingKind.LOG_TOO_SHORT, None, expected, f"it ends at {end}")
        if stored_before and committed is None:
            expected = f"an offset of the group for {name}, handled up to {stored_before}"
            yield Finding(FindingKind.OFFSET_GONE, None, expected, "none")
        if (committed or 0) > stored_after:
            expected = f"{name} is stored up to {committed}, as committed to Kafka"
            yield Finding(
                FindingKind.LANE_FORGOTTEN, None, expected, f"stored up to {stored_after}"
            )
