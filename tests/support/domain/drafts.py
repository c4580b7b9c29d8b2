"""Drafts of sellers with and without settings of their own."""

from typing import Any

from invoicing.domain.sellers import Sellers, read_sellers
from tests.support.domain.desk import Desk

SELLERS = read_sellers("""
[sellers.acme]
name = "Acme Ltd"
tax_rounding = "line"
payment_terms_days = 14
address = { line1 = "Main Street 1", country = "AT" }
tax_ids = [{ type = "eu_vat", value = "ATU12345678" }]
invoice_numbers = { prefix = "AC-", padding = 4, yearly = true }
credit_note_numbers = { prefix = "AC-CN-" }

[sellers.plain]
""")


def data(**fields: Any) -> dict[str, Any]:
    """The data of a CreateInvoice of 100.00, but for these fields."""
    return {"customer_id": "cus_1", "currency": "USD", "items": [{"amount": "100"}]} | fields


def draft(sellers: Sellers | None = None, **fields: Any) -> Desk:
    """A desk with a draft of it."""
    desk = Desk(sellers or Sellers())
    desk.accept("CreateInvoice", **data(state="draft", **fields))
    return desk
