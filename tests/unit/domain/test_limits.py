"""How many payments, refunds, credit notes, sources and sendings an invoice can have."""

import pytest

from tests.support.domain.desk import open_desk, pay


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test can reach."""
    monkeypatch.setattr("invoicing.domain.payments.PAYMENTS_MAX", 2)
    monkeypatch.setattr("invoicing.domain.refunds.REFUNDS_MAX", 2)
    monkeypatch.setattr("invoicing.domain.returns.RETURNS_MAX", 2)
    monkeypatch.setattr("invoicing.domain.disputes.DISPUTES_MAX", 2)
    monkeypatch.setattr("invoicing.domain.credit_notes.CREDIT_NOTES_MAX", 2)
    monkeypatch.setattr("invoicing.domain.sources.SOURCES_MAX", 2)
    monkeypatch.setattr("invoicing.domain.sending.SENDINGS_MAX", 2)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("command", "data", "named"),
    [
        ("RecordPayment", {"amount": "1", "currency": "USD"}, "payment_id"),
        ("IssueCreditNote", {"amount": "1"}, "credit_note_id"),
        ("AttachSource", {"type": "card"}, "source_id"),
        ("RecordInvoiceSent", {"to": "ada@example.com"}, "send_id"),
        ("RecordInvoiceSendFailure", {"code": "unknown"}, "send_id"),
    ],
)
def test_one_more_than_an_invoice_can_hold_is_refused(
    command: str, data: dict[str, str], named: str
) -> None:
    desk = open_desk()
    desk.accept(command, **data, **{named: "1"})
    desk.accept(command, **data, **{named: "2"})
    assert desk.refuse(command, **data, **{named: "3"}).code == "limit_exceeded"


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("command", "data", "named"),
    [
        ("RefundPayment", {"amount": "1"}, "refund_id"),
        ("SettleRefund", {"amount": "1"}, "refund_id"),
        ("ReturnPayment", {"amount": "1", "code": "R01"}, "return_id"),
        ("OpenDispute", {"amount": "1"}, "dispute_id"),
    ],
)
def test_one_more_than_a_payment_can_hold_is_refused(
    command: str, data: dict[str, str], named: str
) -> None:
    desk = open_desk()
    pay(desk, "pay_1", "100")
    one = {"payment_id": "pay_1", **data}
    desk.accept(command, **one, **{named: "1"})
    desk.accept(command, **one, **{named: "2"})
    assert desk.refuse(command, **one, **{named: "3"}).code == "limit_exceeded"
