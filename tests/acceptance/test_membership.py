"""Workers with names of their own in the group, and what becomes of their lanes."""

import signal

import pytest

from tests.service.commands import create_invoice, invoice_id
from tests.service.service import Service

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
