"""The chart of accounts, and what is posted to it."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple


class Account(StrEnum):
    """An account. Its name begins with its type, as plain-text accounting has it."""

    RECEIVABLE = "assets:receivable"
    CASH = "assets:cash clearing"
    HELD_IN_DISPUTES = "assets:held in disputes"
    REFUNDS_PAYABLE = "assets:refunds payable"
    CUSTOMER_CREDIT = "liabilities:customer credit"
    TAX = "liabilities:tax payable"
    GOODS = "revenues:goods"
    DISCOUNTS = "revenues:discounts"
    FEES = "revenues:fees"
    SHIPPING = "revenues:shipping"
    DUTIES = "revenues:duties"
    IMPORTER_TAX = "revenues:importer tax"
    CREDIT_NOTES = "revenues:credit notes"
    BAD_DEBT = "expenses:bad debt"
    PROVIDER_COSTS = "expenses:provider costs"


SALE_ACCOUNTS = frozenset(
    {
        Account.TAX,
        Account.GOODS,
        Account.DISCOUNTS,
        Account.FEES,
        Account.SHIPPING,
        Account.DUTIES,
        Account.IMPORTER_TAX,
        Account.CREDIT_NOTES,
    }
)
"""The accounts that an opening posts to, and that a void invoice leaves at zero."""


class Posting(NamedTuple):
    """An amount on an account: a debit above zero, a credit below.

    `detail` divides the account: tax by category and rate, cash by method. Empty for the others.
    """

    account: Account
    detail: str
    amount: Decimal


class Entry(NamedTuple):
    """The postings of one event, which sum to zero, and the day on which the books have them."""

    posting_date: date
    postings: tuple[Posting, ...]
