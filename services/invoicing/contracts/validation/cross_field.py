"""Rules between the fields of a command's data that JSON Schema cannot express.

They are checked on the JSON as it came, beside the schema, so that one reply lists all errors. A
part of another type than the schema's is skipped here: the schema's own error says enough.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from invoicing.contracts.replies import FieldError

Json = Mapping[str, Any]


def invoice_input_errors(data: Json) -> Iterator[FieldError]:
    """One way to set the due date, one price for each line and fee, one id for each line."""
    if _has(data, "due_date") and _has(data, "payment_terms_days"):
        yield FieldError(field="payment_terms_days", reason="cannot be given with due_date")
    items = list(_objects(data, "items"))
    # As `item_id` has it: a line without an id is known by its number, from 1.
    ids = [item.get("id") or str(index + 1) for index, item in items]
    times = Counter([id_ for id_ in ids if isinstance(id_, str)])
    for (index, item), id_ in zip(items, ids, strict=True):
        if (item.get("unit_price") is None) == (item.get("amount") is None):
            yield FieldError(field=f"items.{index}.unit_price", reason="give either this or amount")
        for fee_index, fee in _objects(item, "fees"):
            if (fee.get("amount") is None) == (fee.get("per_unit_amount") is None):
                yield FieldError(
                    field=f"items.{index}.fees.{fee_index}.amount",
                    reason="give either this or per_unit_amount",
                )
        if isinstance(id_, str) and times[id_] > 1:
            yield FieldError(
                field=f"items.{index}.id", reason="must not be the same as another line's"
            )


def credit_note_errors(data: Json) -> Iterator[FieldError]:
    """A credit note is by amount or by line, and names each line once; the rules of its refund."""
    if bool(data.get("items") or data.get("shipping")) == _has(data, "amount"):
        yield FieldError(field="amount", reason="give either this or items")
    items = list(_objects(data, "items"))
    times = Counter(item["id"] for _, item in items if isinstance(item.get("id"), str))
    for index, item in items:
        if _has(item, "quantity") and _has(item, "amount"):
            yield FieldError(field=f"items.{index}.amount", reason="cannot be with quantity")
        if isinstance(item.get("id"), str) and times[item["id"]] > 1:
            yield FieldError(field=f"items.{index}.id", reason="must be named once")
    refund = data.get("refund")
    if isinstance(refund, dict):
        yield from refund_errors(refund, "refund.")


def refund_errors(data: Json, path: str = "") -> Iterator[FieldError]:
    """A refund that is still to be made is not final."""
    if data.get("execute") is True and data.get("settled") is True:
        yield FieldError(field=f"{path}execute", reason="cannot be true with settled")


def _has(data: Json, name: str) -> bool:
    return data.get(name) is not None


def _objects(data: Json, name: str) -> Iterable[tuple[int, Json]]:
    """The objects in a list, with their indexes."""
    entries = data.get(name)
    if not isinstance(entries, list):
        return ()
    return [(index, entry) for index, entry in enumerate(entries) if isinstance(entry, dict)]
