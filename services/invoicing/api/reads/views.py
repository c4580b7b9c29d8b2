"""An invoice as HTTP returns it: its document, summary, payments and history in one object."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import orjson
from pydantic import ConfigDict, Field

from invoicing.api.http.bodies import Body
from invoicing.contracts.events import CreditNote
from invoicing.contracts.invoice import Document, PricedItem, State, Summary
from invoicing.contracts.model import ContractModel
from invoicing.contracts.types.money import Currency
from invoicing.contracts.types.texts import Day, Instant, Text
from invoicing.domain.invoice import AttachedSource, Payment, Sending
from invoicing.domain.status import ARCHIVED

View = dict[str, Any]


class SendingView(Sending):
    """One sending of the invoice by e-mail."""

    send_id: Text = Field(description="The sending.")


class InvoiceView(Document, Summary):
    """An invoice: what was given, what was worked out, and where it stands."""

    seller_id: Text = Field(description="The seller.", examples=["default"])
    status: str = Field(
        description="What it is called on that day: archived, overpaid, received, overdue,"
        " partially_paid, upcoming, or the state.",
        examples=["upcoming"],
    )
    status_unarchived: str = Field(
        description="The status without the archive: that of an archived invoice if it were"
        " restored, and of any other its `status`.",
        examples=["upcoming"],
    )
    version: int = Field(description="How many events it has. Also the ETag.", examples=[2])
    archived: bool = Field(description="Whether it was put out of sight.")
    overdue_as_of: Day | None = Field(description="The day on which it was noticed to be overdue.")
    attempt_count: int = Field(description="Failed attempts to charge it.")
    next_attempt_at: Instant | None = Field(description="When a charge will be tried again.")
    payments: tuple[Payment, ...] = Field(description="Wanted, on their way, or arrived.")
    credit_notes: tuple[CreditNote, ...] = Field(description="What was credited.")
    sources: tuple[AttachedSource, ...] = Field(description="The attached means of payment.")
    sendings: tuple[SendingView, ...] = Field(description="When it was sent by e-mail.")
    last_notification_at: Instant | None = Field(
        description="When it was last sent, as reported by RecordInvoiceSent."
    )
    state_transitions: dict[State, Instant] = Field(
        description="When it last entered each state that it was ever in."
    )
    created_at: Instant = Field(description="When it was made.")
    updated_at: Instant = Field(description="When its last event was recorded.")
    available_commands: tuple[str, ...] | None = Field(
        None, description="What it would accept now; with `expand=available_commands`."
    )
    events: tuple[dict[str, Any], ...] | None = Field(
        None, description="Its history, as on Kafka; with `expand=events`."
    )


class InvoiceFields(Body):
    """Some fields of an invoice: those that `fields` has named."""

    model_config = ConfigDict(extra="allow")


class ItemView(PricedItem):
    """A line, and the invoice that it stands in."""

    invoice_id: Text = Field(description="The invoice.")
    invoice_number: Text | None = Field(description="Its number; null until it is opened.")
    customer_id: Text = Field(description="The customer.")
    currency: Currency = Field(description="ISO 4217 code of the line's amounts.")


class Change(ContractModel):
    """One field that differs between two versions."""

    field: str = Field(description="Its path, parts joined by dots.", examples=["items.0.quantity"])
    before: Any = Field(description="Its value then; null where it had none.")
    after: Any = Field(description="Its value after; null where it has none.")


VIEW_FIELDS: Final = frozenset(InvoiceView.model_fields)

_DEFAULTS: Final[View] = {
    "archived": False,
    "overdue_as_of": None,
    "attempt_count": 0,
    "next_attempt_at": None,
    "last_notification_at": None,
}
_INVOICE_OF_ITEM: Final = ("invoice_id", "invoice_number", "customer_id", "currency")


def view_of(snapshot: str, status_unarchived: str) -> View:
    """The view of a snapshot."""
    state = orjson.loads(snapshot)
    is_archived = state.get("archived", False)
    by_name = {name: state.pop(name, {}) for name in ("payments", "sources", "sendings")}
    state.pop("detached_source_ids", None)
    if "times_paid" not in state:
        state = _of_first_releases(state) | state
    return {
        "invoice_id": state["invoice_id"],
        "status": ARCHIVED if is_archived else status_unarchived,
        "status_unarchived": status_unarchived,
        **_DEFAULTS,
        **state.pop("document"),
        "state_transitions": state.pop("entered", {}),
        "credit_notes": state.pop("credit_notes", []),
        "payments": list(by_name["payments"].values()),
        "sources": list(by_name["sources"].values()),
        "sendings": [{"send_id": id_, **sending} for id_, sending in by_name["sendings"].items()],
        **state,
    }


def _of_first_releases(state: View) -> View:
    """What the snapshots of the first releases lack, as folding their events gives it."""
    total = Decimal(state["total"])
    return {
        "amount_returned": str(total - total),
        "amount_transferred": str(total - total),
        "disputed": False,
        "times_paid": int("paid" in state.get("entered", ())),
    }


def items_of(view: View) -> list[View]:
    """The items of an invoice, each with its invoice."""
    invoice = {name: view[name] for name in _INVOICE_OF_ITEM}
    return [{**item, **invoice} for item in view["items"]]


def differences(before: Any, after: Any, path: str = "") -> Iterator[View]:
    """Every field that differs, by its path; a list's entries by their indexes."""
    if type(before) is not type(after) or not isinstance(before, dict | list):
        if before != after:
            yield {"field": path, "before": before, "after": after}
        return
    old, new = _parts(before), _parts(after)
    for name in {**old, **new}:
        below = f"{path}.{name}" if path else name
        yield from differences(old.get(name), new.get(name), below)


def _parts(value: dict[str, Any] | list[Any]) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    return {str(index): part for index, part in enumerate(value)}
