"""Playing the story: each message is sent, and what it leads to is read back from Kafka."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from rich.console import RenderableType

from invoicing.contracts.dead_letters import parse_dead_letter_headers
from invoicing.contracts.replies import REJECTED
from invoicing.ops.support.kafka import producing, reading
from invoicing.runtime.settings import Settings
from invoicing.tools.demo.lines import answer_line, dead_letter_line, event_line
from invoicing.tools.demo.story import Outcome, Scene

OUTCOME_SECONDS_MAX: Final = 15

Report = Callable[[RenderableType], None]


class NoOutcomeError(Exception):
    """A message's answer, its events or its dead letter did not come in time."""


@dataclass
class Received:
    """What has been read of one message's outcome."""

    answer: Mapping[str, Any] | None = None
    events: list[Mapping[str, Any]] = field(default_factory=list)
    dead_letter_reason: str | None = None

    def is_whole(self, scene: Scene) -> bool:
        """Whether all events of the answer have come. A repeat's came the first time."""
        if self.answer is None:
            return self.dead_letter_reason is not None
        expected = () if scene.is_repeat else self.answer["data"]["events"]
        return len(self.events) >= len(expected)

    @property
    def outcome(self) -> Outcome:
        """The same in the words of the story."""
        if self.answer is None:
            assert self.dead_letter_reason is not None
            return Outcome(self.dead_letter_reason)
        data = self.answer["data"]
        fields = [error["field"] for error in data.get("errors", ())]
        return Outcome(
            data["code"] if self.answer["type"] == REJECTED else "accepted",
            tuple(event["type"] for event in self.events),
            self.events[-1]["data"] if self.events else {**data, "fields": fields},
        )


class ScenePlayer:
    """Plays scenes: a producer of commands, and a consumer of events, replies and dead letters."""

    def __init__(
        self, settings: Settings, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer
    ) -> None:
        self._settings = settings
        self._producer = producer
        self._consumer = consumer

    async def play(self, scene: Scene, report: Report) -> Outcome:
        """Send the scene's message and report what it leads to, as it comes."""
        await self._producer.send_and_wait(
            self._settings.topic_commands, scene.value, key=scene.invoice_id.encode()
        )
        received = Received()
        try:
            async with asyncio.timeout(OUTCOME_SECONDS_MAX):
                while not received.is_whole(scene):
                    report(self._take(received, await self._consumer.getone()))
        except TimeoutError:
            raise NoOutcomeError(
                f"{scene.title}: not all of its outcome came within {OUTCOME_SECONDS_MAX} seconds."
            ) from None
        return received.outcome

    def _take(self, received: Received, record: ConsumerRecord) -> RenderableType:
        if record.topic == self._settings.topic_dead_letter:
            failure = parse_dead_letter_headers(record.headers)
            received.dead_letter_reason = failure.reason
            return dead_letter_line(failure)
        document = orjson.loads(record.value)
        if record.topic == self._settings.topic_events:
            received.events.append(document)
            return event_line(document)
        received.answer = document
        return answer_line(document)


@asynccontextmanager
async def scene_player(settings: Settings) -> AsyncIterator[ScenePlayer]:
    """A player on the running service."""
    topics = (settings.topic_events, settings.topic_replies, settings.topic_dead_letter)
    async with reading(settings, *topics) as consumer, producing(settings) as producer:
        yield ScenePlayer(settings, producer, consumer)


def differences(expected: Outcome, outcome: Outcome) -> Iterator[str]:
    """What came otherwise than the story has it."""
    if outcome.answer != expected.answer:
        yield f"answer {outcome.answer}, not {expected.answer}"
    if tuple(outcome.events) != tuple(expected.events):
        yield f"events {list(outcome.events)}, not {list(expected.events)}"
    for name, value in expected.facts.items():
        if outcome.facts.get(name) != value:
            yield f"{name} {outcome.facts.get(name)!r}, not {value!r}"
