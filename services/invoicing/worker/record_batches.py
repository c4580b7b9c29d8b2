"""Packs messages into Kafka's record batches, in order.

The client's own `send` packs them one by one, with a future each, and takes twice as long.
"""

from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch

# Below the brokers' default limit of 1 MiB for a batch, with room for the batch's own header.
BATCH_BYTES_MAX: Final = 1_040_000


class RecordBatches:
    """The batches of one publication: for each partition one, and more where one is full."""

    def __init__(self, producer: AIOKafkaProducer, *, is_transactional: bool) -> None:
        self.packed: list[tuple[str, int, BatchBuilder]] = []
        """Each batch with its topic and partition, the oldest first."""
        self._producer = producer
        self._is_transactional = is_transactional
        self._last: dict[tuple[str, int], BatchBuilder] = {}

    def add(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes | None]],
        timestamp_ms: int | None = None,
    ) -> None:
        """Add a message to the last batch of its partition, or to a new one."""
        batch = self._last.get((topic, partition))
        if batch is not None:
            added = batch.append(key=key, value=value, timestamp=timestamp_ms, headers=headers)
            if added is not None:
                return
        batch = self._producer.create_batch()
        batch.append(key=key, value=value, timestamp=timestamp_ms, headers=headers)
        if batch.size() > BATCH_BYTES_MAX:
            batch = self._compressing()
            batch.append(key=key, value=value, timestamp=timestamp_ms, headers=headers)
        self._last[topic, partition] = batch
        self.packed.append((topic, partition, batch))

    def _compressing(self) -> BatchBuilder:
        """A batch for one large message.

        Brokers limit a batch's compressed size, so a record that arrived may be of any size. Only
        zstd has a window large enough to compress it at least as well as its producer did.
        """
        return BatchBuilder(
            BATCH_BYTES_MAX, DefaultRecordBatch.CODEC_ZSTD, is_transactional=self._is_transactional
        )
