"""Names that nobody else has, and the environment of processes that shall know no others."""

import os
from collections.abc import Mapping
from uuid import uuid4

from invoicing.runtime.settings import PREFIX


def own_names(purpose: str) -> dict[str, str]:
    """Settings that keep a service apart from whatever else is on its Kafka."""
    prefix = f"invoicing-{purpose}-{uuid4().hex[:8]}"
    return {
        "CONSUMER_GROUP": prefix,
        "TOPIC_COMMANDS": f"{prefix}.commands",
        "TOPIC_EVENTS": f"{prefix}.events",
        "TOPIC_REPLIES": f"{prefix}.replies",
        "TOPIC_DEAD_LETTER": f"{prefix}.commands.dead-letter",
        "METRICS_PORT": "0",
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "INFO",
    }


def environment(chosen: Mapping[str, str]) -> dict[str, str]:
    """This process's own; of our settings only `chosen` and how to reach a Kafka that was given."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(PREFIX) or name.startswith(f"{PREFIX}KAFKA_")
    }
    return kept | {f"{PREFIX}{name}": value for name, value in chosen.items()}
