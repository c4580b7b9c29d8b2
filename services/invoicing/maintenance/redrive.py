"""Dead letters: read them, and send them back to the commands topic, each once.

The progress of all redrives is the committed offsets of a consumer group of its own,
`<group>-redrive`, committed in the Kafka transaction that writes the commands. Every letter below
the offset was sent back; letters beyond it, which an operator picked, are listed in the offset's
metadata.
"""

import re
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from invoicing.contracts.dead_letters import (
    DeadLetterHeaders,
    Header,
    parse_dead_letter_headers,
    redrive_headers,
)
from invoicing.contracts.envelope import CommandEnvelope, read_command
from invoicing.runtime.errors import OperatorError
from invoicing.runtime.kafka.connect import new_consumer, new_transactional_producer
from invoicing.runtime.kafka.groups import committed_offsets
from invoicing.runtime.kafka.topics import existing_topics, partition_of
from invoicing.runtime.settings import Settings

REDRIVEN_AT_ONCE: Final = 500
UNCOMPRESSED_BYTES_MAX: Final = 1 << 30
POLL_MS: Final = 200
# Kafka's default for `offset.metadata.max.bytes`, less a little.
METADATA_CHARACTERS_MAX: Final = 4_000

_SPAN: Final = re.compile(r"([0-9]+)-([0-9]+)", re.ASCII)


class RedriveError(OperatorError):
    """The redrive cannot go on. Its progress is kept; the message says what to do."""


@dataclass(frozen=True, slots=True)
class DeadLetterRecord:
    """A record of the dead-letter topic. Headers that cannot be read count as empty."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]

    @property
    def position(self) -> str:
        """Its partition and offset in the dead-letter topic, as operators type it: `3@17`."""
        return f"{self.partition}@{self.offset}"

    @property
    def failure(self) -> DeadLetterHeaders:
        """Why, when and where from it was dead-lettered."""
        return parse_dead_letter_headers(self.headers)

    @property
    def command(self) -> CommandEnvelope | None:
        """The command in it; None if the record is not one."""
        read = read_command(self.value, self.headers)
        return read if isinstance(read, CommandEnvelope) else None


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Selects dead letters: those that match every criterion given. Empty, it selects all."""

    reasons: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    positions: frozenset[str] = frozenset()

    def matches(self, letter: DeadLetterRecord) -> bool:
        """Whether the letter is selected. One without a readable time matches no time."""
        if self.reasons and letter.failure.reason not in self.reasons:
            return False
        if self.positions and letter.position not in self.positions:
            return False
        if self.since is None and self.until is None:
            return True
        failed_at = letter.failure.failed_at
        if failed_at is None:
            return False
        return (self.since is None or failed_at >= self.since) and (
            self.until is None or failed_at < self.until
        )


@dataclass(frozen=True, slots=True)
class RedriveProgress:
    """The letters of one partition that were sent back: all below `offset`, and those in `spans`.

    A span holds its first and last offset.
    """

    offset: int
    spans: Sequence[tuple[int, int]] = ()

    @classmethod
    def parse(cls, offset: int, metadata: str) -> "RedriveProgress":
        """Read a committed offset and its metadata; an offset below zero means none."""
        spans = [(int(first), int(last)) for first, last in _SPAN.findall(metadata)]
        return cls(max(offset, 0), spans)

    def encode_metadata(self) -> str:
        """The spans as they are committed: `17-17,20-25`. Raises `RedriveError` if too long."""
        metadata = ",".join(f"{first}-{last}" for first, last in self.spans)
        if len(metadata) > METADATA_CHARACTERS_MAX:
            raise RedriveError(
                "Too many separate letters were selected: Kafka cannot record them. Select by time"
                " or reason, so that fewer letters in between are left out."
            )
        return metadata

    def includes(self, offset: int) -> bool:
        """Whether the letter at this offset was sent back."""
        return offset < self.offset or any(first <= offset <= last for first, last in self.spans)


def redriven_offsets(letters: Sequence[int], redriven: Collection[int]) -> RedriveProgress:
    """The progress of a partition: its letters' offsets in order, and those that were sent back.

    Neighbouring letters share a span however far apart their offsets are, since there are only
    Kafka's own markers between them.
    """
    spans: list[tuple[int, int]] = []
    extends = False
    for offset in letters:
        if offset not in redriven:
            extends = False
            continue
        if extends:
            spans[-1] = (spans[-1][0], offset)
        else:
            spans.append((offset, offset))
        extends = True
    if letters and spans and spans[0][0] == letters[0]:
        return RedriveProgress(spans[0][1] + 1, spans[1:])
    return RedriveProgress(letters[0] if letters else 0, spans)


async def read_letters(
    consumer: AIOKafkaConsumer, topic: str
) -> AsyncIterator[Sequence[DeadLetterRecord]]:
    """Yield all dead letters that the topic holds now, in order within each partition."""
    partitions = [partition for partition in consumer.assignment() if partition.topic == topic]
    ends = await consumer.end_offsets(partitions)
    while [one for one in partitions if await consumer.position(one) < ends[one]]:
        for partition, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
            yield [
                DeadLetterRecord(
                    record.partition, record.offset, record.key, record.value, record.headers
                )
                for record in records
                if record.offset < ends[partition]
            ]


async def redrive_state(settings: Settings) -> dict[int, RedriveProgress]:
    """Read which letters were sent back, by partition of the dead-letter topic."""
    count = (await existing_topics(settings))[settings.topic_dead_letter]
    partitions = [TopicPartition(settings.topic_dead_letter, number) for number in range(count)]
    committed = await committed_offsets(settings, _group(settings), partitions)
    return {
        partition.partition: RedriveProgress.parse(offset.offset, offset.metadata)
        for partition, offset in committed.items()
    }


def is_redriven(state: Mapping[int, RedriveProgress], letter: DeadLetterRecord) -> bool:
    """Whether the letter was sent back already."""
    return letter.partition in state and state[letter.partition].includes(letter.offset)


def _group(settings: Settings) -> str:
    return f"{settings.consumer_group}-redrive"


async def redrive(
    settings: Settings,
    consumer: AIOKafkaConsumer,
    selected: DeadLetterFilter,
    count_max: int | None,
    progress: Callable[[int], None],
) -> int:
    """Send back the selected letters that were not sent back yet, at most `count_max` of them.

    The consumer is assigned to the dead-letter topic, at its beginning. Returns how many letters
    were sent; `progress` is called with that number as it grows. Raises `RedriveError`.
    """
    async with _redriver(settings) as redriver:
        state = await redrive_state(settings)
        offsets: dict[int, list[int]] = {}
        chosen: list[tuple[int, int]] = []
        async for letters in read_letters(consumer, settings.topic_dead_letter):
            for letter in letters:
                offsets.setdefault(letter.partition, []).append(letter.offset)
                if selected.matches(letter) and not is_redriven(state, letter):
                    chosen.append((letter.partition, letter.offset))
        sent = 0
        async for chunk in _chunks(settings, consumer, frozenset(chosen[:count_max])):
            state |= _advanced(state, offsets, chunk)
            await redriver.send_back(chunk, state)
            sent += len(chunk)
            progress(sent)
    return sent


async def _chunks(
    settings: Settings, consumer: AIOKafkaConsumer, chosen: frozenset[tuple[int, int]]
) -> AsyncIterator[Sequence[DeadLetterRecord]]:
    """Read the chosen letters a second time, in chunks: all at once they may exceed the memory."""
    await consumer.seek_to_beginning()
    chunk: list[DeadLetterRecord] = []
    async for letters in read_letters(consumer, settings.topic_dead_letter):
        chunk += [letter for letter in letters if (letter.partition, letter.offset) in chosen]
        while len(chunk) >= REDRIVEN_AT_ONCE:
            yield chunk[:REDRIVEN_AT_ONCE]
            chunk = chunk[REDRIVEN_AT_ONCE:]
    if chunk:
        yield chunk


def _advanced(
    state: Mapping[int, RedriveProgress],
    offsets: Mapping[int, Sequence[int]],
    sent: Iterable[DeadLetterRecord],
) -> dict[int, RedriveProgress]:
    """The progress of the partitions of these letters, once they are sent."""
    by_partition: dict[int, set[int]] = {}
    for letter in sent:
        by_partition.setdefault(letter.partition, set()).add(letter.offset)
    for partition, redriven in by_partition.items():
        if partition in state:
            redriven.update(filter(state[partition].includes, offsets[partition]))
    advanced = {
        partition: redriven_offsets(offsets[partition], redriven)
        for partition, redriven in by_partition.items()
    }
    assert all(
        advanced[partition].includes(offset)
        for partition, redriven in by_partition.items()
        for offset in redriven
    ), "a letter that was sent back must never be sent again"
    return advanced


@asynccontextmanager
async def _redriver(settings: Settings) -> AsyncIterator["Redriver"]:
    """A redriver; with transactions, it fences any other that still runs."""
    producer = new_transactional_producer(
        settings,
        _group(settings),
        compression_type="zstd",
        # Checked before compression; what the topic holds fits when compressed.
        max_request_size=UNCOMPRESSED_BYTES_MAX,
    )
    # Before the state is read, as when a lane opens: it fences an earlier redriver and settles its
    # open transaction. Only then is the committed progress final.
    await producer.start()
    try:
        yield Redriver(settings, producer)
    finally:
        await producer.stop()


class Redriver:
    """Sends dead letters back. Only one can be at work: starting another fences this one."""

    def __init__(self, settings: Settings, producer: AIOKafkaProducer) -> None:
        self._settings = settings
        self._producer = producer

    async def send_back(
        self, letters: Sequence[DeadLetterRecord], state: Mapping[int, RedriveProgress]
    ) -> None:
        """Write the commands and commit the progress, both or neither.

        Without transactions the commands are written first, so a crash in between repeats them.
        """
        offsets = {
            TopicPartition(self._settings.topic_dead_letter, partition): (
                progress.offset,
                progress.encode_metadata(),
            )
            for partition, progress in state.items()
        }
        if self._settings.is_transactional:
            async with self._producer.transaction():
                await self._send(letters)
                await self._producer.send_offsets_to_transaction(offsets, _group(self._settings))
        else:
            await self._send(letters)
            consumer = new_consumer(self._settings, group_id=_group(self._settings))
            await consumer.start()
            try:
                consumer.assign(list(offsets))
                await consumer.commit(offsets)
            finally:
                await consumer.stop()

    async def _send(self, letters: Iterable[DeadLetterRecord]) -> None:
        topic = self._settings.topic_commands
        partitions = len(await self._producer.partitions_for(topic))
        acknowledgements = []
        for letter in letters:
            command = letter.command
            key = command.subject.encode() if command else letter.key
            acknowledgements.append(
                await self._producer.send(
                    topic,
                    letter.value,
                    key=key,
                    headers=redrive_headers(letter.headers, letter.position),
                    partition=partition_of(key, partitions)
                    if key
                    else letter.partition % partitions,
                )
            )
        for acknowledgement in acknowledgements:
            await acknowledgement
