"""Send commands and await their replies."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Self

import orjson
from aiokafka import AIOKafkaProducer, TopicPartition

from invoicing.client.connect import new_consumer, stop
from invoicing.contracts.envelope import HEADERS
from invoicing.contracts.replies import ACCEPTED

# How soon a partition that was added to the replies topic is noticed.
METADATA_AGE_MS_MAX: Final = 10_000
POLL_MS: Final = 1_000


class NoReplyError(Exception):
    """No reply came, so the outcome is unknown. Sending again with the same id is safe."""


@dataclass(frozen=True)
class FieldError:
    """One field to correct: its path inside `data` (`items.0.unit_price`) and what it must be."""

    field: str
    reason: str


@dataclass(frozen=True)
class Reply:
    """The outcome of a command.

    `version` and `state` are the invoice's afterwards, None if it does not exist. A rejection has a
    `code` for programs, a `message` for people, the fields to correct, and the commands that the
    invoice would accept now.
    """

    accepted: bool
    invoice_id: str
    version: int | None
    state: str | None
    events: tuple[str, ...]
    code: str | None = None
    message: str | None = None
    errors: tuple[FieldError, ...] = ()
    available_commands: tuple[str, ...] = ()


class CommandClient:
    """Sends commands of one source and awaits their replies. Use it as `async with`.

    `kafka_options` (TLS, SASL, timeouts) go to aiokafka's producer and consumer unchanged.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        source: str,
        topic_commands: str = "invoices.commands",
        topic_replies: str = "invoices.replies",
        **kafka_options: Any,
    ) -> None:
        self._source = source
        self._topic_commands = topic_commands
        self._topic_replies = topic_replies
        self._options = {
            "bootstrap_servers": bootstrap_servers,
            "metadata_max_age_ms": METADATA_AGE_MS_MAX,
            **kafka_options,
        }
        self._waiting: dict[str, asyncio.Future[Reply]] = {}

    async def __aenter__(self) -> Self:
        """Connect. Raises `KafkaError`."""
        self._producer = AIOKafkaProducer(enable_idempotence=True, **self._options)
        self._consumer = new_consumer(**self._options)
        try:
            await self._producer.start()
            await self._consumer.start()
            partitions = await self._reply_partitions()
            self._assign(await self._consumer.end_offsets(partitions))
        except BaseException:
            await self._stop()
            raise
        self._reader = asyncio.create_task(self._read_replies())
        self._reader.add_done_callback(self._fail_waiting)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reader.cancel()
        await asyncio.wait({self._reader})
        await self._stop()

    async def send(
        self,
        type: str,  # noqa: A002 (the CloudEvents name)
        invoice_id: str,
        data: Mapping[str, Any],
        *,
        command_id: str,
        expected_version: int | None = None,
        correlation_id: str | None = None,
        traceparent: str | None = None,
        timeout_seconds: float = 30.0,
    ) -> Reply:
        """Send a command and return its reply, accepted or rejected.

        `command_id` and the client's source identify the command. Derive it from a record of your
        own (`order-17-invoice`), so that a retry, even after a crash, is the same command: it is
        applied once and gets the same reply. Give money as `Decimal` or `str`, never as `float`.

        Raises `NoReplyError` if no reply comes within `timeout_seconds`, and `KafkaError` if Kafka
        does not confirm the command. In both cases, send it again with the same `command_id`.
        Raises `ValueError` while another call with this `command_id` is waiting.
        """
        if command_id in self._waiting:
            # Replies name the command and not its body, so two calls could swap their replies.
            raise ValueError(f"Command {command_id!r} is already waiting for its reply.")
        envelope = {
            "specversion": "1.0",
            "id": command_id,
            "source": self._source,
            "type": type,
            "subject": invoice_id,
            "expectedversion": expected_version,
            "correlationid": correlation_id,
            "traceparent": traceparent,
            "data": data,
        }
        value = orjson.dumps(
            {name: value for name, value in envelope.items() if value is not None},
            default=_decimal_text,
        )
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[command_id] = reply
        if self._reader.done():
            self._fail_waiting(self._reader)
        sending = asyncio.ensure_future(
            self._producer.send_and_wait(
                self._topic_commands, value, key=invoice_id.encode(), headers=[*HEADERS]
            )
        )
        try:
            async with asyncio.timeout(timeout_seconds):
                await asyncio.gather(sending, reply)
                return reply.result()
        except TimeoutError:
            raise NoReplyError(
                f"Command {command_id!r} got no reply within {timeout_seconds:g} s. It may still"
                " be applied; send it again with the same id."
            ) from None
        finally:
            sending.cancel()
            del self._waiting[command_id]

    async def _read_replies(self) -> None:
        while True:
            for records in (await self._consumer.getmany(timeout_ms=POLL_MS)).values():
                for record in records:
                    document = orjson.loads(record.value)
                    data = document["data"]
                    if data["command_source"] == self._source:
                        waiting = self._waiting.get(data["command_id"])
                        if waiting is not None and not waiting.done():
                            waiting.set_result(_reply(document["type"], data))
            assigned = self._consumer.assignment()
            added = await self._reply_partitions() - assigned
            if added:
                # Assigning forgets all positions, hence the others are given again.
                positions = {
                    partition: await self._consumer.position(partition) for partition in assigned
                }
                self._assign(positions | dict.fromkeys(added, 0))

    async def _reply_partitions(self) -> set[TopicPartition]:
        numbers = await self._producer.partitions_for(self._topic_replies)
        return {TopicPartition(self._topic_replies, number) for number in numbers}

    def _assign(self, positions: Mapping[TopicPartition, int]) -> None:
        self._consumer.assign([*positions])
        for partition, offset in positions.items():
            self._consumer.seek(partition, offset)

    def _fail_waiting(self, reader: asyncio.Task[None]) -> None:
        for command_id, reply in self._waiting.items():
            if not reply.done():
                error = NoReplyError(
                    f"Replies are no longer read, so that of command {command_id!r} is unknown."
                    " Send it again with the same id from a new client."
                )
                error.__cause__ = None if reader.cancelled() else reader.exception()
                reply.set_exception(error)

    async def _stop(self) -> None:
        await stop(self._producer)
        await stop(self._consumer)


def _reply(type_: str, data: Mapping[str, Any]) -> Reply:
    return Reply(
        accepted=type_ == ACCEPTED,
        invoice_id=data["invoice_id"],
        version=data["version"],
        state=data["state"],
        events=tuple(data["events"]),
        code=data.get("code"),
        message=data.get("message"),
        errors=tuple(FieldError(e["field"], e["reason"]) for e in data.get("errors", ())),
        available_commands=tuple(data.get("available_commands", ())),
    )


def _decimal_text(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} cannot be sent")
