"""A bad message never blocks the others."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from confluent_kafka import Producer

from invoicing.runtime.kafka.connect import admin_client
from invoicing.runtime.kafka.topics import BATCH_LIMIT, partition_of
from invoicing.runtime.settings import read_settings
from tests.support.service.command_line import Run
from tests.support.service.commands import Sent, create_invoice, invoice_id
from tests.support.service.promises import assert_promises_kept
from tests.support.service.service import Service

GOOD = create_invoice("inv_template")


def _with(**changes: Any) -> bytes:
    return json.dumps({**json.loads(GOOD.value), **changes}).encode()


def _without(name: str) -> bytes:
    return json.dumps({k: v for k, v in json.loads(GOOD.value).items() if k != name}).encode()


UNREADABLE: dict[str, tuple[bytes | None, str]] = {
    "a tombstone": (None, "tombstone"),
    "empty bytes": (b"", "not_json"),
    "not UTF-8": (b'{"id": "\xff\xfe"}', "not_utf8"),
    "a list": (b"[]", "not_an_envelope"),
    "a text": (b'"CreateInvoice"', "not_an_envelope"),
    "NaN": (GOOD.value.replace(b'"2"', b"NaN"), "not_json"),
    "Infinity": (GOOD.value.replace(b'"2"', b"-Infinity"), "not_json"),
    "a name given twice": (b'{"id": "1", "id": "2"}', "not_json"),
    "depth 10,000": (b"[" * 10_000 + b"]" * 10_000, "too_deep"),
    "depth 65": (b'{"a":' * 65 + b"1" + b"}" * 65, "too_deep"),
    "too large": (b'{"id": "' + b"x" * 300_000 + b'"}', "too_large"),
    "cut short": (GOOD.value[:-10], "not_json"),
    "no id": (_without("id"), "not_an_envelope"),
    "no source": (_without("source"), "not_an_envelope"),
    "an id that is a number": (_with(id=7), "not_an_envelope"),
    "an id too long": (_with(id="x" * 257), "not_an_envelope"),
}


async def test_unreadable_records_are_set_aside_byte_for_byte(service: Service) -> None:
    await service.ready_worker()
    good = [create_invoice(invoice_id()) for _ in range(len(UNREADABLE) + 1)]
    headers = [("trace", b"\xff\xfe"), ("nothing", None), ("team", b"orders")]

    await service.send(good[:1])
    for command, (name, (value, _)) in zip(good[1:], UNREADABLE.items(), strict=True):
        await service.producer.send_and_wait(
            service.topics.commands,
            value,
            key=name.encode(),
            headers=headers,
            partition=0,
        )
        await service.send([command])
    await service.dead_letters.count(len(UNREADABLE))

    by_name = {record.key.decode(): record for record in service.dead_letters.records}
    for name, (value, reason) in UNREADABLE.items():
        record = by_name[name]
        assert record.value == value, name
        assert list(record.headers[:3]) == headers, name
        told = dict(record.headers[3:])
        assert told["dl_reason"].decode() == reason, name
        assert told["dl_topic"].decode() == service.topics.commands
        assert told["dl_partition"] == b"0"
        assert told["dl_offset"].isdigit()
        assert told["dl_failed_at"].endswith(b"Z")
        assert told["dl_message"]
    await assert_promises_kept(service, good)


ANSWERABLE = {
    "no type": (_without("type"), ["type"]),
    "no subject": (_without("subject"), ["subject"]),
    "a subject with a blank": (_with(subject="inv 1"), ["subject"]),
    "a subject that is a number": (_with(subject=7), ["subject"]),
    "a subject too long": (_with(subject="i" * 65), ["subject"]),
    "a subject with quotes": (_with(subject='"inv"'), ["subject"]),
    "a lock that is misspelt": (_with(expectedVersion=1), ["expectedVersion"]),
    "data that is misspelt": (_with(type="OpenInvoice", data=None, datta={}), ["datta"]),
    "nothing but its identity": (b"{}", ["specversion", "type", "subject"]),
}


async def test_a_command_is_answered_wherever_its_id_and_source_can_be_read(
    service: Service,
) -> None:
    await service.ready_worker()
    commands = []
    for name, (value, _) in ANSWERABLE.items():
        identity = {"id": f"{invoice_id()}-{name}", "source": "/hostile"}
        commands.append((identity["id"], {**json.loads(value), **identity}))

    # Twice, and the second time without a key: the reply is the same.
    for key in (b"some key", None):
        for _, command in commands:
            await service.producer.send_and_wait(
                service.topics.commands, json.dumps(command).encode(), key=key
            )
    await service.answers.count(2 * len(commands))

    replies: dict[str, list[bytes]] = {}
    for record in service.answers.records:
        replies.setdefault(json.loads(record.value)["causationid"], []).append(record.value)
    for (id_, command), (name, (_, fields)) in zip(commands, ANSWERABLE.items(), strict=True):
        first, second = replies[id_]
        assert first == second, name
        reply = json.loads(first)
        assert reply["data"]["code"] == "invalid_command", name
        assert [error["field"] for error in reply["data"]["errors"]] == fields, name
        subject = command.get("subject")
        assert reply["data"]["invoice_id"] == (subject if isinstance(subject, str) else "")
    assert service.dead_letters.records == []
    await service.verify()


async def test_a_bad_header_costs_nobody_a_command(service: Service) -> None:
    await service.ready_worker()
    command = create_invoice(invoice_id())

    await service.producer.send_and_wait(
        service.topics.commands,
        command.value,
        key=command.subject.encode(),
        headers=[("trace", b"\xff\xfe"), ("nothing", None)],
    )

    (answer,) = await service.answered([command])
    assert answer["events"] == ["invoice.created", "invoice.opened"]


async def test_a_money_number_is_refused_with_its_field(service: Service) -> None:
    await service.ready_worker()
    bad = create_invoice(invoice_id(), items=[{"unit_price": 99.95}])
    good = create_invoice(invoice_id())

    refused, accepted = await service.ask(bad, good)

    assert refused["code"] == "invalid_command"
    assert [error["field"] for error in refused["errors"]] == ["items.0.unit_price"]
    assert accepted["state"] == "open"


@pytest.mark.real_kafka
@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_a_producer_may_compress_by_any_codec(service: Service, codec: str) -> None:
    await service.ready_worker()
    command = create_invoice(invoice_id(), description="the same again " * 30)
    producer = Producer({"bootstrap.servers": service.bootstrap, "compression.type": codec})

    producer.produce(service.topics.commands, command.value, command.subject)
    producer.flush(30)

    (answer,) = await service.answered([command])
    assert answer["events"] == ["invoice.created", "invoice.opened"]


@pytest.mark.real_kafka
async def test_what_only_compression_made_small_is_set_aside_and_stops_nobody(
    service: Service, invoicing: Run
) -> None:
    await service.ready_worker()
    noise = random.Random(1).randbytes(900_000)
    good, last = create_invoice(invoice_id()), create_invoice(invoice_id())
    large: dict[bytes, tuple[bytes, list[tuple[str, bytes]]]] = {
        b"all the same": (b"x" * 3_000_000, []),
        b"four times the same noise": (noise * 4, []),
        b"noise as large as may be": (noise + noise[:140_000], []),
        b"a command with large headers": (good.value, [("padding", b"x" * 3_000_000)]),
    }

    home = partition_of(last.subject.encode(), service.topics.partitions)
    for key, (value, headers) in large.items():
        await _send_compressed(service, key, value, headers, home)
    await service.ask(last)
    await service.dead_letters.count(len(large))

    assert {record.key for record in service.dead_letters.records} == large.keys()
    for record in service.dead_letters.records:
        told = dict(record.headers)
        assert told["dl_reason"] == b"too_large"
        value, headers = large[record.key]
        assert record.value == value, record.key
        assert list(record.headers[: len(headers)]) == headers, record.key
    await service.verify()

    await invoicing("dead-letters", "redrive", "--reason", "too_large")
    await service.dead_letters.count(2 * len(large))


@pytest.mark.real_kafka
async def test_a_worker_says_where_a_record_may_be_too_large_to_be_set_aside(
    service: Service,
) -> None:
    topic = service.topics.dead_letter
    settings = read_settings(
        {}, postgres_dsn=service.dsn, kafka_bootstrap_servers=service.bootstrap
    )
    async with admin_client(settings) as admin:
        as_commands = {BATCH_LIMIT: "1048588"}
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic, configs=as_commands)]
        )

    worker = await service.ready_worker()

    assert f"Set max.message.bytes of {topic} to 2097152" in worker.log


async def _send_compressed(
    service: Service, key: bytes, value: bytes, headers: list[tuple[str, bytes]], partition: int
) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=service.bootstrap, compression_type="zstd", max_request_size=8_000_000
    )
    async with producer:
        await producer.send_and_wait(
            service.topics.commands, value, key, headers=headers, partition=partition
        )


async def test_a_header_name_that_is_no_text_costs_nobody_a_command(service: Service) -> None:
    commands = [create_invoice(invoice_id()) for _ in range(20)]
    await service.ready_worker()

    await service.send(commands[:10])
    for partition in range(service.topics.partitions):
        await _send_with_a_name_that_is_no_text(service, partition)
    await service.send(commands[10:])

    await service.dead_letters.count(service.topics.partitions)
    await assert_promises_kept(service, commands)
    names = {name for record in service.dead_letters.records for name, _ in record.headers}
    assert "\\xff\\xfe" in names


async def _send_with_a_name_that_is_no_text(service: Service, partition: int) -> None:
    class Name(str):
        __slots__ = ()

        def encode(self, *_: object) -> bytes:
            return b"\xff\xfe"

    async with AIOKafkaProducer(bootstrap_servers=service.bootstrap) as producer:
        batch = producer.create_batch()
        # The client's extension takes texts only; its twin in Python takes what can be encoded.
        batch._builder = _DefaultRecordBatchBuilderPy(2, 0, 0, -1, -1, 0, 10_000)
        batch.append(key=None, value=b"broken", timestamp=None, headers=[(Name("name"), b"value")])
        await (await producer.send_batch(batch, service.topics.commands, partition=partition))


@pytest.mark.real_kafka
async def test_what_cannot_be_decompressed_stops_its_lane_alone_and_then_the_worker(
    service: Service, tmp_path: Path
) -> None:
    (tmp_path / "cramjam.py").write_text("raise ImportError")
    worker = await service.ready_worker(PYTHONPATH=str(tmp_path), INVOICING_RETRY_LIMIT_SECONDS="5")
    commands = [create_invoice(invoice_id()) for _ in range(60)]

    await service.send(commands[:20])
    compressed = commands[20]
    await _send_compressed(
        service, compressed.subject.encode(), compressed.value, [], _home(service, compressed)
    )
    await service.send(commands[21:])

    blocked = _home(service, commands[20])
    others = [
        command
        for place, command in enumerate(commands)
        if place < 20 or _home(service, command) != blocked
    ]
    await service.answered(others)
    assert await worker.ended(seconds=60) == 1
    assert "UnsupportedCodecError" in worker.log

    await service.ready_worker()
    await assert_promises_kept(service, commands)


def _home(service: Service, command: Sent) -> int:
    return partition_of(command.subject.encode(), service.topics.partitions)
