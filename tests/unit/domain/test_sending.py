"""Requested, successful and failed sendings."""

from tests.support.domain.desk import open_desk


def test_the_same_mail_is_not_asked_for_twice_while_it_is_on_its_way() -> None:
    desk = open_desk()
    desk.accept("SendInvoice", to="ada@example.com")
    desk.accept("SendInvoice", to="ada@example.com")
    assert desk.event_types.count("invoice.send_requested") == 1


def test_a_mail_can_be_asked_for_again_when_it_was_sent() -> None:
    desk = open_desk()
    desk.accept("SendInvoice", to="ada@example.com")
    send_id = desk.history[-1][0].model_dump()["send_id"]
    desk.accept("RecordInvoiceSent", send_id=send_id, to="ada@example.com")
    desk.accept("SendInvoice", to="ada@example.com")
    assert desk.event_types.count("invoice.send_requested") == 2


def test_the_last_notification_is_the_last_that_was_sent() -> None:
    desk = open_desk()
    desk.accept("RecordInvoiceSent", send_id="1", to="ada@example.com")
    sent = desk.now
    desk.accept("RecordInvoiceSendFailure", send_id="2", code="mailbox_unknown")
    assert desk.current.last_notification_at == sent
    assert desk.current.sendings["1"].sent_at == sent
