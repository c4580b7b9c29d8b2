"""A worker whose clock a test has moved."""

from datetime import UTC, datetime, timedelta

from tests.support.service.commands import Sent, create_invoice, invoice_id
from tests.support.service.promises import assert_promises_kept
from tests.support.service.service import Service

DAYS = 40
MOVED = {"INVOICING_CLOCK_OFFSET_SECONDS": str(DAYS * 86_400)}


async def test_an_invoice_becomes_overdue_by_moving_the_clock(service: Service) -> None:
    subject = invoice_id()
    today = datetime.now(UTC).date()
    due = today + timedelta(days=DAYS - 1)
    notice = Sent("MarkInvoiceOverdue", subject, {"as_of": str(due + timedelta(days=1))})
    again = Sent("MarkInvoiceOverdue", subject, notice.data)
    commands = [create_invoice(subject, due_date=str(due)), notice, again]

    at_first = await service.ready_worker()
    early = await service.ask(*commands[:2])
    at_first.process.terminate()
    assert await at_first.ended(seconds=60) == 0
    await service.ready_worker(**MOVED)
    (late,) = await service.ask(again)

    assert [answer.get("code") for answer in early] == [None, "not_past_due"]
    assert late["events"] == ["invoice.overdue"]
    await service.events.count(3)
    events = service.events_of(subject)
    recorded = datetime.fromisoformat(events[-1]["time"])
    assert recorded.date() >= today + timedelta(days=DAYS)
    await assert_promises_kept(service, commands)
    await service.verify()
