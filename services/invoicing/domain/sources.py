"""Payment sources of an invoice: attach and detach. No amount changes.

A command that changes nothing is accepted and emits no event.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from invoicing.contracts import commands, events
from invoicing.contracts.lazy_document import LazyDocument
from invoicing.contracts.replies import Rejection, RejectionCode
from invoicing.domain.apply import ApplyTable, Changes
from invoicing.domain.decision import Decision, drop_none
from invoicing.domain.entries import open_entries, total
from invoicing.domain.invoice import IN_FLIGHT, PAYMENTS, AttachedSource, Invoice

SOURCES_MAX: Final = 100
"""Attached and detached together: both are kept."""

_UNUSABLE_STATES: Final = frozenset({"failed", "consumed", "expired", "cancelled", "canceled"})
"""In the reference's words, and one of them as Americans write it."""


def attach(decision: Decision, data: commands.AttachSource) -> Rejection | None:
    """Attach a source, or set the details of one that is attached.

    An id stands for one means of payment, whose type does not change. A source that the invoice
    named as its default has no type until it is attached.
    """
    invoice = decision.invoice
    known = invoice.sources.get(data.source_id)
    if known is not None and (known.type, known.details) == (data.type, data.details):
        return None
    if known is not None and known.type not in (None, data.type):
        return Rejection(
            RejectionCode.DUPLICATE_SOURCE,
            "A source of this id and of another type is attached. Detach it first.",
        )
    if known is None and len(invoice.sources) + len(invoice.detached_source_ids) >= SOURCES_MAX:
        return Rejection(
            RejectionCode.LIMIT_EXCEEDED,
            f"An invoice can have at most {SOURCES_MAX} sources, detached ones included.",
        )
    source = events.Source.construct_unchecked(
        source_id=data.source_id, type=data.type, **drop_none(details=data.details)
    )
    decision.emit(events.SourceAttached, source=source)
    return None


def _attached(invoice: Invoice, event: events.SourceAttached, recorded_at: datetime) -> Changes:
    source_id = event.source.source_id
    known = invoice.sources.get(source_id)
    source = AttachedSource.computed_from(
        event.source, attached_at=known.attached_at if known else recorded_at
    )
    # At the end, even one that was attached before: a charge takes the last source by default.
    others = {id_: other for id_, other in invoice.sources.items() if id_ != source_id}
    detached = tuple(id_ for id_ in invoice.detached_source_ids if id_ != source_id)
    return {"sources": {**others, source_id: source}, "detached_source_ids": detached}


def detach(decision: Decision, data: commands.DetachSource) -> Rejection | None:
    """Detach a source, unless a payment from it is in flight."""
    invoice = decision.invoice
    if data.source_id in invoice.detached_source_ids:
        return None
    if data.source_id not in invoice.sources:
        return Rejection(
            RejectionCode.UNKNOWN_SOURCE, "This source was never attached to the invoice."
        )
    if is_being_charged(invoice, data.source_id):
        return Rejection(
            RejectionCode.PAYMENT_IN_PROGRESS,
            "A payment from this source is in flight; wait until it settles or fails.",
        )
    decision.emit(events.SourceDetached, source_id=data.source_id)
    return None


def is_being_charged(invoice: Invoice, source_id: str) -> bool:
    """Whether a payment from this source is in flight."""
    requested = open_entries(PAYMENTS, invoice.payments)
    if any(payment.source_id == source_id for payment in requested):
        return True
    # The usual case: no other payment is in flight, so there is none to look for.
    return total(invoice.payments, IN_FLIGHT) > len(requested) and any(
        payment.in_flight and payment.source_id == source_id
        for payment in invoice.payments.values()
    )


def _detached(invoice: Invoice, event: events.SourceDetached, _recorded_at: datetime) -> Changes:
    others = {id_: other for id_, other in invoice.sources.items() if id_ != event.source_id}
    detached = (*invoice.detached_source_ids, event.source_id)
    return {"sources": others, "detached_source_ids": detached}


def why_unusable(invoice: Invoice, source_id: str, today: date | None = None) -> str | None:
    """Return why an attached source cannot be charged; None where it may be.

    The details `state`, `currency`, `reusable`, `expirationYear` and `expirationMonth` count. They
    may be in a group with the type's name. Without `today`, the expiry does not count.
    """
    source = invoice.sources[source_id]
    details = source.details or {}
    given = details.get(source.type or "")
    group = given if isinstance(given, dict) else {}
    for part in (details, group):
        state, currency = part.get("state"), part.get("currency")
        if isinstance(state, str) and state.casefold() in _UNUSABLE_STATES:
            return "This source was reported failed, consumed, expired or cancelled."
        if isinstance(currency, str) and currency.upper() != invoice.currency:
            return f"This source is in another currency than {invoice.currency}."
    is_single_use = any(part.get("reusable") is False for part in (details, group))
    if is_single_use and any(
        payment.has_settled and payment.source_id == source_id
        for payment in invoice.payments.values()
    ):
        return "This source cannot be charged twice."
    if today is not None and _has_expired(details | group, today):
        return "This source has expired."
    return None


def _has_expired(details: Mapping[str, object], today: date) -> bool:
    """Whether the last month of a card's life has passed. A number may be a text: "03", "29"."""
    year, month = (_number(details.get(name)) for name in ("expirationYear", "expirationMonth"))
    if year is None:
        return False
    year += 2000 if year < 100 else 0
    return (year, month if month in range(1, 13) else 12) < (today.year, today.month)


def _number(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch("[0-9]{1,4}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def with_default_source(
    sources: Mapping[str, AttachedSource], document: LazyDocument, recorded_at: datetime
) -> dict[str, AttachedSource]:
    """Attach the document's default source unless it is attached already."""
    source_id = document.index_fields.source_id
    if source_id is None or source_id in sources:
        return dict(sources)
    return {**sources, source_id: AttachedSource(source_id=source_id, attached_at=recorded_at)}


APPLY: Final[ApplyTable] = {
    events.SourceAttached: _attached,
    events.SourceDetached: _detached,
}
