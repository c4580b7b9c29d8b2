"""The service's promises under any fault, checked from outside."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence

from tests.support.service.commands import Sent
from tests.support.service.service import Service


async def assert_promises_kept(service: Service, commands: Sequence[Sent]) -> None:
    """Every promise that can be seen once all of `commands`, sent once each, are answered."""
    await service.answered(commands)
    await assert_events_are_the_stored_ones(service)
    assert_one_answer_each(service, commands)
    assert_versions_without_gap_or_repeat(service)
    assert_numbers_without_gap_or_repeat(service)


def assert_one_answer_each(service: Service, commands: Sequence[Sent]) -> None:
    answers = Counter({key: len(got) for key, got in service.answers_by_command().items()})
    assert answers == Counter(command.identity for command in commands)


def assert_versions_without_gap_or_repeat(service: Service) -> None:
    versions = defaultdict(list)
    for event in service.events.documents:
        versions[event["subject"]].append(event["version"])
    for subject, seen in versions.items():
        assert seen == list(range(1, len(seen) + 1)), f"{subject}: {seen}"


async def assert_events_are_the_stored_ones(service: Service) -> None:
    """Byte for byte, and each one once."""
    stored = await service.rows("SELECT data FROM events")
    await service.events.count(len(stored))
    published = Counter(record.value.decode() for record in service.events.records)
    expected = Counter(row["data"] for row in stored)
    assert not published - expected, "published, but not stored"
    assert not expected - published, "stored, but not published"


def assert_numbers_without_gap_or_repeat(service: Service) -> None:
    """The default format counts every seller's invoices from 1; one opened again keeps its own."""
    numbers: dict[str, dict[str, int]] = defaultdict(dict)
    for event in service.events.documents:
        if event["type"] == "invoice.opened":
            number = int(event["data"]["invoice_number"].rpartition("-")[2])
            of_seller = numbers[event["data"]["seller_id"]]
            assert of_seller.setdefault(event["subject"], number) == number
    for seller, given in numbers.items():
        assert sorted(given.values()) == list(range(1, len(given) + 1)), seller


def assert_log_is_readable(log: str) -> None:
    """Every line of a worker's log is one JSON event."""
    for line in log.splitlines():
        assert "event" in json.loads(line), line
