"""Commands sent to Kafka, and their replies read back."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Final

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from invoicing.contracts.envelope import HEADERS
from invoicing.ops.support.command_file import ReadyCommand
from invoicing.ops.support.kafka import producing, reading
from invoicing.ops.support.progress import progress_bars
from invoicing.ops.support.reply_tracker import ReplyTracker
from invoicing.runtime.settings import Settings

POLL_MS: Final = 200


async def send_and_track(
    settings: Settings,
    commands: Sequence[ReadyCommand],
    wait_seconds: float,
    on_reply: Callable[[ReplyTracker], None],
) -> ReplyTracker:
    """Send commands and read replies, until all arrived or none has for `wait_seconds`."""
    tracker = ReplyTracker(commands)
    # The consumer is positioned before the first command is sent, so that no reply is missed.
    async with (
        reading(settings, settings.topic_replies) as consumer,
        producing(settings) as producer,
    ):
        with progress_bars() as progress:
            sent = progress.add_task("sent", total=len(commands))
            answered = progress.add_task("answered", total=len(commands))
            sending = asyncio.create_task(
                send_all(
                    producer, settings.topic_commands, commands, partial(progress.advance, sent)
                )
            )
            async for _ in _replies(consumer, tracker, sending, wait_seconds):
                progress.advance(answered)
                on_reply(tracker)
            await sending
    return tracker


async def send_all(
    producer: AIOKafkaProducer,
    topic: str,
    commands: Sequence[ReadyCommand],
    advance: Callable[[], None],
) -> None:
    """Send commands in order, and wait until the broker has acknowledged all of them."""
    acknowledgements = []
    for command in commands:
        key = command.invoice_id.encode()
        acknowledgements.append(
            await producer.send(topic, command.value, key=key, headers=list(HEADERS))
        )
        advance()
    await asyncio.gather(*acknowledgements)


async def _replies(
    consumer: AIOKafkaConsumer,
    tracker: ReplyTracker,
    sending: asyncio.Task[None],
    wait_seconds: float,
) -> AsyncIterator[None]:
    """Yield after each reply that the tracker took."""
    last_arrived = time.monotonic()
    while not tracker.is_complete and time.monotonic() - last_arrived <= wait_seconds:
        if sending.done() and sending.exception():
            return
        for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
            for record in records:
                if tracker.take(orjson.loads(record.value)["data"]):
                    last_arrived = time.monotonic()
                    yield
