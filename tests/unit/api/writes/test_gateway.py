"""Commands handed over once, and their answers found wherever they were given."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
from aiokafka.errors import KafkaConnectionError

from invoicing.api.writes.gateway import (
    Answered,
    Gateway,
    KafkaUnavailableError,
    StillPending,
)
from invoicing.contracts.envelope import CommandEnvelope, read_command
from invoicing.contracts.replies import Rejection, RejectionCode
from tests.support.service.commands import Sent, void_invoice
from tests.support.stack.wait import eventually

ANSWER = {"type": "command.accepted", "data": {"events": []}}


class Broker:
    """Takes commands, unless it is away."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.is_away = False
        self.partition = 0

    async def send_and_wait(self, _topic: str, value: bytes, **_: Any) -> Any:
        if self.is_away:
            raise KafkaConnectionError
        self.taken.append(value)
        return SimpleNamespace(partition=self.partition, offset=41 + len(self.taken))


class Answers:
    """The table of answers."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, ...], dict[str, Any]] = {("commands",): {"partitions": 1}}

    async def fetchrow(self, _query: str, *key: str) -> dict[str, Any] | None:
        return self.rows.get(key)

    def give(self, sent: Sent) -> None:
        envelope = read(sent)
        self.rows[sent.identity] = {
            "answer": orjson.dumps(ANSWER).decode(),
            "body_hash": envelope.body_hash,
        }


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def gateway(broker: Broker, answers: Answers) -> Gateway:
    return Gateway(cast("Any", broker), "commands", cast("Any", answers))


def read(sent: Sent) -> CommandEnvelope:
    command = read_command(sent.value, ())
    assert isinstance(command, CommandEnvelope)
    return command


def told_of(sent: Sent) -> Any:
    data = {"command_source": sent.source, "command_id": sent.id}
    return SimpleNamespace(value=orjson.dumps({"data": data}))


async def test_an_answer_is_given_as_soon_as_the_topic_tells_of_it(
    gateway: Gateway, broker: Broker, answers: Answers
) -> None:
    sent = void_invoice("inv_1")
    asking = asyncio.create_task(gateway.ask(read(sent), sent.value, wait_seconds=30))
    await eventually(lambda: broker.taken)

    answers.give(sent)
    gateway.take(told_of(sent))

    async with asyncio.timeout(0.3):
        assert await asking == Answered(ANSWER, replayed=False)


async def test_an_answer_that_nobody_tells_of_is_found_all_the_same(
    gateway: Gateway, broker: Broker, answers: Answers
) -> None:
    sent = void_invoice("inv_1")
    asking = asyncio.create_task(gateway.ask(read(sent), sent.value, wait_seconds=30))
    await eventually(lambda: broker.taken)

    answers.give(sent)

    async with asyncio.timeout(5):
        assert await asking == Answered(ANSWER, replayed=False)


async def test_a_command_that_was_answered_is_not_sent_again(
    gateway: Gateway, broker: Broker, answers: Answers
) -> None:
    sent = void_invoice("inv_1")
    answers.give(sent)

    assert await gateway.ask(read(sent), sent.value, wait_seconds=1) == Answered(
        ANSWER, replayed=True
    )
    assert broker.taken == []


async def test_a_command_asked_twice_at_once_is_sent_once(
    gateway: Gateway, broker: Broker, answers: Answers
) -> None:
    sent = void_invoice("inv_1")
    asking = [
        asyncio.create_task(gateway.ask(read(sent), sent.value, wait_seconds=30)) for _ in range(5)
    ]
    await eventually(lambda: broker.taken)

    answers.give(sent)
    gateway.take(told_of(sent))

    assert await asyncio.gather(*asking) == [Answered(ANSWER, replayed=False)] * 5
    assert broker.taken == [sent.value]


@pytest.mark.parametrize("is_answered", [True, False])
async def test_another_body_under_the_same_id_is_a_conflict(
    gateway: Gateway, broker: Broker, answers: Answers, is_answered: bool
) -> None:
    sent = void_invoice("inv_1")
    other = Sent("VoidInvoice", "inv_1", {"reason": "another"}, id=sent.id)
    if is_answered:
        answers.give(sent)
    first = asyncio.create_task(gateway.ask(read(sent), sent.value, wait_seconds=0.2))
    await asyncio.sleep(0)

    refused = await gateway.ask(read(other), other.value, wait_seconds=1)

    assert isinstance(refused, Rejection)
    assert refused.code is RejectionCode.IDEMPOTENCY_CONFLICT
    assert other.value not in broker.taken
    await first


async def test_a_late_answer_is_not_waited_for(gateway: Gateway) -> None:
    sent = void_invoice("inv_1")

    assert await gateway.ask(read(sent), sent.value, wait_seconds=0) == StillPending("0-42")


async def test_a_position_in_another_partition_than_the_invoices_is_not_returned(
    gateway: Gateway, broker: Broker
) -> None:
    broker.partition = 1
    sent = void_invoice("inv_1")

    assert await gateway.ask(read(sent), sent.value, wait_seconds=0) == StillPending(None)


async def test_a_command_that_kafka_does_not_take_is_an_outage(
    gateway: Gateway, broker: Broker
) -> None:
    broker.is_away = True
    sent = void_invoice("inv_1")

    with pytest.raises(KafkaUnavailableError):
        await gateway.ask(read(sent), sent.value, wait_seconds=1)
