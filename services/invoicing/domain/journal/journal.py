"""The books of one invoice: a fold over its events that keeps a balance of each account.

It is the oracle that amounts and states are checked by. So it books each event by that event's own
facts and by its own balances. It reads neither `state` nor an `amount_*` of a summary, and does not
know the balance formula.

A customer's money meets what the customer owes in two steps only. What comes in pays off the
receivable, then bad debt; the rest is the customer's credit. What goes back takes the customer's
credit first; the rest is owed again, as bad debt if anything is.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from invoicing.contracts import events
from invoicing.contracts.lazy_document import LazyDocument
from invoicing.domain.calendar import DEFAULT_ZONE, day_in
from invoicing.domain.credit_tax import tax_groups_of_note
from invoicing.domain.journal.accounts import SALE_ACCOUNTS, Account, Entry, Posting
from invoicing.domain.journal.sale import credit_note_postings, sale_postings
from invoicing.domain.pricing.rounding import exact_arithmetic

UNKNOWN_METHOD: Final = "unspecified"


class Journal:
    """The accounts of an invoice after the events that were booked, in their order."""

    def __init__(self) -> None:
        self._balances: dict[tuple[Account, str], Decimal] = defaultdict(Decimal)
        self._totals: dict[Account, Decimal] = defaultdict(Decimal)
        self._postings: list[Posting] = []
        self._is_sold = False
        self._document_date = date.min
        self._time_zone = DEFAULT_ZONE
        self._methods: dict[str, str] = {}
        self._pending_refunds: dict[str, Decimal] = {}
        self._credit_notes: dict[str, events.CreditNote] = {}
        self._document: LazyDocument

    def balance(self, account: Account) -> Decimal:
        """The balance of an account, with all its details: debits less credits."""
        return self._totals[account]

    def book(self, event: events.EventData, recorded_at: datetime) -> Entry | None:
        """Book the next event, stored at `recorded_at`; None if it concerns no account."""
        book = BOOKS.get(event.declared)
        if book is None:
            return None
        self._postings = []
        with exact_arithmetic():
            day = book(self, event, recorded_at)
        if not self._postings:
            return None
        # A day in closed books was replaced when the event was made, by the books as they were.
        moved = event.posting_date if isinstance(event, events.Posted) else None
        return Entry(moved or max(day, self._document_date), tuple(self._postings))

    def _post(self, account: Account, amount: Decimal, detail: str = "") -> None:
        if amount:
            self._balances[account, detail] += amount
            self._totals[account] += amount
            self._postings.append(Posting(account, detail, amount))

    def _move_all(self, source: Account, target: Account) -> None:
        amount = self.balance(source)
        self._post(source, -amount)
        self._post(target, amount)

    def _receive(self, amount: Decimal) -> None:
        """Credit the customer: what is receivable, then bad debt, then customer credit."""
        for account in (Account.RECEIVABLE, Account.BAD_DEBT):
            paid_off = min(self.balance(account), amount)
            self._post(account, -paid_off)
            amount -= paid_off
        self._post(Account.CUSTOMER_CREDIT, -amount)

    def _give_back(self, amount: Decimal) -> None:
        """Debit the customer: customer credit first, and what exceeds it is owed."""
        from_credit = min(-self.balance(Account.CUSTOMER_CREDIT), amount)
        self._post(Account.CUSTOMER_CREDIT, from_credit)
        is_lost = not self._is_sold or self.balance(Account.BAD_DEBT)
        owed = Account.BAD_DEBT if is_lost else Account.RECEIVABLE
        self._post(owed, amount - from_credit)

    def _opened(self, event: events.InvoiceOpened, _recorded_at: datetime) -> date:
        document, self._document = event.invoice.document, event.invoice
        self._is_sold, self._document_date = True, document.document_date
        self._time_zone = document.time_zone or DEFAULT_ZONE
        for account, detail, amount in sale_postings(document):
            self._post(account, amount, detail)
        self._move_all(Account.BAD_DEBT, Account.RECEIVABLE)
        self._give_back(document.total)
        return document.document_date

    def _withdrawn(self, event: events.EventData, recorded_at: datetime) -> date:
        """The sale is taken back. What it leaves receivable can no longer be claimed."""
        left = [(key, amount) for key, amount in self._balances.items() if key[0] in SALE_ACCOUNTS]
        for (account, detail), amount in left:
            self._post(account, -amount, detail)
        self._receive(-sum((amount for _, amount in left), Decimal(0)))
        return self._reversed(event, recorded_at)

    def _reversed(self, _event: events.EventData, recorded_at: datetime) -> date:
        """The sale has ended by a credit note, which stands."""
        self._is_sold = False
        self._move_all(Account.RECEIVABLE, Account.BAD_DEBT)
        return self._day(recorded_at)

    def _credited(self, event: events.InvoiceCredited, _recorded_at: datetime) -> date:
        note = event.credit_note
        tax_groups = tax_groups_of_note(self._document.document, self._credit_notes.values(), note)
        self._credit_notes[note.credit_note_id] = note.copy_with(tax_groups=tax_groups)
        postings = credit_note_postings(note, tax_groups)
        for account, detail, amount in postings:
            self._post(account, amount, detail)
        self._receive(note.amount)
        return note.document_date

    def _credit_note_voided(self, event: events.CreditNoteVoided, recorded_at: datetime) -> date:
        note = self._credit_notes.pop(event.credit_note.credit_note_id)
        for account, detail, amount in credit_note_postings(note, note.tax_groups):
            self._post(account, -amount, detail)
        self._give_back(event.credit_note.amount)
        return self._day(recorded_at)

    def _written_off(self, event: events.InvoiceWrittenOff, recorded_at: datetime) -> date:
        # The first releases wrote off what they held to be due, which may have been less.
        is_old = "times_paid" not in event.model_fields_set
        amount = self.balance(Account.RECEIVABLE) if is_old else event.amount
        self._post(Account.RECEIVABLE, -amount)
        self._post(Account.BAD_DEBT, amount)
        return self._day(recorded_at)

    def _reinstated(self, event: events.InvoiceReinstated, recorded_at: datetime) -> date:
        self._post(Account.BAD_DEBT, -event.amount)
        self._post(Account.RECEIVABLE, event.amount)
        return self._day(recorded_at)

    def _restated(self, event: events.InvoiceRestated, recorded_at: datetime) -> date:
        """The first rules left it open whether a debt was given up. The event settles it."""
        if self._is_sold:
            if event.after.amount_written_off:
                self._move_all(Account.RECEIVABLE, Account.BAD_DEBT)
            else:
                self._move_all(Account.BAD_DEBT, Account.RECEIVABLE)
        return self._day(recorded_at)

    def _recorded(self, event: events.PaymentRecorded, recorded_at: datetime) -> date:
        self._methods[event.payment_id] = event.method or UNKNOWN_METHOD
        if event.settled:
            self._collect(event.payment_id, event.amount)
        return self._day(event.received_at or recorded_at)

    def _settled(self, event: events.PaymentSettled, recorded_at: datetime) -> date:
        self._collect(event.payment_id, event.amount)
        return self._day(recorded_at)

    def _collect(self, payment_id: str, amount: Decimal) -> None:
        self._move_cash(payment_id, amount)
        self._receive(amount)

    def _refund_requested(self, event: events.RefundRequested, recorded_at: datetime) -> date:
        self._pending_refunds[event.refund_id] = event.amount
        self._post(Account.REFUNDS_PAYABLE, event.amount)
        self._move_cash(event.payment_id, -event.amount)
        return self._day(recorded_at)

    def _refunded(self, event: events.PaymentRefunded, recorded_at: datetime) -> date:
        self._release_refund(event.payment_id, event.refund_id)
        self._move_cash(event.payment_id, -event.amount)
        self._give_back(event.amount)
        return self._day(event.settled_at or recorded_at)

    def _refund_failed(self, event: events.RefundFailed, recorded_at: datetime) -> date:
        if event.was_settled:
            self._collect(event.payment_id, event.amount)
        else:
            self._release_refund(event.payment_id, event.refund_id)
        return self._day(recorded_at)

    def _release_refund(self, payment_id: str, refund_id: str) -> None:
        pending = self._pending_refunds.pop(refund_id, Decimal(0))
        self._post(Account.REFUNDS_PAYABLE, -pending)
        self._move_cash(payment_id, pending)

    def _returned(self, event: events.PaymentReturned, recorded_at: datetime) -> date:
        self._move_cash(event.payment_id, -event.amount)
        self._give_back(event.amount)
        self._pay_fee(event.payment_id, event.fee)
        return self._day(recorded_at)

    def _disputed(self, event: events.DisputeOpened, recorded_at: datetime) -> date:
        self._post(Account.HELD_IN_DISPUTES, event.amount)
        self._move_cash(event.payment_id, -event.amount)
        return self._day(recorded_at)

    def _dispute_closed(self, event: events.DisputeClosed, recorded_at: datetime) -> date:
        if event.was_lost:
            self._collect(event.payment_id, event.amount)
        else:
            self._post(Account.HELD_IN_DISPUTES, -event.amount)
            if event.outcome == "lost":
                self._give_back(event.amount)
            else:
                self._move_cash(event.payment_id, event.amount)
        self._pay_fee(event.payment_id, event.fee)
        return self._day(recorded_at)

    def _pay_fee(self, payment_id: str, fee: Decimal | None) -> None:
        if fee is not None:
            self._post(Account.PROVIDER_COSTS, fee)
            self._move_cash(payment_id, -fee)

    def _move_cash(self, payment_id: str, amount: Decimal) -> None:
        method = self._methods.get(payment_id, UNKNOWN_METHOD)
        self._post(Account.CASH, amount, method)

    def _day(self, at: datetime) -> date:
        return day_in(self._time_zone, at)


_Book = Callable[[Journal, Any, datetime], date]
"""Posts an event; gives the day that it belongs to."""

BOOKS: Final[Mapping[type[events.EventData], _Book]] = MappingProxyType(
    {
        events.InvoiceOpened: Journal._opened,
        events.InvoiceUnposted: Journal._withdrawn,
        events.InvoiceVoided: Journal._withdrawn,
        events.InvoiceReversed: Journal._reversed,
        events.InvoiceCredited: Journal._credited,
        events.CreditNoteVoided: Journal._credit_note_voided,
        events.InvoiceWrittenOff: Journal._written_off,
        events.InvoiceReinstated: Journal._reinstated,
        events.InvoiceRestated: Journal._restated,
        events.PaymentRecorded: Journal._recorded,
        events.PaymentSettled: Journal._settled,
        events.RefundRequested: Journal._refund_requested,
        events.PaymentRefunded: Journal._refunded,
        events.RefundFailed: Journal._refund_failed,
        events.PaymentReturned: Journal._returned,
        events.DisputeOpened: Journal._disputed,
        events.DisputeClosed: Journal._dispute_closed,
    }
)
"""The events that concern an account. Any other one books nothing."""
