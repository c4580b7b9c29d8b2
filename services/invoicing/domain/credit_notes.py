"""Credit notes, by amount and by line, and the reversal of an invoice by one."""

from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from invoicing.contracts import commands, events
from invoicing.contracts.invoice import CreditItem, PricedItem, State
from invoicing.contracts.replies import FieldError, Rejection, RejectionCode
from invoicing.contracts.types.money import UNITS
from invoicing.domain.apply import ApplyTable, Changes, summary_only
from invoicing.domain.consequences import emit_consequences
from invoicing.domain.decision import Decision, drop_none
from invoicing.domain.documents import date_out_of_range, is_in_range
from invoicing.domain.invoice import Invoice
from invoicing.domain.numbering import series_for
from invoicing.domain.pricing.rounding import rounded

CREDIT_NOTES_MAX: Final = 1_000


class _Credit(NamedTuple):
    """The amounts of a credit note, with tax. Without items and shipping, it is by amount."""

    amount: Decimal
    items: tuple[events.CreditedItem, ...] | None = None
    shipping_amount: Decimal | None = None


def issue(decision: Decision, data: commands.IssueCreditNote) -> Rejection | None:
    """Credit an amount or lines. If nothing is due any more, the invoice is paid."""
    invoice = decision.invoice
    if any(note.credit_note_id == data.credit_note_id for note in invoice.credit_notes):
        return Rejection(
            RejectionCode.DUPLICATE_CREDIT_NOTE,
            "The invoice already has a credit note with this id.",
        )
    if len(invoice.credit_notes) >= CREDIT_NOTES_MAX:
        return Rejection(
            RejectionCode.LIMIT_EXCEEDED,
            f"An invoice can have at most {CREDIT_NOTES_MAX} credit notes.",
        )
    credit = _Credit(data.amount) if data.amount is not None else _credit_lines(invoice, data)
    if isinstance(credit, Rejection):
        return credit
    if credit.amount > invoice.total - invoice.amount_credited:
        return Rejection(
            RejectionCode.AMOUNT_EXCEEDS_BALANCE,
            "The amount exceeds what remains to be credited.",
        )
    if credit.amount <= 0:
        return Rejection(RejectionCode.NOTHING_TO_CREDIT, "Nothing remains to be credited.")
    rejection = _emit_credited(decision, data.credit_note_id, credit, data.reason)
    if rejection is None:
        emit_consequences(decision, invoice)
    return rejection


def reverse(decision: Decision, data: commands.ReverseInvoice) -> Rejection | None:
    """Credit the total and end the invoice's life."""
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
    """Emit the numbered credit note, dated on the command's day."""
    if not is_in_range(decision.day):
        return date_out_of_range("document_date")
    seller = decision.seller
    if isinstance(seller, Rejection):
        return seller
    invoice = decision.invoice
    note = events.CreditNote.construct_unchecked(
        credit_note_id=credit_note_id,
        credit_note_number=decision.take_number(series_for(seller, "credit_note", decision.day)),
        document_date=decision.day,
        amount=credit.amount,
        tax_amount=_tax_in(invoice, credit),
        **drop_none(items=credit.items, shipping_amount=credit.shipping_amount, reason=reason),
    )
    credited = invoice.amount_credited + credit.amount
    decision.emit(events.InvoiceCredited, amount_credited=credited, credit_note=note)
    notes = decision.invoice.credit_notes
    assert credited == sum(note.amount for note in notes), "credit notes do not add up"
    if credited == invoice.total:
        tax = sum(note.tax_amount for note in notes)
        assert tax == invoice.document.total_tax, "tax was left uncredited or credited twice"
    return None


def _credited(invoice: Invoice, event: events.InvoiceCredited, _recorded_at: datetime) -> Changes:
    return {"credit_notes": (*invoice.credit_notes, event.credit_note)}


def _credit_lines(invoice: Invoice, data: commands.IssueCreditNote) -> _Credit | Rejection:
    """The credit of the wanted lines, with what remains of shipping if that is wanted too."""
    items: list[events.CreditedItem] = []
    for index, wanted in enumerate(data.items):
        item = _credit_line(invoice, wanted, f"items.{index}")
        if isinstance(item, Rejection):
            return item
        items.append(item)
    shipping = _remaining_shipping(invoice) if data.shipping else None
    amount = sum((item.amount for item in items), shipping or invoice.total * 0)
    return _Credit(amount, tuple(items), shipping)


def _credit_line(
    invoice: Invoice, wanted: CreditItem, path: str
) -> events.CreditedItem | Rejection:
    line = next((item for item in invoice.document.items if item.id == wanted.id), None)
    if line is None:
        return Rejection(
            RejectionCode.UNKNOWN_ITEM,
            "The invoice has no line with this id.",
            (FieldError(field=f"{path}.id", reason="must be the id of a line of the invoice"),),
        )
    earlier = [item for note in invoice.credit_notes for item in note.items if item.id == wanted.id]
    remaining = line.total - sum((item.amount for item in earlier), Decimal(0))
    if wanted.amount is not None and remaining < 0:
        return Rejection(
            RejectionCode.AMOUNT_EXCEEDS_BALANCE,
            "A line with a negative total cannot be credited by amount.",
            (FieldError(field=f"{path}.amount", reason="use quantity, or omit both"),),
        )
    if wanted.amount is not None:
        amount: Decimal | None = wanted.amount
    elif wanted.quantity is None or not Decimal(line.quantity):
        amount = remaining
    else:
        amount = _amount_of_quantity(line, Decimal(wanted.quantity), earlier, remaining, invoice)
    if amount is None or abs(amount) > abs(remaining):
        return Rejection(
            RejectionCode.AMOUNT_EXCEEDS_BALANCE,
            "The credit exceeds what remains of the line.",
            (FieldError(field=path, reason="must be at most what remains of the line"),),
        )
    return events.CreditedItem.construct_unchecked(
        id=line.id, amount=amount, **drop_none(quantity=wanted.quantity)
    )


def _amount_of_quantity(
    line: PricedItem,
    wanted: Decimal,
    earlier: list[events.CreditedItem],
    remaining: Decimal,
    invoice: Invoice,
) -> Decimal | None:
    """The amount of a quantity; None if it exceeds the line's or has the opposite sign.

    Credits by quantity add up to the share of the total that their quantities have, and the last
    one takes all that remains, so that no cent is lost.
    """
    quantity = Decimal(line.quantity)
    by_quantity = [item for item in earlier if item.quantity is not None]
    before = sum((Decimal(item.quantity or 0) for item in by_quantity), Decimal(0))
    after = before + wanted
    if not before / quantity < after / quantity <= 1:
        return None
    if after == quantity:
        return remaining
    credited = sum((item.amount for item in by_quantity), Decimal(0))
    # Divide last: a quotient with endless digits would round half a cent down.
    return rounded(line.total * after / quantity, UNITS[invoice.currency]) - credited


def _remaining_shipping(invoice: Invoice) -> Decimal:
    """Shipping, with its tax unless prices include that, less what was credited of it."""
    shipping = invoice.document.shipping
    zero = invoice.total * 0
    if shipping is None:
        return zero
    tax_on_top = zero if invoice.document.tax_inclusive else shipping.tax_amount
    credited = (note.shipping_amount or zero for note in invoice.credit_notes)
    return shipping.amount + tax_on_top - sum(credited, zero)


def _tax_in(invoice: Invoice, credit: _Credit) -> Decimal:
    """The tax in a credit: the tax of its lines or, by amount, a share of the remaining tax.

    An amount belongs to no particular lines, so after one the credits of lines hold a share too.
    The credit of all that remains holds all remaining tax, to the cent.
    """
    remaining = invoice.total - invoice.amount_credited
    all_by_line = _is_by_line(credit) and all(map(_is_by_line, invoice.credit_notes))
    if all_by_line and credit.amount < remaining:
        return _tax_of_lines(invoice, credit)
    credited = sum((note.tax_amount for note in invoice.credit_notes), Decimal(0))
    share = (invoice.document.total_tax - credited) * credit.amount / remaining
    return rounded(share, UNITS[invoice.currency])


def _is_by_line(credit: _Credit | events.CreditNote) -> bool:
    return bool(credit.items) or credit.shipping_amount is not None


def _tax_of_lines(invoice: Invoice, credit: _Credit) -> Decimal:
    """All credits of a line together hold the share of its tax that they hold of its total."""
    unit, zero = UNITS[invoice.currency], invoice.total * 0
    lines = {line.id: line for line in invoice.document.items}
    before = dict.fromkeys(lines, zero)
    for note in invoice.credit_notes:
        for item in note.items:
            before[item.id] += item.amount
    shipping = invoice.document.shipping
    tax = shipping.tax_amount if shipping and credit.shipping_amount else zero
    for item in credit.items or ():
        line, credited = lines[item.id], before[item.id]
        tax += _tax_of(line, credited + item.amount, unit) - _tax_of(line, credited, unit)
    return tax


def _tax_of(line: PricedItem, amount: Decimal, unit: Decimal) -> Decimal:
    """The tax in an amount of a line."""
    return rounded(line.tax_amount * amount / line.total, unit) if line.total else line.total


APPLY: Final[ApplyTable] = {
    events.InvoiceCredited: _credited,
    events.InvoiceReversed: summary_only,
}
