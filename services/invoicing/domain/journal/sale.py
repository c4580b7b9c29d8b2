"""What a sale and the credit notes on it post to revenue and tax, taken from the documents."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from invoicing.contracts.events import CreditNote
from invoicing.contracts.invoice import Document, TaxRounding
from invoicing.domain.journal.accounts import Account, Posting
from invoicing.domain.pricing.rounding import RoundingPolicy


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
    note: CreditNote, currency: str, tax_outstanding: Mapping[str, Decimal]
) -> Iterator[Posting]:
    """The debits of a credit note: its net amount, and its tax by category and rate.

    `tax_outstanding` is the tax that is still owed, by the detail of its account.
    """
    yield Posting(Account.CREDIT_NOTES, "", note.amount - note.tax_amount)
    if note.tax_groups:
        for group in note.tax_groups:
            yield Posting(Account.TAX, tax_account(group.category, group.rate), group.tax)
        return
    for detail, tax in _shared_tax(note.tax_amount, currency, tax_outstanding):
        yield Posting(Account.TAX, detail, tax)


def _shared_tax(
    tax: Decimal, currency: str, outstanding: Mapping[str, Decimal]
) -> Iterator[tuple[str, Decimal]]:
    """Share tax over what is owed by category and rate, by largest remainder.

    Credit notes of the first releases say only how much tax they hold in all.
    """
    owed = sum(outstanding.values(), Decimal(0))
    if owed == 0:
        yield tax_account(None, None), tax
        return
    policy = RoundingPolicy.of(currency, TaxRounding.GROUP, tax_inclusive=False)
    shares = policy.share(tax, [tax * part for part in outstanding.values()], owed)
    yield from zip(outstanding, shares, strict=True)
