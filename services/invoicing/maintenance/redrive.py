"""Dead letters: read, and sent back to the commands topic, each once.

What was sent back is remembered as the offsets of a consumer group of its own, `<group>-redrive`,
committed in the very Kafka transaction that writes the commands. An offset says that all before it
went back; what went back beyond it, since somebody chose, stands in the offset's metadata.
"""

import re
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from invoicing.contracts.envelope import CommandEnvelope, read_command
from invoicing.runtime.kafka import (
    client_options,
    committed_offsets,
    existing_topics,
    partition_of,
    producer_options,
)
from invoicing.runtime.settings import Settings

REDRIVEN_AT_ONCE: Final = 500
UNCOMPRESSED_BYTES_MAX: Final = 1 << 30
TRANSACTION_TIMEOUT_MS: Final = 60_000
# Kafka's default for `offset.metadata.max.bytes`, less a little.
METADATA_CHARACTERS_MAX: Final = 4_000

PREFIX: Final = "dl_"
FIRST_PREFIX: Final = "dl_first_"
REDRIVEN_FROM: Final = "dl_redriven_from"

_SPAN: Final = re.compile(r"([0-9]+)-([0-9]+)", re.ASCII)

Header = tuple[str, bytes | None]


class RedriveError(Exception):
    """The redrive cannot go on. What was sent back is remembered; the message says what to do."""


@dataclass(frozen=True, slots=True)
class DeadLetterRecord:
    """A record of the dead-letter topic. What cannot be read of its headers is empty."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]

    @property
    def place(self) -> str:
        """How people name it: its partition and its offset in the dead-letter topic."""
        return f"{self.partition}@{self.offset}"

    @property
    def reason(self) -> str:
        """Why it was set aside, as a code."""
        return self._told("reason")

    @property
    def message(self) -> str:
        """Why it was set aside, in words."""
        return self._told("message")

    @property
    def origin(self) -> str:
        """Where it stood when it was set aside."""
        return f"{self._told('topic')}-{self._told('partition')}@{self._told('offset')}"

    @property
    def failed_at(self) -> datetime | None:
        """When it was set aside."""
        try:
            return datetime.fromisoformat(self._told("failed_at")).astimezone(UTC)
        except ValueError:
            return None

    @property
    def command(self) -> CommandEnvelope | None:
        """The command in it, where it is one: what failed may have been something else."""
        read = read_command(self.value, self.headers)
        return read if isinstance(read, CommandEnvelope) else None

    def _told(self, name: str) -> str:
        # The last one: whatever the producer called so stands before it.
        values = [value for header, value in self.headers if header == PREFIX + name]
        return (values[-1] or b"").decode(errors="replace") if values else ""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which dead letters are meant: all that fit everything that is said."""

    reasons: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    places: frozenset[str] = frozenset()

    def fits(self, letter: DeadLetterRecord) -> bool:
        """Whether the letter is meant. One without a readable time fits no time."""
        if self.reasons and letter.reason not in self.reasons:
            return False
        if self.places and letter.place not in self.places:
            return False
        return self._is_in_time(letter.failed_at)

    def _is_in_time(self, failed_at: datetime | None) -> bool:
        if self.since is None and self.until is None:
            return True
        if failed_at is None:
            return False
        return (self.since is None or failed_at >= self.since) and (
            self.until is None or failed_at < self.until
        )


@dataclass(slots=True)
class Gone:
    """Which letters of a partition went back: all below `offset`, and those in `spans`."""

    offset: int
    spans: list[list[int]]

    @classmethod
    def parse(cls, offset: int, metadata: str) -> "Gone":
        """From what the group has committed."""
        spans = [[int(first), int(last)] for first, last in _SPAN.findall(metadata)]
        return cls(max(offset, 0), spans)

    @property
    def metadata(self) -> str:
        """The spans as they are committed: `17-17,20-25`."""
        return ",".join(f"{first}-{last}" for first, last in self.spans)

    def holds(self, offset: int) -> bool:
        """Whether the letter at this offset went back."""
        return offset < self.offset or any(first <= offset <= last for first, last in self.spans)


def gone_of(letters: Sequence[int], gone: Collection[int]) -> Gone:
    """What went back, of a partition's letters; all by their offsets, `letters` in order.

    Between two letters that follow on one another there are only Kafka's own marks, so they share
    a span however far apart their offsets are.
    """
    spans: list[list[int]] = []
    previous_gone = False
    for offset in letters:
        if offset in gone and previous_gone:
            spans[-1][1] = offset
        elif offset in gone:
            spans.append([offset, offset])
        previous_gone = offset in gone
    if letters and spans and spans[0][0] == letters[0]:
        return Gone(spans[0][1] + 1, spans[1:])
    return Gone(letters[0] if letters else 0, spans)


async def read_letters(
    consumer: AIOKafkaConsumer, topic: str
) -> AsyncIterator[Sequence[DeadLetterRecord]]:
    """All dead letters that the topic holds now, each partition's in order."""
    places = [place for place in consumer.assignment() if place.topic == topic]
    ends = await consumer.end_offsets(places)
    while [place for place in places if await consumer.position(place) < ends[place]]:
        for place, records in (await consumer.getmany(timeout_ms=200)).items():
            yield [_letter(record) for record in records if record.offset < ends[place]]


def _letter(record: ConsumerRecord) -> DeadLetterRecord:
    return DeadLetterRecord(
        record.partition, record.offset, record.key, record.value, record.headers
    )


def redriven_headers(letter: DeadLetterRecord) -> list[Header]:
    """The headers that it goes back with: those that it came with, and where it first failed.

    Should it fail again, the newest failure is told by `dl_`, and the first still by `dl_first_`.
    """
    own = [header for header in letter.headers if not header[0].startswith(PREFIX)]
    first = [header for header in letter.headers if header[0].startswith(FIRST_PREFIX)]
    if not first:
        first = [
            (FIRST_PREFIX + name.removeprefix(PREFIX), value)
            for name, value in letter.headers
            if name.startswith(PREFIX)
        ]
    return [*own, *first, (REDRIVEN_FROM, letter.place.encode())]


async def gone_back(settings: Settings) -> dict[int, Gone]:
    """What went back already, by partition of the dead-letter topic."""
    partitions = (await existing_topics(settings))[settings.topic_dead_letter]
    places = [TopicPartition(settings.topic_dead_letter, number) for number in range(partitions)]
    committed = await committed_offsets(settings, _group(settings), places)
    return {
        place.partition: Gone.parse(told.offset, told.metadata) for place, told in committed.items()
    }


def _group(settings: Settings) -> str:
    return f"{settings.consumer_group}-redrive"


class Redriver:
    """Sends dead letters back. One at a time: to start one shuts out another that still runs."""

    def __init__(self, settings: Settings, producer: AIOKafkaProducer) -> None:
        self._settings = settings
        self._producer = producer

    async def send_back(
        self, letters: Sequence[DeadLetterRecord], now_gone: Mapping[int, Gone]
    ) -> None:
        """Write the commands and remember that they went, both or neither.

        Without transactions the commands come first, so that a crash in between repeats them.
        """
        offsets = {
            TopicPartition(self._settings.topic_dead_letter, partition): (
                gone.offset,
                _memorable(gone.metadata),
            )
            for partition, gone in now_gone.items()
        }
        if self._settings.is_transactional:
            async with self._producer.transaction():
                await self._send(letters)
                await self._producer.send_offsets_to_transaction(offsets, _group(self._settings))
        else:
            await self._send(letters)
            await self._commit(offsets)

    async def _send(self, letters: Iterable[DeadLetterRecord]) -> None:
        partitions = len(await self._producer.partitions_for(self._settings.topic_commands))
        futures = [
            await self._producer.send(**self._command(letter, partitions)) for letter in letters
        ]
        for future in futures:
            await future

    def _command(self, letter: DeadLetterRecord, partitions: int) -> dict[str, Any]:
        command = letter.command
        key = command.subject.encode() if command else letter.key
        return {
            "topic": self._settings.topic_commands,
            "key": key,
            "value": letter.value,
            "headers": redriven_headers(letter),
            "partition": partition_of(key, partitions) if key else letter.partition % partitions,
        }

    async def _commit(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None:
        consumer = AIOKafkaConsumer(
            **client_options(self._settings),
            group_id=_group(self._settings),
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            consumer.assign(list(offsets))
            await consumer.commit(dict(offsets))
        finally:
            await consumer.stop()


def _memorable(metadata: str) -> str:
    if len(metadata) > METADATA_CHARACTERS_MAX:
        raise RedriveError(
            "Too many single letters were chosen between others that stay: Kafka cannot remember"
            " them. Choose by time or reason so that fewer are left out between them."
        )
    return metadata


@asynccontextmanager
async def redriving(settings: Settings) -> AsyncIterator[Redriver]:
    """A redriver; with transactions it has shut out any other."""
    mode: dict[str, Any] = {"enable_idempotence": True}
    if settings.is_transactional:
        mode = {
            "transactional_id": _group(settings),
            "transaction_timeout_ms": TRANSACTION_TIMEOUT_MS,
        }
    producer = AIOKafkaProducer(
        **producer_options(settings),
        # What the topic holds, it holds compressed.
        compression_type="zstd",
        max_request_size=UNCOMPRESSED_BYTES_MAX,
        **mode,
    )
    # First of all, as when a lane is opened: it shuts out an earlier one and settles what that
    # left, and only then is it true what went back.
    await producer.start()
    try:
        yield Redriver(settings, producer)
    finally:
        await producer.stop()


async def redrive(
    settings: Settings,
    consumer: AIOKafkaConsumer,
    choice: Choice,
    count_max: int | None,
    progress: Callable[[int], None],
) -> int:
    """Send back the chosen letters that have not gone yet, at most so many; returns how many.

    The consumer stands at the beginning of the dead-letter topic.
    """
    async with redriving(settings) as redriver:
        gone = await gone_back(settings)
        listed, chosen = await _choose(settings, consumer, choice, gone)
        chosen = chosen[:count_max]
        sent = 0
        async for letters in _chunks(settings, consumer, frozenset(chosen)):
            gone |= _with_sent(gone, listed, letters)
            await redriver.send_back(letters, gone)
            sent += len(letters)
            progress(sent)
    return sent


async def _choose(
    settings: Settings, consumer: AIOKafkaConsumer, choice: Choice, gone: Mapping[int, Gone]
) -> tuple[dict[int, list[int]], list[tuple[int, int]]]:
    """The offsets of all letters by partition, and the places of the chosen ones."""
    listed: dict[int, list[int]] = {}
    chosen: list[tuple[int, int]] = []
    async for letters in read_letters(consumer, settings.topic_dead_letter):
        for letter in letters:
            listed.setdefault(letter.partition, []).append(letter.offset)
            if choice.fits(letter) and not is_gone(gone, letter):
                chosen.append((letter.partition, letter.offset))
    return listed, chosen


async def _chunks(
    settings: Settings, consumer: AIOKafkaConsumer, chosen: frozenset[tuple[int, int]]
) -> AsyncIterator[Sequence[DeadLetterRecord]]:
    """The chosen letters themselves, read a second time: all at once they may be large."""
    await consumer.seek_to_beginning()
    chunk: list[DeadLetterRecord] = []
    async for letters in read_letters(consumer, settings.topic_dead_letter):
        chunk += [letter for letter in letters if (letter.partition, letter.offset) in chosen]
        while len(chunk) >= REDRIVEN_AT_ONCE:
            yield chunk[:REDRIVEN_AT_ONCE]
            chunk = chunk[REDRIVEN_AT_ONCE:]
    if chunk:
        yield chunk


def is_gone(gone: Mapping[int, Gone], letter: DeadLetterRecord) -> bool:
    """Whether the letter went back already."""
    return letter.partition in gone and gone[letter.partition].holds(letter.offset)


def _with_sent(
    gone: Mapping[int, Gone], listed: Mapping[int, Sequence[int]], sent: Iterable[DeadLetterRecord]
) -> dict[int, Gone]:
    """What will have gone of the partitions that these letters are of."""
    by_partition: dict[int, set[int]] = {}
    for letter in sent:
        by_partition.setdefault(letter.partition, set()).add(letter.offset)
    for partition, offsets in by_partition.items():
        if partition in gone:
            offsets.update(filter(gone[partition].holds, listed[partition]))
    return {
        partition: gone_of(listed[partition], offsets)
        for partition, offsets in by_partition.items()
    }
