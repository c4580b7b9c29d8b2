"""Check an invoice's amounts against its journal, which does not share their formula."""

from collections.abc import Iterator
from datetime import datetime

from invoicing.contracts.events import EventData
from invoicing.domain.entries import total
from invoicing.domain.invoice import HELD_IN_DISPUTES, PENDING_REFUNDS, Invoice
from invoicing.domain.journal.accounts import Account
from invoicing.domain.journal.journal import Journal
from invoicing.maintenance.verify.findings import Finding, FindingKind


class Books:
    """The journal of one invoice, compared with its state."""

    def __init__(self) -> None:
        self._journal = Journal()

    def take(self, event: EventData, recorded_at: datetime) -> Iterator[Finding]:
        """Book the next event. Its postings must sum to zero."""
        entry = self._journal.book(event, recorded_at)
        difference = sum(posting.amount for posting in entry.postings) if entry else 0
        if difference:
            yield Finding(
                FindingKind.JOURNAL_UNBALANCED,
                event.invoice_id,
                f"the postings of {event.type} sum to 0",
                f"{difference}",
            )

    def compare(self, invoice: Invoice) -> Iterator[Finding]:
        """Compare the balances with the invoice's amounts, after the last event of a command."""
        shown = {
            Account.RECEIVABLE: ("amount_due", invoice.amount_due),
            Account.CUSTOMER_CREDIT: ("amount_overpaid", -invoice.amount_overpaid),
            Account.BAD_DEBT: ("amount_written_off", invoice.amount_written_off),
            Account.HELD_IN_DISPUTES: (
                "open disputes",
                total(invoice.payments, HELD_IN_DISPUTES),
            ),
            Account.REFUNDS_PAYABLE: ("pending refunds", total(invoice.payments, PENDING_REFUNDS)),
        }
        for account, (name, amount) in shown.items():
            if (balance := self._journal.balance(account)) != amount:
                yield Finding(
                    FindingKind.JOURNAL_DIFFERS,
                    invoice.invoice_id,
                    f"{name} {abs(balance)}, as {account} has it at version {invoice.version}",
                    f"{name} {abs(amount)}",
                )
