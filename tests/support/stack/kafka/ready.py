"""When a broker that was just started can be used."""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.support.stack.wait import eventually

START_TIMEOUT_SECONDS = 180


def wait_until_ready(bootstrap: str) -> None:
    """Return when the broker answers. It runs an event loop of its own: call it from a thread."""
    asyncio.run(eventually(lambda: _answers(bootstrap), seconds=START_TIMEOUT_SECONDS))


async def _answers(bootstrap: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()
    return bool(cluster["brokers"])
