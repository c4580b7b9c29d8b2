"""What is wrong between fields of a command that are each right by themselves."""

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from invoicing.contracts.invoice import CreditItem, InvoiceInput, Item, item_id
from invoicing.contracts.replies import FieldError


def invoice_input_errors(data: InvoiceInput) -> Iterator[FieldError]:
    """One way to say when it is due, one price for a line and a fee, one name for each line."""
    if data.due_date is not None and data.payment_terms_days is not None:
        yield FieldError(field="payment_terms_days", reason="cannot be given with due_date")
    for place, item in enumerate(data.items):
        yield from _item_faults(item, place)
    ids = [item_id(item, place) for place, item in enumerate(data.items)]
    if len(set(ids)) < len(ids):
        yield from _repeated_ids(ids)


def _item_faults(item: Item, place: int) -> Iterator[FieldError]:
    if (item.unit_price is None) == (item.amount is None):
        yield FieldError(field=f"items.{place}.unit_price", reason="give either this or amount")
    for fee_place, fee in enumerate(item.fees):
        if (fee.amount is None) == (fee.per_unit_amount is None):
            yield FieldError(
                field=f"items.{place}.fees.{fee_place}.amount",
                reason="give either this or per_unit_amount",
            )


def _repeated_ids(ids: Sequence[str]) -> Iterator[FieldError]:
    times = Counter(ids)
    for place, id_ in enumerate(ids):
        if times[id_] > 1:
            yield FieldError(
                field=f"items.{place}.id", reason="must not be the same as another line's"
            )


def credit_note_errors(
    amount: Decimal | None, items: Sequence[CreditItem], shipping: bool
) -> Iterator[FieldError]:
    """A credit note is by amount or by line, and names each line once."""
    if (bool(items) or shipping) == (amount is not None):
        yield FieldError(field="amount", reason="give either this or items")
    times = Counter(item.id for item in items)
    for place, item in enumerate(items):
        if item.quantity is not None and item.amount is not None:
            yield FieldError(field=f"items.{place}.amount", reason="cannot be with quantity")
        if times[item.id] > 1:
            yield FieldError(field=f"items.{place}.id", reason="must be named once")
