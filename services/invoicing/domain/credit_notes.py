"""Credit notes, by amount and by line."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from invoicing.contracts import commands, events
from invoicing.contracts.invoice import CreditItem, PricedItem, State
from invoicing.contracts.replies import FieldError, Rejection, RejectionCode
from invoicing.contracts.types.money import UNITS
from invoicing.domain.apply import ApplyTable, Changes, summary_only
from invoicing.domain.decision import Decision, drop_none
from invoicing.domain.documents import is_on_calendar, out_of_calendar
from invoicing.domain.invoice import Invoice
from invoicing.domain.numbering import series_for
from invoicing.domain.payments import mark_paid_if_settled
from invoicing.domain.pricing.rounding import rounded

CREDIT_NOTES_MAX: Final = 1_000


class _Credit(NamedTuple):
    """What a credit note comes to."""

    amount: Decimal
    items: tuple[events.CreditedItem, ...] | None = None
    shipping_amount: Decimal | None = None


def issue(decision: Decision, data: commands.IssueCreditNote) -> Rejection | None:
    """Credit an amount or lines; what is not due any more is paid."""
    invoice = decision.invoice
    if any(note.credit_note_id == data.credit_note_id for note in invoice.credit_notes):
        return Rejection(
            RejectionCode.DUPLICATE_CREDIT_NOTE, "There is a credit note of this id on the invoice."
        )
    if len(invoice.credit_notes) >= CREDIT_NOTES_MAX:
        return Rejection(
            RejectionCode.LIMIT_EXCEEDED, f"An invoice has at most {CREDIT_NOTES_MAX} credit notes."
        )
    credit = _credit(invoice, data)
    if isinstance(credit, Rejection):
        return credit
    if credit.amount > invoice.total - invoice.amount_credited:
        return Rejection(
            RejectionCode.AMOUNT_EXCEEDS_BALANCE, "The amount is more than is left to credit."
        )
    if credit.amount <= 0:
        return Rejection(RejectionCode.NOTHING_TO_CREDIT, "Nothing is left to credit of it.")
    rejection = _emit_credited(decision, data.credit_note_id, credit, data.reason)
    if rejection is None:
        mark_paid_if_settled(decision)
    return rejection


def reverse(decision: Decision, data: commands.ReverseInvoice) -> Rejection | None:
    """Credit the whole, and end the invoice's life."""
    invoice = decision.invoice
    taken = {note.credit_note_id for note in invoice.credit_notes}
    credit = _Credit(invoice.total)
    rejection = _emit_credited(decision, decision.new_id(taken), credit, data.reason)
    if rejection is None:
        decision.emit(events.InvoiceReversed, state=State.REVERSED, reason=data.reason)
    return rejection


def _emit_credited(
    decision: Decision, credit_note_id: str, credit: _Credit, reason: str | None
) -> Rejection | None:
    invoice = decision.invoice
    if not is_on_calendar(decision.day):
        return out_of_calendar("document_date")
    seller = decision.seller
    if isinstance(seller, Rejection):
        return seller
    number = decision.take_number(series_for(seller, "credit_note", decision.day))
    note = events.CreditNote.construct_unchecked(
        credit_note_id=credit_note_id,
        credit_note_number=number,
        document_date=decision.day,
        amount=credit.amount,
        tax_amount=_tax_in(invoice, credit),
        **drop_none(items=credit.items, shipping_amount=credit.shipping_amount, reason=reason),
    )
    credited = invoice.amount_credited + credit.amount
    decision.emit(events.InvoiceCredited, amount_credited=credited, credit_note=note)
    return None


def _credited(invoice: Invoice, event: events.InvoiceCredited, _recorded_at: datetime) -> Changes:
    return {"credit_notes": (*invoice.credit_notes, event.credit_note)}


def _tax_in(invoice: Invoice, credit: _Credit) -> Decimal:
    """The tax in a credit: that of its lines; in an amount, a share of the tax that is left.

    Once an amount was credited, nobody can say of which lines, so lines hold a share from then on.
    What credits all the rest holds all the tax that is left, to the cent.
    """
    left = invoice.total - invoice.amount_credited
    is_by_line = _is_by_line(credit) and all(map(_is_by_line, invoice.credit_notes))
    if is_by_line and credit.amount < left:
        return _tax_of_lines(invoice, credit)
    known = sum((note.tax_amount for note in invoice.credit_notes), Decimal(0))
    share = (invoice.document.total_tax - known) * credit.amount / left
    return rounded(share, UNITS[invoice.currency])


def _is_by_line(credit: _Credit | events.CreditNote) -> bool:
    return bool(credit.items) or credit.shipping_amount is not None


def _tax_of_lines(invoice: Invoice, credit: _Credit) -> Decimal:
    """All credits of a line together hold as much of its tax as they do of its total."""
    unit = UNITS[invoice.currency]
    lines = {item.id: item for item in invoice.document.items}
    before = dict.fromkeys(lines, invoice.total * 0)
    for credited in (credited for note in invoice.credit_notes for credited in note.items):
        before[credited.id] += credited.amount
    tax = _shipping_tax(invoice) if credit.shipping_amount else invoice.total * 0
    for credited in credit.items or ():
        line, known = lines[credited.id], before[credited.id]
        tax += _tax_until(known + credited.amount, line, unit) - _tax_until(known, line, unit)
    return tax


def _tax_until(credited: Decimal, line: PricedItem, unit: Decimal) -> Decimal:
    """The tax in so much of a line."""
    return rounded(line.tax_amount * credited / line.total, unit) if line.total else line.total


def _shipping_tax(invoice: Invoice) -> Decimal:
    shipping = invoice.document.shipping
    return invoice.total * 0 if shipping is None else shipping.tax_amount


def _credit(invoice: Invoice, data: commands.IssueCreditNote) -> _Credit | Rejection:
    if data.amount is not None:
        return _Credit(data.amount)
    credited: list[events.CreditedItem] = []
    for place, wanted in enumerate(data.items):
        item = _credit_item(invoice, wanted, f"items.{place}")
        if isinstance(item, Rejection):
            return item
        credited.append(item)
    shipping = _shipping_left(invoice) if data.shipping else None
    amount = sum((item.amount for item in credited), shipping or invoice.total * 0)
    return _Credit(amount, tuple(credited), shipping)


def _credit_item(
    invoice: Invoice, wanted: CreditItem, path: str
) -> events.CreditedItem | Rejection:
    item = next((item for item in invoice.document.items if item.id == wanted.id), None)
    if item is None:
        return Rejection(
            RejectionCode.UNKNOWN_ITEM,
            "The invoice has no line of this id.",
            (FieldError(field=f"{path}.id", reason="must be the id of a line of the invoice"),),
        )
    before = _credited_before(invoice, item.id)
    left = item.total - sum((credited.amount for credited in before), Decimal(0))
    if wanted.amount is not None and left < 0:
        return Rejection(
            RejectionCode.AMOUNT_EXCEEDS_BALANCE,
            "A line below 0 cannot be credited by an amount, which is never below 0.",
            (
                FieldError(
                    field=f"{path}.amount", reason="must give way to a quantity, or be left out"
                ),
            ),
        )
    amount = _amount_of(item, wanted, before, left, UNITS[invoice.currency])
    if amount is None or abs(amount) > abs(left):
        return Rejection(
            RejectionCode.AMOUNT_EXCEEDS_BALANCE,
            "More of a line would be credited than is left of it.",
            (FieldError(field=path, reason="must be no more than is left of the line"),),
        )
    return events.CreditedItem.construct_unchecked(
        id=item.id, amount=amount, **drop_none(quantity=wanted.quantity)
    )


def _credited_before(invoice: Invoice, item_id: str) -> list[events.CreditedItem]:
    return [
        credited
        for note in invoice.credit_notes
        for credited in note.items
        if credited.id == item_id
    ]


def _amount_of(
    item: PricedItem,
    wanted: CreditItem,
    before: Sequence[events.CreditedItem],
    left: Decimal,
    unit: Decimal,
) -> Decimal | None:
    """What a part of a line comes to; None where it is more than the line, or takes back some."""
    if wanted.amount is not None:
        return wanted.amount
    quantity = Decimal(item.quantity)
    if wanted.quantity is None or not quantity:
        return left
    by_quantity = [credited for credited in before if credited.quantity is not None]
    known = sum((Decimal(credited.quantity or 0) for credited in by_quantity), Decimal(0))
    taken = known + Decimal(wanted.quantity)
    if not known / quantity < taken / quantity <= 1:
        return None
    if taken == quantity:
        return left
    credited = sum((credited.amount for credited in by_quantity), Decimal(0))
    # Divided last: half a cent of a part without an end would come to less than half.
    return rounded(item.total * taken / quantity, unit) - credited


def _shipping_left(invoice: Invoice) -> Decimal:
    """Shipping, with its tax where that comes on top, less what was credited of it."""
    shipping = invoice.document.shipping
    nothing = invoice.total * 0
    if shipping is None:
        return nothing
    on_top = nothing if invoice.document.tax_inclusive else shipping.tax_amount
    credited = (note.shipping_amount or nothing for note in invoice.credit_notes)
    return shipping.amount + on_top - sum(credited, nothing)


APPLY: Final[ApplyTable] = {
    events.InvoiceCredited: _credited,
    events.InvoiceReversed: summary_only,
}
