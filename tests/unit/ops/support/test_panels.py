"""An invoice's page, as text."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from invoicing.domain.invoice import Invoice
from invoicing.ops.support.panels import invoice_panel
from tests.support.domain.desk import Desk


def an_invoice(**fields: Any) -> Invoice:
    data = {"customer_id": "cus_42", "currency": "USD", "items": [{"unit_price": "100.00"}]}
    return Desk().accept("CreateInvoice", **(data | fields))


def page(invoice: Invoice, columns: int = 80) -> str:
    console = Console(file=StringIO(), width=columns)
    with console.capture() as captured:
        console.print(invoice_panel(invoice))
    return captured.get()


def test_a_page_lists_all_parts_of_the_total() -> None:
    invoice = an_invoice(
        items=[{"unit_price": "100.00", "tax": {"rate": "0.2"}, "duties": {"amount": "3.00"}}],
        discount={"percent_off": "10"},
        shipping={"amount": "4.90"},
    )

    words = page(invoice).split()

    for amount in ("100.00", "-10.00", "18.00", "3.00", "4.90", "115.90"):
        assert amount in words


def test_a_page_does_not_tell_what_is_nought() -> None:
    told = page(an_invoice())

    assert [word for word in ("Duties", "Shipping", "Refunded") if word in told] == []


def test_a_page_shows_payments_with_what_went_back_of_them() -> None:
    desk = Desk()
    desk.accept("CreateInvoice", customer_id="c", currency="USD", items=[{"amount": "100.00"}])
    payment = {"payment_id": "pay_1"}
    desk.accept("RecordPayment", **payment, amount="100", method="wire_transfer")
    desk.accept("RefundPayment", **payment, refund_id="ref_1", amount="1.01", execute=True)
    desk.accept("ReturnPayment", **payment, return_id="ret_1", amount="2.02", code="R01")
    desk.accept("OpenDispute", **payment, dispute_id="dis_1", amount="3.03")

    rows = [line.strip("│ ").split() for line in page(desk.current).splitlines()]

    assert ["pay_1", "(wire_transfer)", "2026-11-20", "settled", "100.00"] in rows
    assert ["refund", "ref_1", "2026-11-20", "pending", "-1.01"] in rows
    assert ["return", "ret_1", "(R01)", "2026-11-20", "returned", "-2.02"] in rows
    assert ["dispute", "dis_1", "2026-11-20", "open", "-3.03"] in rows


def test_a_page_shows_credit_notes_by_tax_group_and_which_are_void() -> None:
    desk = Desk()
    items = [{"amount": "100", "tax": {"rate": "0.2"}}, {"amount": "30"}]
    desk.accept("CreateInvoice", customer_id="c", currency="USD", items=items)
    desk.accept("IssueCreditNote", credit_note_id="cn_1", amount="15")
    desk.accept("VoidCreditNote", credit_note_id="cn_1")

    rows = [line.strip("│ ").split() for line in page(desk.current).splitlines()]

    assert ["number-2", "(cn_1),", "void", "2026-11-20", "2.00", "15.00"] in rows
    assert ["20%", "2.00", "12.00"] in rows
    assert ["untaxed", "0.00", "3.00"] in rows


@pytest.mark.parametrize("columns", [80, 200])
def test_a_page_has_80_columns_however_wide_the_terminal(columns: int) -> None:
    assert {len(line) for line in page(an_invoice(), columns).splitlines()} == {80}


def test_a_page_shows_a_customers_text_as_it_is_but_for_control_characters() -> None:
    invoice = an_invoice(memo="[red]Grüße[/red] \x1b[2J")

    assert "[red]Grüße[/red] ?[2J" in page(invoice)
