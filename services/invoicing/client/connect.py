"""Kafka clients as both halves of the library need them."""

import asyncio
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

STOP_SECONDS_MAX: Final = 5.0


def new_consumer(**options: Any) -> AIOKafkaConsumer:
    """A consumer of committed records, without automatic commits.

    It starts at the beginning if its group has no offset. Starting at the end would lose what was
    published before the group's first commit.
    """
    return AIOKafkaConsumer(
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **options,
    )


async def stop(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop a client, or abandon it after a while: it would wait for an absent broker for ever."""
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await client.stop()
