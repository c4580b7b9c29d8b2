"""Attached sources."""

from tests.support.domain.desk import Desk, an_item, open_desk


def test_the_source_of_the_invoice_itself_can_be_charged() -> None:
    desk = Desk()
    desk.accept(
        "CreateInvoice",
        customer_id="cus_1",
        currency="USD",
        items=[an_item()],
        source_id="src_9",
    )
    desk.accept("PayInvoice")
    assert desk.history[-1][0].model_dump()["source_id"] == "src_9"


def test_a_source_of_which_more_is_told_was_attached_before() -> None:
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type="creditCard")
    attached = desk.now
    desk.accept("AttachSource", source_id="src_1", type="creditCard", details={"brand": "Visa"})
    assert desk.current.sources["src_1"].attached_at == attached
