"""Write-offs, recoveries and reinstatements."""

from datetime import timedelta

from tests.support.domain.desk import open_desk, pay


def test_a_reinstated_invoice_is_due_again_and_may_be_overdue_again() -> None:
    desk = open_desk()
    desk.now += timedelta(days=60)
    desk.accept("MarkInvoiceOverdue", as_of="2027-01-01")
    desk.accept("WriteOffInvoice")
    desk.accept("ReinstateInvoice", reason="The customer has promised to pay.")
    assert desk.event_types[-2:] == ["invoice.reinstated", "invoice.reopened"]
    assert (desk.current.state, str(desk.current.amount_due)) == ("open", "100.00")
    assert desk.current.overdue_as_of is None
    desk.accept("MarkInvoiceOverdue", as_of="2027-01-02")


def test_a_refund_of_a_recovery_raises_the_write_off_again() -> None:
    desk = open_desk()
    desk.accept("WriteOffInvoice")
    pay(desk, "pay_1", "30.00")
    assert str(desk.current.amount_written_off) == "70.00"
    desk.accept("RefundPayment", payment_id="pay_1", refund_id="ref_1", amount="30.00")
    assert (desk.current.state, str(desk.current.amount_written_off)) == ("uncollectible", "100.00")
    assert desk.event_types[-1] == "invoice.payment_refunded"


def test_once_paid_it_owes_again_as_an_open_invoice() -> None:
    desk = open_desk()
    desk.accept("WriteOffInvoice")
    pay(desk, "pay_1", "100.00")
    assert desk.current.times_paid == 1
    desk.accept("RefundPayment", payment_id="pay_1", refund_id="ref_1", amount="30.00")
    assert (desk.current.state, str(desk.current.amount_due)) == ("open", "30.00")
    pay(desk, "pay_2", "30.00")
    assert desk.current.times_paid == 2
