"""What a decision is made from and what it comes to; and how its events are told one by one."""

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from invoicing.contracts.commands import CommandData
from invoicing.contracts.events import EventData
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.domain.balance import balance
from invoicing.domain.invoice import Invoice, summary_of
from invoicing.domain.numbering import NumberRequest, NumberSeries
from invoicing.domain.sellers import Seller, Sellers

EventT = TypeVar("EventT", bound=EventData)


@dataclass(frozen=True, slots=True)
class Command:
    """A command to decide. `time` is its own, else its record's, in UTC."""

    invoice_id: str
    type: str
    data: CommandData
    time: datetime
    expected_version: int | None


@dataclass(frozen=True, slots=True)
class Context:
    """What deciding needs to be told. `number` stands where a number goes that is not known yet."""

    recorded_at: datetime
    sellers: Sellers
    number: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a command led to: its events, the invoice after them, the numbers that they wait for."""

    events: tuple[EventData, ...]
    invoice: Invoice | None
    numbers: tuple[NumberRequest, ...] = ()


@dataclass(slots=True)
class Decision:
    """A decision in the making: each event is folded in, so that the next sees what it left.

    `evolve` is handed in, for it knows the topics, and every topic knows this module.
    """

    invoice: Invoice
    command: Command
    context: Context
    evolve: Callable[[Invoice | None, EventData, datetime], Invoice]
    events: list[EventData] = field(default_factory=list)
    numbers: list[NumberRequest] = field(default_factory=list)

    @property
    def day(self) -> date:
        """The day of the command, in UTC."""
        return self.command.time.astimezone(UTC).date()

    @property
    def seller(self) -> Seller | Rejection:
        """The settings of the invoice's seller, who may have been taken off the list since."""
        return self.context.sellers.find(self.invoice.seller_id) or Rejection(
            RejectionCode.UNKNOWN_SELLER, "The invoice's seller is no more."
        )

    def new_id(self, taken: Container[str]) -> str:
        """A name for what the next event begins, made from the invoice and its version."""
        name = f"{self.invoice.invoice_id}-{self.invoice.version + 1}"
        while name in taken:
            name += "-"
        return name

    def emit(self, event: type[EventData], **facts: Any) -> None:
        """Add an event: its own facts, and what it changes of the summary, by the fields' names."""
        emitted = build_event(event, summary_of(self.invoice) | drop_none(**facts))
        self.events.append(emitted)
        self.invoice = self.evolve(self.invoice, emitted, self.context.recorded_at)

    def take_number(self, series: NumberSeries) -> str:
        """Ask for the next number of the series; what is returned stands in its place."""
        self.numbers.append(NumberRequest(series, self.context.number))
        return self.context.number


def drop_none(**fields: Any) -> dict[str, Any]:
    """Those that somebody gave; what nobody gave is left out of what we publish."""
    return {name: value for name, value in fields.items() if value is not None}


def build_event(event: type[EventT], facts: dict[str, Any]) -> EventT:
    """An event from its own facts and the summary's, but what is due, which follows from these."""
    due, overpaid = balance(
        total=facts["total"],
        amount_credited=facts["amount_credited"],
        amount_paid=facts["amount_paid"],
        amount_refunded=facts["amount_refunded"],
        amount_written_off=facts["amount_written_off"],
    )
    facts |= {"amount_due": due, "amount_overpaid": overpaid}
    return event.construct_unchecked(**facts)
