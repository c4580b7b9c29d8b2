"""What a command is decided with, and the events that the decision emits."""

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

from invoicing.contracts.commands import CommandData
from invoicing.contracts.events import EVENTS, DocumentEvent, EventData, Posted
from invoicing.contracts.replies import FieldError, Rejection, RejectionCode
from invoicing.contracts.validation.error_messages import invalid
from invoicing.domain.balance import Balance, balance
from invoicing.domain.calendar import DEFAULT_ZONE, day_in
from invoicing.domain.invoice import Invoice, summary_of
from invoicing.domain.numbering import NumberRequest, NumberSeries
from invoicing.domain.sellers import Seller, Sellers

EventT = TypeVar("EventT", bound=EventData)

REPORTED_AHEAD_MAX: Final = timedelta(days=1)

_DOCUMENT_EVENTS: Final = frozenset(
    event for event in EVENTS.values() if issubclass(event, DocumentEvent)
)
_POSTED_EVENTS: Final = frozenset(event for event in EVENTS.values() if issubclass(event, Posted))


class Command(NamedTuple):
    """A command to decide. `time` is the producer's, else its record's, with its offset."""

    invoice_id: str
    type: str
    data: CommandData
    time: datetime
    expected_version: int | None


class Context(NamedTuple):
    """What a decision depends on beside the invoice and the command.

    `number` is a placeholder for a number that is not known yet, unique to this decision.
    """

    recorded_at: datetime
    sellers: Sellers
    number: str


class Accepted(NamedTuple):
    """An accepted command: its events, the invoice after them and the numbers that they need.

    A command that changes nothing has no events. `document_changed` is true if an event carries
    the document, so that a store knows when to write what it indexes of it.
    """

    events: tuple[EventData, ...]
    invoice: Invoice
    numbers: tuple[NumberRequest, ...] = ()
    document_changed: bool = False


@dataclass(slots=True)
class Decision:
    """A decision in progress. Each event is folded in at once, so the next one builds on it.

    `evolve` is passed in: it imports every topic, and every topic imports this module.
    """

    invoice: Invoice
    command: Command
    context: Context
    evolve: Callable[[Invoice | None, EventData, datetime], Invoice]
    events: list[EventData] = field(default_factory=list)
    numbers: list[NumberRequest] = field(default_factory=list)
    document_changed: bool = False
    balance: Balance | None = None
    """What the facts add up to since the last event; None before the first."""

    @property
    def day(self) -> date:
        """The seller's day of the command's time, and never later than today."""
        return self._sellers_day(min(self.command.time, self.context.recorded_at))

    @property
    def today(self) -> date:
        """The seller's day on which the command is handled."""
        return self._sellers_day(self.context.recorded_at)

    def _sellers_day(self, instant: datetime) -> date:
        """In UTC if the seller is not configured any more."""
        seller = self.context.sellers.find(self.invoice.seller_id)
        return day_in(seller.time_zone if seller else DEFAULT_ZONE, instant)

    @property
    def seller(self) -> Seller | Rejection:
        """The settings of the invoice's seller, who may have been removed since it was created."""
        return self.context.sellers.find(self.invoice.seller_id) or Rejection(
            RejectionCode.UNKNOWN_SELLER, "The invoice's seller is no longer configured."
        )

    def period_locked(self, day: date) -> Rejection | None:
        """The rejection of a document that has, or would get, this date; None if it is allowed.

        Whatever issues a document or takes one back asks here with the document's date: opening,
        unposting, voiding, reversing, and issuing or voiding a credit note.
        """
        seller = self.seller
        if isinstance(seller, Rejection):
            return seller
        if not seller.has_locked(day):
            return None
        return Rejection(
            RejectionCode.PERIOD_LOCKED,
            f"The document's date is {day}, and the seller's books are closed up to"
            f" {seller.locked_until}.",
        )

    def reported_too_early(self, field: str, instant: datetime | None) -> Rejection | None:
        """The rejection of a report on what is to happen later; clocks may differ by a day."""
        if instant is None or instant <= self.context.recorded_at + REPORTED_AHEAD_MAX:
            return None
        return invalid([FieldError(field=field, reason="must not be more than a day ahead")])

    def new_id(self, taken: Container[str]) -> str:
        """An id for what the next event creates, made from the invoice's id and version.

        It is the same whenever the command is decided again on the same state.
        """
        name = f"{self.invoice.invoice_id}-{self.invoice.version + 1}"
        while name in taken:
            name += "-"
        return name

    def _posting_date(self, moved_at: datetime | None) -> date | None:
        """The day to post an event on; None if it is the one that the event itself shows.

        Money is posted on the invoice's day of the instant at which it moved, and anything else,
        with None for `moved_at`, on the seller's today; neither before the date of an issued
        document nor in closed books.
        """
        invoice = self.invoice
        seller = self.context.sellers.find(invoice.seller_id)
        locked_until = seller.locked_until if seller else None
        if moved_at is not None and locked_until is None:
            return None  # the usual case, without a look at the document
        document = invoice.lazy_document.index_fields
        zone = document.time_zone or DEFAULT_ZONE
        issued = document.document_date if invoice.invoice_number is not None else date.min
        shown = max(day_in(zone, moved_at or self.context.recorded_at), issued)
        day = shown if moved_at else max(self.today, issued)
        if locked_until is not None and day <= locked_until:
            day = locked_until + timedelta(days=1)
        return None if day == shown else day

    def emit(self, event: type[EventData], **facts: Any) -> None:
        """Add an event and fold it in. Facts may be fields of the summary; None leaves one out."""
        fields = summary_of(self.invoice)
        fields |= {name: value for name, value in facts.items() if value is not None}
        if event in _POSTED_EVENTS:
            moved_at = fields.get("received_at") or fields.get("settled_at")
            if "payment_id" in fields and moved_at is None:
                moved_at = self.context.recorded_at
            fields |= drop_none(posting_date=self._posting_date(moved_at))
        self.balance = balance(fields)
        emitted = build_event(event, fields, self.balance)
        self.events.append(emitted)
        self.document_changed |= event in _DOCUMENT_EVENTS
        self.invoice = self.evolve(self.invoice, emitted, self.context.recorded_at)

    def take_number(self, series: NumberSeries) -> str:
        """Request the next number of the series and return its placeholder."""
        assert not self.numbers, "two numbers would get the same placeholder"
        self.numbers.append(NumberRequest(series, self.context.number))
        return self.context.number


def drop_none(**fields: Any) -> dict[str, Any]:
    """The fields that are given. Published events and documents do not contain the others."""
    return {name: value for name, value in fields.items() if value is not None}


def build_event(event: type[EventT], facts: dict[str, Any], computed: Balance) -> EventT:
    """Build an event from its own facts, the summary's, and the amounts computed from them.

    The event keeps `facts`.
    """
    _, facts["amount_due"], facts["amount_written_off"], facts["amount_overpaid"] = computed
    return event.of_fields(facts)
