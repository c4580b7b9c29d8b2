"""Offsets of a consumer group: an error is never taken for an answer."""

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CoordinatorLoadInProgressError
from aiokafka.protocol.commit import OffsetFetchResponse_v3

from invoicing.runtime.kafka.connect import is_kafka_outage
from invoicing.runtime.kafka.groups import committed_offsets
from invoicing.runtime.settings import read_settings

PARTITION = TopicPartition("commands", 3)
SETTINGS = read_settings({})


@pytest.fixture
def responses(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the coordinator will say."""
    responses: list[Any] = []

    async def nothing(_admin: Any) -> None:
        pass

    async def coordinator(_admin: Any, _group: str) -> int:
        return 1

    async def say(_admin: Any, _request: Any, _node: int) -> Any:
        return responses.pop(0)

    for name, instead in (
        ("start", nothing),
        ("close", nothing),
        ("find_coordinator", coordinator),
        ("_send_request", say),
    ):
        monkeypatch.setattr(AIOKafkaAdminClient, name, instead)
    return responses


def response(topics: list[Any], error_code: int = 0) -> OffsetFetchResponse_v3:
    return OffsetFetchResponse_v3(throttle_time_ms=0, topics=topics, error_code=error_code)


async def test_a_coordinator_that_still_loads_is_an_outage_and_not_a_group_without_offsets(
    responses: list[Any],
) -> None:
    responses.append(response([], CoordinatorLoadInProgressError.errno))

    with pytest.raises(Exception, match="has no answer for 1 partition") as raised:
        await committed_offsets(SETTINGS, "group", [PARTITION])

    assert is_kafka_outage(raised.value)


async def test_a_partition_without_an_offset_is_left_out(responses: list[Any]) -> None:
    responses.append(response([("commands", [(3, -1, "", 0)])]))

    assert await committed_offsets(SETTINGS, "group", [PARTITION]) == {}


async def test_a_committed_offset_comes_with_its_metadata(responses: list[Any]) -> None:
    responses.append(response([("commands", [(3, 41, "more", 0)])]))

    assert await committed_offsets(SETTINGS, "group", [PARTITION]) == {PARTITION: (41, "more")}
