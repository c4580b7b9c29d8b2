"""Documents to price."""

from typing import Any

from invoicing.domain.sellers import Seller, Sellers
from tests.support.domain.desk import Desk

PER_LINE = Sellers({"default": Seller(id="default", tax_rounding="line")})


def priced(currency: str = "EUR", sellers: Sellers | None = None, **data: Any) -> dict[str, Any]:
    """The document of a draft with these fields, as JSON would show it."""
    desk = Desk(sellers or Sellers())
    invoice = desk.accept(
        "CreateInvoice", customer_id="cus_1", currency=currency, state="draft", **data
    )
    return invoice.document.model_dump(mode="json")


def lines(rate: str, *amounts: str) -> list[dict[str, Any]]:
    """A line for each amount, all at one rate."""
    return [{"amount": amount, "tax": {"rate": rate}} for amount in amounts]


def groups(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Each group's rate, net and tax."""
    return [(group["rate"], group["net"], group["tax"]) for group in document["tax_groups"]]
