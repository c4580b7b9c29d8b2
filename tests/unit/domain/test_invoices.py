"""Opening an invoice and marking it overdue; test_transitions.py has every command and state."""

from datetime import timedelta

from tests.support.domain.desk import open_desk


def test_an_invoice_of_0_is_paid_when_it_is_opened() -> None:
    desk = open_desk("0")
    assert desk.event_types == ["invoice.created", "invoice.opened", "invoice.paid"]


def test_an_invoice_is_overdue_only_once() -> None:
    desk = open_desk()
    desk.now += timedelta(days=2)
    desk.accept("MarkInvoiceOverdue", as_of="2026-11-21")
    desk.accept("MarkInvoiceOverdue", as_of="2026-11-22")
    assert desk.event_types.count("invoice.overdue") == 1


def test_an_invoice_is_not_overdue_on_the_day_that_it_is_due() -> None:
    assert open_desk().refuse("MarkInvoiceOverdue", as_of="2026-11-20").code == "not_past_due"
