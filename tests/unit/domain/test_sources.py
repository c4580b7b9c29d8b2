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


def test_a_source_keeps_its_type() -> None:
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type="creditCard")

    rejection = desk.refuse("AttachSource", source_id="src_1", type="credit_card")

    assert rejection.code == "duplicate_source"
    assert desk.current.sources["src_1"].type == "creditCard"


def test_the_details_of_a_source_can_be_set_again() -> None:
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type="creditCard")

    desk.accept("AttachSource", source_id="src_1", type="creditCard", details={"brand": "Visa"})

    assert desk.current.sources["src_1"].details == {"brand": "Visa"}


def test_a_source_that_was_detached_comes_back_with_another_type() -> None:
    desk = open_desk()
    desk.accept("AttachSource", source_id="src_1", type="creditCard")
    desk.accept("DetachSource", source_id="src_1")

    desk.accept("AttachSource", source_id="src_1", type="credit_card")

    assert desk.current.sources["src_1"].type == "credit_card"


def test_a_default_source_is_given_its_type_when_it_is_attached() -> None:
    desk = Desk()
    desk.accept(
        "CreateInvoice", customer_id="c", currency="USD", items=[an_item()], source_id="src_1"
    )
    assert desk.current.sources["src_1"].type is None

    desk.accept("AttachSource", source_id="src_1", type="creditCard")

    assert desk.current.sources["src_1"].type == "creditCard"
