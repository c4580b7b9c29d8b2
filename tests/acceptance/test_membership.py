"""Workers with static group membership, and what happens to their lanes."""

import signal

import pytest

from tests.support.service.commands import create_invoice, invoice_id
from tests.support.service.service import READY_SECONDS_MAX, Service
from tests.support.stack.wait import eventually

pytestmark = pytest.mark.real_kafka

SESSION_SECONDS = 180


async def test_a_named_worker_that_is_stopped_hands_its_lanes_over_at_once(
    service: Service,
) -> None:
    session = {"INVOICING_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS)}
    first = await service.ready_worker(INVOICING_GROUP_INSTANCE_ID="first", **session)
    first.signal(signal.SIGTERM)
    await first.ended(seconds=60)

    service.start_worker(INVOICING_GROUP_INSTANCE_ID="second", **session)

    # Well before the group would take the first for dead.
    await service.ask(create_invoice(invoice_id()), seconds=SESSION_SECONDS / 3)


async def test_partitions_that_were_added_while_the_leader_was_away_have_an_owner(
    service: Service,
) -> None:
    """Who comes back by its name leads again, but is not told, and all partitions are old to it."""
    session = {"INVOICING_SESSION_TIMEOUT_SECONDS": "20"}
    leader = await service.ready_worker(INVOICING_GROUP_INSTANCE_ID="first", **session)
    await service.ready_worker(INVOICING_GROUP_INSTANCE_ID="second", **session)
    leader.signal(signal.SIGKILL)
    await leader.ended()
    added = service.topics.partitions
    await service.set_partitions(added + 1)

    leader.start()
    await eventually(leader.is_ready, seconds=READY_SECONDS_MAX)

    command = create_invoice(invoice_id())
    await service.producer.send_and_wait(
        service.topics.commands, command.value, key=command.subject.encode(), partition=added
    )
    await service.answered([command], seconds=60)


async def test_a_worker_starts_while_events_have_more_partitions_than_commands(
    service: Service,
) -> None:
    """Partitions are added to events first, so a worker may start in between."""
    added = service.topics.partitions
    await service.set_partitions(added + 1, service.topics.events)

    await service.ready_worker()
    await service.ask(create_invoice(invoice_id()))

    await service.set_partitions(added + 1, service.topics.commands)
    command = create_invoice(invoice_id())
    await service.producer.send_and_wait(
        service.topics.commands, command.value, key=command.subject.encode(), partition=added
    )
    await service.answered([command], seconds=60)
