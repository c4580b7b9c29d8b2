"""Stream the journal of all invoices from the stored events."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from invoicing.contracts.events import CreditNoteVoided, EventData, InvoiceCredited
from invoicing.contracts.model import given_fields
from invoicing.domain.journal.accounts import Posting
from invoicing.domain.journal.journal import BOOKS, Journal
from invoicing.maintenance.database import snapshot
from invoicing.runtime.settings import Settings
from invoicing.store.history import EVENTS_A_FETCH, ReplayError, data_of
from invoicing.store.rows import EVENT_COLUMNS, StoredEvent, event_of

BOOKED_EVENTS: Final = f"""
SELECT {", ".join(f"event.{column}" for column in EVENT_COLUMNS)}
FROM events AS event JOIN invoices AS invoice ON invoice.id = event.invoice_id
WHERE event.type = ANY($1::text[])
    AND coalesce(invoice.live_mode, true) = $2
    AND ($3::text IS NULL OR invoice.seller_id = $3)
ORDER BY event.invoice_id, event.version
"""  # noqa: S608 (constants of ours)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """The postings of one event.

    `reference` is its credit note's number, or its refund, return, dispute or payment.
    """

    posting_date: date
    invoice_id: str
    version: int
    event: str
    invoice_number: str | None
    seller_id: str
    customer_id: str
    currency: str
    reference: str
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True)
class JournalPeriod:
    """Which entries to stream: days, both included, and a seller. None for no limit."""

    first: date | None = None
    last: date | None = None
    seller_id: str | None = None
    live_mode: bool = True

    def includes(self, day: date) -> bool:
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


async def journal_entries(settings: Settings, period: JournalPeriod) -> AsyncIterator[JournalEntry]:
    """Yield the entries of a period by invoice and version, as of one moment.

    Raises `SchemaError`, and `ReplayError` for an event that cannot be read.
    """
    booked = [event.type for event in BOOKS]
    bookkeeper = Bookkeeper()
    async with snapshot(settings) as connection:
        # By a cursor of the server: in memory are the rows of one fetch and one invoice's balances.
        async for row in connection.cursor(
            BOOKED_EVENTS, booked, period.live_mode, period.seller_id, prefetch=EVENTS_A_FETCH
        ):
            entry = bookkeeper.take(event_of(row))
            if entry is not None and period.includes(entry.posting_date):
                yield entry


class Bookkeeper:
    """Books stored events, taken by invoice and version.

    All events of an invoice are folded, whatever the period: what a payment pays off depends on
    those before it.
    """

    def __init__(self) -> None:
        self._invoice_id = ""
        self._journal = Journal()

    def take(self, stored: StoredEvent) -> JournalEntry | None:
        """Book the next event; None if it concerns no account. Raises `ReplayError`."""
        if stored.invoice_id != self._invoice_id:
            self._invoice_id, self._journal = stored.invoice_id, Journal()
        try:
            event = data_of(stored.type, stored.document)
            entry = self._journal.book(event, stored.recorded_at)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ReplayError(
                f"Invoice {stored.invoice_id} cannot be booked at version {stored.version}:"
                f" {type(error).__name__}. Run `invoicing verify` for details."
            ) from error
        if entry is None:
            return None
        return JournalEntry(
            posting_date=entry.posting_date,
            invoice_id=stored.invoice_id,
            version=stored.version,
            event=event.type,
            invoice_number=event.invoice_number,
            seller_id=event.seller_id,
            customer_id=event.customer_id,
            currency=event.currency,
            reference=_reference(event),
            postings=entry.postings,
        )


def _reference(event: EventData) -> str:
    if isinstance(event, InvoiceCredited | CreditNoteVoided):
        return event.credit_note.credit_note_number
    fields = given_fields(event)
    names = ("refund_id", "return_id", "dispute_id", "payment_id")
    return next((fields[name] for name in names if fields.get(name)), "")
