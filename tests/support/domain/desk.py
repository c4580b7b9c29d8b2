"""An invoice in memory: commands are read and decided on it, and what always holds is checked."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from invoicing.contracts.commands import read_data
from invoicing.contracts.events import EVENTS, EventData
from invoicing.contracts.replies import Rejection
from invoicing.domain.decide import decide
from invoicing.domain.decision import Accepted, Command, Context
from invoicing.domain.evolve import evolve
from invoicing.domain.invoice import Invoice
from invoicing.domain.numbering import NumberRequest
from invoicing.domain.sellers import Sellers
from invoicing.maintenance.verify.books import Books
from invoicing.maintenance.verify.findings import Finding
from tests.support.domain.rows import Rows

MORNING = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def an_item(**fields: Any) -> dict[str, Any]:
    """A line of 100.00 without tax, but for these fields."""
    return {"unit_price": "100.00"} | fields if "amount" not in fields else fields


@dataclass
class Desk:
    """Where one invoice is worked on. `invoice` is what it has come to, None before it is made."""

    sellers: Sellers = field(default_factory=Sellers)
    invoice: Invoice | None = None
    history: list[tuple[EventData, datetime]] = field(default_factory=list)
    numbers: list[NumberRequest] = field(default_factory=list)
    placeholders: Any = field(default_factory=lambda: map("number-{}".format, count(1)))
    now: datetime = MORNING
    time: datetime | None = None
    """The producer's time of the next commands; by default now."""
    books: Books = field(default_factory=Books)
    booked: int = 0
    rows: Rows | None = None
    """Where every command is decided again, on those parts of the invoice that it names."""

    def send(
        self, command_type: str, /, expected_version: int | None = None, **data: Any
    ) -> Accepted | Rejection:
        """Decide a command, and keep what it led to."""
        return self.send_data(command_type, data, expected_version)

    def send_data(
        self, command_type: str, data: object, expected_version: int | None = None
    ) -> Accepted | Rejection:
        """The same, with whatever JSON a producer might send."""
        self.now += timedelta(minutes=1)
        read = read_data(command_type, data)
        if isinstance(read, Rejection):
            return read
        command = Command("inv_1", command_type, read, self.time or self.now, expected_version)
        context = Context(self.now, self.sellers, next(self.placeholders))
        decided = decide(self.invoice, command, context)
        if decide(self.invoice, command, context) != decided:
            raise AssertionError("deciding is not deterministic")
        if isinstance(decided, Accepted):
            self._keep(decided)
        if self.rows is not None:
            self.rows.check(command, data, context, decided)
            if self.invoice is not None:
                self.rows.assert_equals(self.invoice)
        return decided

    def accept(self, command_type: str, /, **data: Any) -> Invoice:
        """Send a command that must be accepted; gives the invoice after it."""
        decided = self.send(command_type, **data)
        assert isinstance(decided, Accepted), f"{command_type} was refused: {decided}"
        return self.current

    def refuse(self, command_type: str, /, **data: Any) -> Rejection:
        """Send a command that must be refused; gives the refusal."""
        before = self.invoice
        decided = self.send(command_type, **data)
        assert isinstance(decided, Rejection), f"{command_type} was accepted: {decided}"
        assert self.invoice is before
        return decided

    @property
    def current(self) -> Invoice:
        """The invoice, which must exist."""
        assert self.invoice is not None
        return self.invoice

    @property
    def event_types(self) -> list[str]:
        """The names of all events, in order."""
        return [event.type for event, _ in self.history]

    def _keep(self, decided: Accepted) -> None:
        self.invoice = decided.invoice
        self.numbers += decided.numbers
        self.history += [(stored(event), self.now) for event in decided.events]
        assert len(decided.numbers) <= 1
        assert replay(self.history) == self.invoice
        assert_summary_holds(self.current)
        self._assert_journal_agrees()
        snapshot = self.current.to_json()
        again = Invoice.model_validate_json(snapshot)
        assert again == self.invoice
        assert again.to_json() == snapshot

    def _assert_journal_agrees(self) -> None:
        findings: list[Finding] = []
        while self.booked < len(self.history):
            findings += self.books.take(*self.history[self.booked])
            self.booked += 1
        findings += self.books.compare(self.current)
        assert findings == []


def open_desk(amount: str = "100.00", currency: str = "USD") -> Desk:
    """A desk with an open invoice of one line."""
    desk = Desk()
    desk.accept("CreateInvoice", customer_id="cus_1", currency=currency, items=[{"amount": amount}])
    return desk


def pay(desk: Desk, payment_id: str, amount: str, **more: object) -> None:
    """Record a payment in dollars."""
    desk.accept("RecordPayment", payment_id=payment_id, amount=amount, currency="USD", **more)


def stored(event: EventData) -> EventData:
    """The event as a reader has it who knows less and more than the writer."""
    document = json.loads(event.to_json())
    again = EVENTS[event.type].model_validate({"a_field_of_tomorrow": 1, **document})
    assert again == event
    assert again.to_json() == event.to_json()
    return again


def replay(history: Sequence[tuple[EventData, datetime]]) -> Invoice | None:
    """What stored events add up to."""
    invoice = None
    for event, recorded_at in history:
        invoice = evolve(invoice, event, recorded_at)
    return invoice


def assert_summary_holds(invoice: Invoice) -> None:
    """Every amount of the summary follows from payments, credit notes and the document."""
    arrived = ("settled", "returned")
    settled = [payment for payment in invoice.payments.values() if payment.state in arrived]
    refunds = [r for payment in settled for r in payment.refunds if r.state == "settled"]
    returns = [part.amount for payment in settled for part in payment.returns]
    disputes = [dispute for payment in settled for dispute in payment.disputes]
    lost = [dispute.amount for dispute in disputes if dispute.state == "lost"]
    assert invoice.total == invoice.document.total
    assert invoice.amount_paid == sum(payment.amount for payment in settled)
    assert invoice.amount_refunded == sum(refund.amount for refund in refunds)
    assert invoice.amount_returned == sum(returns) + sum(lost)
    assert invoice.disputed == any(dispute.state == "open" for dispute in disputes)
    assert invoice.amount_credited == sum(note.amount for note in invoice.standing_credit_notes)
    received = invoice.amount_paid - invoice.amount_refunded - invoice.amount_returned
    if invoice.state in ("open", "paid", "uncollectible"):
        owed = invoice.total - invoice.amount_credited - received
    else:
        owed = -received
    assert invoice.amount_due + invoice.amount_written_off - invoice.amount_overpaid == owed
    amounts = (invoice.amount_due, invoice.amount_written_off, invoice.amount_overpaid)
    assert min(amounts) >= 0
    assert sum(amount > 0 for amount in amounts) <= 1
    assert invoice.live_mode == invoice.document.live_mode
