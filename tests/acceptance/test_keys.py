"""An invoice belongs to one lane, whichever partition a producer chooses."""

import zlib
from collections.abc import Callable

import pytest

from tests.support.service.commands import (
    Sent,
    create_invoice,
    invoice_id,
    record_payment,
    void_invoice,
)
from tests.support.service.promises import assert_promises_kept
from tests.support.service.service import Service

Placement = Callable[[Sent, int], tuple[bytes | None, int]]


def _hashed_by_crc32(command: Sent, partitions: int) -> tuple[bytes | None, int]:
    key = command.subject.encode()
    return key, zlib.crc32(key) % partitions


def _without_key(_: Sent, partitions: int) -> tuple[bytes | None, int]:
    return None, partitions - 1


def _keyed_by_customer(_: Sent, partitions: int) -> tuple[bytes | None, int]:
    return b"cus_42", zlib.crc32(b"cus_42") % partitions


@pytest.mark.parametrize("place", [_hashed_by_crc32, _without_key, _keyed_by_customer])
async def test_commands_from_anywhere_have_the_same_outcome(
    service: Service, place: Placement
) -> None:
    await service.ready_worker()
    commands = [
        command
        for subject in (invoice_id() for _ in range(40))
        for command in (create_invoice(subject), record_payment(subject), void_invoice(subject))
    ]

    for command in commands:
        key, partition = place(command, service.topics.partitions)
        await service.producer.send(
            service.topics.commands, command.value, key=key, partition=partition
        )
    await service.producer.flush()

    answers = await service.answered(commands)
    outcomes = [answer.get("code") or answer["events"] for answer in answers]
    assert outcomes == 40 * [
        ["invoice.created", "invoice.opened"],
        ["invoice.payment_recorded", "invoice.paid"],
        "illegal_transition",
    ]
    await assert_promises_kept(service, commands)
