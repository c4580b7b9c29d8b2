"""What a sale and the credit notes on it post to revenue and tax, taken from the documents."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from invoicing.contracts.events import CreditNote, CreditNoteTaxGroup
from invoicing.contracts.invoice import Document
from invoicing.domain.journal.accounts import Account, Posting


def tax_account(category: str | None, rate: str | None) -> str:
    """The detail of the tax account of a category and rate; rate is None for a given amount."""
    return f"{category or 'none'} {'given' if rate is None else rate}"


def sale_postings(document: Document) -> Iterator[Posting]:
    """The credits of an opening: revenue without tax, by kind, and tax by category and rate."""
    inclusive = document.tax_inclusive
    tax_on_fees = sum((fee.tax_amount for item in document.items for fee in item.fees), Decimal(0))
    tax_on_goods = sum((item.tax_amount for item in document.items), Decimal(0)) - tax_on_fees
    tax_on_shipping = document.shipping.tax_amount if document.shipping else Decimal(0)
    net = sum((item.net for item in document.items), Decimal(0))
    goods = document.subtotal_excluding_tax
    revenue = {
        Account.GOODS: goods,
        Account.DISCOUNTS: net - (tax_on_goods if inclusive else 0) - goods,
        Account.FEES: document.total_fees - (tax_on_fees if inclusive else 0),
        Account.SHIPPING: document.total_shipping - (tax_on_shipping if inclusive else 0),
        Account.DUTIES: document.total_duties,
        Account.IMPORTER_TAX: document.total_importer_tax,
    }
    for account, amount in revenue.items():
        yield Posting(account, "", -amount)
    for group in document.tax_groups:
        yield Posting(Account.TAX, tax_account(group.category, group.rate), -group.tax)


def credit_note_postings(
    note: CreditNote, tax_groups: Iterable[CreditNoteTaxGroup]
) -> Iterator[Posting]:
    """The debits of a credit note: its net amount, and its tax by category and rate."""
    yield Posting(Account.CREDIT_NOTES, "", note.amount - note.tax_amount)
    for group in tax_groups:
        yield Posting(Account.TAX, tax_account(group.category, group.rate), group.tax)
