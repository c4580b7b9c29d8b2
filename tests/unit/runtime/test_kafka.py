"""How Kafka is reached and asked: wrong settings are told, and no error is taken for an answer."""

from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CoordinatorLoadInProgressError
from aiokafka.protocol.commit import OffsetFetchResponse_v3

from invoicing.runtime.kafka import client_options, committed_offsets, is_kafka_outage
from invoicing.runtime.settings import WrongSettingError, read_settings

PLACE = TopicPartition("commands", 3)
SETTINGS = read_settings({})


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
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
    said: list[Any],
) -> None:
    said.append(response([], CoordinatorLoadInProgressError.errno))

    with pytest.raises(Exception, match="tells nothing of 1 partition") as raised:
        await committed_offsets(SETTINGS, "group", [PLACE])

    assert is_kafka_outage(raised.value)


async def test_a_partition_without_an_offset_is_left_out(said: list[Any]) -> None:
    said.append(response([("commands", [(3, -1, "", 0)])]))

    assert await committed_offsets(SETTINGS, "group", [PLACE]) == {}


async def test_a_committed_offset_is_told_with_its_metadata(said: list[Any]) -> None:
    said.append(response([("commands", [(3, 41, "more", 0)])]))

    assert await committed_offsets(SETTINGS, "group", [PLACE]) == {PLACE: (41, "more")}


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("kafka_ssl_ca_path", "INVOICING_KAFKA_SSL_CA_PATH"),
        ("kafka_ssl_certificate_path", "INVOICING_KAFKA_SSL_CERTIFICATE_PATH or _KEY_PATH"),
    ],
)
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_certificate_that_cannot_be_used_is_told_by_its_setting(
    tmp_path: Path, setting: str, name: str, content: str | None
) -> None:
    path = tmp_path / "certificate.pem"
    if content is not None:
        path.write_text(content)
    settings = read_settings({}, kafka_security_protocol="SSL", **{setting: path})

    with pytest.raises(WrongSettingError, match=f"^{name} cannot be used: "):
        client_options(settings)
