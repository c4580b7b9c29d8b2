"""Credit notes, by amount and by line, their voiding, and the reversal of an invoice by one."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from invoicing.contracts import commands, events
from invoicing.contracts.invoice import CreditItem, PricedItem, State
from invoicing.contracts.replies import FieldError, Rejection, RejectionCode
from invoicing.contracts.types.money import UNITS
from invoicing.contracts.validation.error_messages import invalid
from invoicing.domain.apply import ApplyTable, Changes, summary_only
from invoicing.domain.consequences import emit_consequences
from invoicing.domain.credit_tax import Credit, Portions, Remainder, tax_groups_of
from invoicing.domain.decision import Decision, drop_none
from invoicing.domain.invoice import Invoice, RecordedCreditNote, with_credit_note
from invoicing.domain.numbering import series_for
from invoicing.domain.pricing.rounding import ZERO, rounded
from invoicing.domain.refunds import emit_refund

CREDIT_NOTES_MAX: Final = 1_000


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
    credit = Credit(data.amount) if data.amount is not None else _credit_lines(invoice, data)
    if isinstance(credit, Rejection):
        return credit
    rejection = _emit_credited(decision, data.credit_note_id, credit, data)
    if rejection is None and data.refund is not None:
        rejection = _emit_refund(decision, invoice, data, data.refund)
    if rejection is None:
        emit_consequences(decision, invoice, reopened_by="refund")
    return rejection


def _emit_refund(
    decision: Decision,
    before: Invoice,
    data: commands.IssueCreditNote,
    asked: commands.CreditRefund,
) -> Rejection | None:
    """Refund what the credit made overpaid since `before`, or the amount that is asked for."""
    became_overpaid = decision.invoice.amount_overpaid - before.amount_overpaid
    if asked.amount is None and became_overpaid <= 0:
        return Rejection(
            RejectionCode.AMOUNT_EXCEEDS_BALANCE,
            "Nothing of the credit becomes overpaid, so there is nothing to refund.",
        )
    refund = commands.RefundPayment.construct_unchecked(
        payment_id=asked.payment_id,
        refund_id=asked.refund_id,
        amount=became_overpaid if asked.amount is None else asked.amount,
        reason=data.reason,
        settled=asked.settled,
        execute=asked.execute,
    )
    assert decision.balance is not None, "a refund of a credit before the credit"
    # Once the credit leaves nothing owed, a write-off is over: what the refund leaves owed is due.
    write_off_ended = (
        before.state is State.UNCOLLECTIBLE and decision.balance.state is not State.UNCOLLECTIBLE
    )
    return emit_refund(decision, refund, state=State.OPEN if write_off_ended else None)


def reverse(decision: Decision, data: commands.ReverseInvoice) -> Rejection | None:
    """Credit the total and end the invoice's life."""
    invoice = decision.invoice
    taken = {note.credit_note_id for note in invoice.credit_notes}
    credit = Credit(invoice.total)
    rejection = _emit_credited(decision, decision.new_id(taken), credit, data)
    if rejection is None:
        decision.emit(events.InvoiceReversed, state=State.REVERSED, reason=data.reason)
    return rejection


def _emit_credited(
    decision: Decision,
    credit_note_id: str,
    credit: Credit,
    data: commands.IssueCreditNote | commands.ReverseInvoice,
) -> Rejection | None:
    """Emit the numbered credit note."""
    portions = _portions(decision.invoice, credit)
    if isinstance(portions, Rejection):
        return portions
    seller = decision.seller
    if isinstance(seller, Rejection):
        return seller
    day = _document_date(decision, data.document_date)
    if isinstance(day, Rejection):
        return day
    series = series_for(seller, "credit_note", day, live_mode=decision.invoice.live_mode)
    note = events.CreditNote.construct_unchecked(
        credit_note_id=credit_note_id,
        credit_note_number=decision.take_number(series),
        document_date=day,
        amount=credit.amount,
        tax_amount=sum((portion.tax for portion in portions.values()), credit.amount * 0),
        tax_groups=tax_groups_of(portions, decision.invoice.document),
        **drop_none(items=credit.items, shipping_amount=credit.shipping_amount, reason=data.reason),
    )
    credited = decision.invoice.amount_credited + credit.amount
    decision.emit(events.InvoiceCredited, amount_credited=credited, credit_note=note)
    _check_notes(decision.invoice)
    return None


def _portions(invoice: Invoice, credit: Credit) -> Portions | Rejection:
    """What the credit takes of each tax group; at most what is left of the invoice and of them."""
    if credit.amount > invoice.total - invoice.amount_credited:
        return Rejection(
            RejectionCode.AMOUNT_EXCEEDS_BALANCE,
            "The amount exceeds what remains to be credited.",
        )
    if credit.amount <= 0:
        return Rejection(RejectionCode.NOTHING_TO_CREDIT, "Nothing remains to be credited.")
    portions = Remainder(invoice.document, invoice.standing_credit_notes).take(credit)
    if portions is None:
        return Rejection(
            RejectionCode.AMOUNT_EXCEEDS_BALANCE,
            "The lines exceed what remains of their tax group. Credit the rest by amount.",
            (FieldError(field="items", reason="must be at most what remains of the tax group"),),
        )
    return portions


def _document_date(decision: Decision, given: date | None) -> date | Rejection:
    """The date of a credit note: a given one, or the later of today and the invoice's date."""
    earliest = decision.invoice.lazy_document.index_fields.document_date
    latest = max(earliest, decision.today)
    if given is not None and not earliest <= given <= latest:
        reason = f"must not be before the invoice's date or in the future: {earliest} to {latest}"
        return invalid([FieldError(field="document_date", reason=reason)])
    day = given or latest
    return decision.period_locked(day) or day


def _check_notes(invoice: Invoice) -> None:
    notes = invoice.standing_credit_notes
    credited = sum(note.amount for note in notes)
    assert credited == invoice.amount_credited, "credit notes do not add up"
    for note in notes:
        net_and_tax = sum(group.net + group.tax for group in note.tax_groups)
        assert not note.tax_groups or net_and_tax == note.amount, "tax groups do not add up"
    if credited == invoice.total:
        tax = sum(note.tax_amount for note in notes)
        assert tax == invoice.document.total_tax, "tax was left uncredited or credited twice"


def _credited(invoice: Invoice, event: events.InvoiceCredited, _recorded_at: datetime) -> Changes:
    note = RecordedCreditNote.computed_from(event.credit_note)
    return {"credit_notes": with_credit_note(invoice.credit_notes, note)}


def void(decision: Decision, data: commands.VoidCreditNote) -> Rejection | None:
    """Take back a credit note. It keeps its number, and what it credited is owed again."""
    invoice = decision.invoice
    note = next(
        (note for note in invoice.credit_notes if note.credit_note_id == data.credit_note_id), None
    )
    if note is None:
        return Rejection(
            RejectionCode.UNKNOWN_CREDIT_NOTE, "The invoice has no credit note with this id."
        )
    if note.is_void:
        return None
    rejection = decision.period_locked(note.document_date)
    if rejection is not None:
        return rejection
    decision.emit(
        events.CreditNoteVoided,
        amount_credited=invoice.amount_credited - note.amount,
        credit_note=note.as_issued(),
        reason=data.reason,
    )
    _check_notes(decision.invoice)
    emit_consequences(decision, invoice, reopened_by="credit_note_voided")
    return None


def _voided(invoice: Invoice, event: events.CreditNoteVoided, recorded_at: datetime) -> Changes:
    id_ = event.credit_note.credit_note_id
    (note,) = (note for note in invoice.credit_notes if note.credit_note_id == id_)
    void_note = note.copy_with(voided_at=recorded_at, **drop_none(void_reason=event.reason))
    return {"credit_notes": with_credit_note(invoice.credit_notes, void_note)}


def _credit_lines(invoice: Invoice, data: commands.IssueCreditNote) -> Credit | Rejection:
    """The credit of the wanted lines, with what remains of shipping if that is wanted too."""
    items: list[events.CreditedItem] = []
    for index, wanted in enumerate(data.items):
        item = _credit_line(invoice, wanted, f"items.{index}")
        if isinstance(item, Rejection):
            return item
        items.append(item)
    shipping = _remaining_shipping(invoice) if data.shipping else None
    amount = sum((item.amount for item in items), shipping or invoice.total * 0)
    return Credit(amount, tuple(items), shipping)


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
    earlier = [
        item
        for note in invoice.standing_credit_notes
        for item in note.items
        if item.id == wanted.id
    ]
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
    earlier: Sequence[events.CreditedItem],
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
    amount = rounded(line.total * after / quantity, UNITS[invoice.currency]) - credited
    # Where some of the earlier credits were voided, their cents may be missing or too many.
    return min(max(amount, min(remaining, ZERO)), max(remaining, ZERO))


def _remaining_shipping(invoice: Invoice) -> Decimal:
    """Shipping, with its tax unless prices include that, less what was credited of it."""
    shipping = invoice.document.shipping
    zero = invoice.total * 0
    if shipping is None:
        return zero
    tax_on_top = zero if invoice.document.tax_inclusive else shipping.tax_amount
    credited = (note.shipping_amount or zero for note in invoice.standing_credit_notes)
    return shipping.amount + tax_on_top - sum(credited, zero)


APPLY: Final[ApplyTable] = {
    events.InvoiceCredited: _credited,
    events.CreditNoteVoided: _voided,
    events.InvoiceReversed: summary_only,
}
