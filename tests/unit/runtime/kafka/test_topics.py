"""Topics: what is done while a broker does not know yet what the controller has created."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from invoicing.runtime.kafka import topics
from invoicing.runtime.settings import Settings, read_settings

SETTINGS = read_settings({}, postgres_dsn="postgresql://nowhere")


async def test_created_topics_are_waited_for_until_they_can_be_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = topics.topic_names(SETTINGS)
    seen = [{}, {}, dict.fromkeys(names[:2], 3), dict.fromkeys(names, 3)]

    async def existing(_settings: Settings) -> dict[str, int]:
        return seen.pop(0)

    async def create(_topics: Any) -> Any:
        return SimpleNamespace(topic_errors=[])

    @asynccontextmanager
    async def admin(_settings: Settings) -> AsyncIterator[Any]:
        yield SimpleNamespace(create_topics=create)

    monkeypatch.setattr(topics, "existing_topics", existing)
    monkeypatch.setattr(topics, "admin_client", admin)

    assert await topics.create_topics(SETTINGS) == names
    assert seen == []
