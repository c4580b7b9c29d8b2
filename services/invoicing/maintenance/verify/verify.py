"""The whole proof: read both sides to disk, then compare them in order.

First Kafka's ends, then its topics, and only then Postgres' snapshot. A batch is stored before it
is published, so whatever the topics showed is in the later snapshot; and what the snapshot has but
the topics had not is due only where the group had committed its command's offset before the ends
were asked for. So what live workers have in flight is no finding. The lanes' marks are read twice,
before Kafka is asked and with the snapshot.
"""

from dataclasses import dataclass

from invoicing.maintenance.database import homes_of, lanes, snapshot
from invoicing.maintenance.topics import HighWatermarks, read_watermarks
from invoicing.maintenance.verify.comparison import Comparison
from invoicing.maintenance.verify.findings import Progress, Report
from invoicing.maintenance.verify.kafka_side import RetainedRanges, spill_topics
from invoicing.maintenance.verify.lanes import LanesSeen, check_lanes
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
        """Partitions, of all topics, that have lost records by age and were compared in part."""
        retained = self.retained
        topics = (retained.commands, retained.events, retained.answers, retained.dead_letters)
        return sum(len(retained.lost_until) for retained in topics)

    @property
    def offsets_not_due(self) -> int:
        """How far the group was behind the commands topic's end: its own marks count too."""
        return sum(
            end
            - max(self.watermarks.committed.get(place.partition, 0), self._begin(place.partition))
            for place, end in self.watermarks.ends.items()
            if place.topic == self.topic_commands
        )

    def _begin(self, partition: int) -> int:
        return self.retained.commands.begins[partition]


async def verify(settings: Settings, report: Report, progress: Progress) -> Verified:
    """Compare Postgres with the topics; every broken promise is reported as it is found.

    Raises `TopicsError`, `SchemaError` and `UnfinishedTransactionError`.
    """
    with spilling() as spill:
        async with snapshot(settings) as connection:
            lanes_before = await lanes(connection, settings)
        watermarks = await read_watermarks(settings)
        homes = await homes_of(settings, watermarks)
        retained = await spill_topics(settings, homes, watermarks, spill, report, progress)
        async with snapshot(settings) as connection:
            tables = await spill_database(
                connection, settings.topic_commands, spill, report, progress
            )
            seen = LanesSeen(lanes_before, await lanes(connection, settings))
        for finding in check_lanes(settings.topic_commands, seen, watermarks):
            report(finding)
        spill.index()
        comparison = Comparison(settings, watermarks, homes, retained, tables.numbers_counted)
        for finding in comparison.findings(spill):
            report(finding)
        return Verified(settings.topic_commands, watermarks, retained, tables)
