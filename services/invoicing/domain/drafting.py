"""Making an invoice and changing a draft: the document, its dates and its amounts."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from contracts.commands import CreateInvoice, UpdateInvoice
from contracts.invoice import Document, Particulars, TaxRounding
from contracts.replies import FieldError, Refusal, RefusalCode
from contracts.texts import EARLIEST_DATE, LATEST_DATE
from invoicing.domain.pricing import TooLarge, price
from invoicing.domain.sellers import Seller

# Told even where a command is silent, so that a reader of the document need not know the defaults.
_ALWAYS_TOLD: Final = (
    "tax_inclusive",
    "collection_period_days",
    "billing_optimization",
    "exclude_from_autopay",
    "importer_of_record_tax",
    "live_mode",
)
_TEXTS: Final = frozenset({"metadata", "description", "memo", "email"})
_PARTICULARS: Final = frozenset(Particulars.model_fields)


def new_document(data: CreateInvoice, seller: Seller, time: datetime) -> Document | Refusal:
    """The document of a new invoice; `time` is the command's."""
    fields: dict[str, Any] = {name: getattr(data, name) for name in _ALWAYS_TOLD}
    fields |= {name: getattr(data, name) for name in data.model_fields_set & _PARTICULARS}
    fields |= {"customer_id": data.customer_id, "currency": data.currency, "seller": seller.party}
    if data.document_date is None:
        fields["document_date"] = time.astimezone(UTC).date()
    if data.due_date is None and data.payment_terms_days is None:
        fields["payment_terms_days"] = seller.payment_terms_days
    return work_out(data, fields, seller.tax_rounding)


def work_out(
    given: Particulars, fields: dict[str, Any], tax_rounding: TaxRounding
) -> Document | Refusal:
    """The document of these fields, with every amount and date that follows from them."""
    refusal = _put_due_date(fields)
    if refusal is not None:
        return refusal
    priced = price(given, fields["currency"], tax_rounding)
    if isinstance(priced, TooLarge):
        return Refusal(
            RefusalCode.LIMIT_EXCEEDED,
            "An amount that follows from the command's data is over the limit.",
            (FieldError(field=priced.field, reason="comes to 10^15 or more"),),
        )
    return _document(
        fields
        | priced.totals._asdict()
        | {
            "tax_rounding": tax_rounding,
            "items": priced.items,
            "tax_groups": priced.tax_groups,
        }
        | ({} if priced.shipping is None else {"shipping": priced.shipping})
    )


def _put_due_date(fields: dict[str, Any]) -> Refusal | None:
    document_date: date = fields["document_date"]
    if not EARLIEST_DATE <= document_date <= LATEST_DATE:
        return _out_of_range("document_date")
    if fields.get("payment_terms_days") is not None:
        fields["due_date"] = document_date + timedelta(days=fields["payment_terms_days"])
        if fields["due_date"] > LATEST_DATE:
            return _out_of_range("payment_terms_days")
    return None


def _out_of_range(field: str) -> Refusal:
    return Refusal(
        RefusalCode.LIMIT_EXCEEDED,
        "A date that follows from the command is out of range.",
        (FieldError(field=field, reason=f"must lead to {EARLIEST_DATE} to {LATEST_DATE}"),),
    )


def _document(fields: Mapping[str, Any]) -> Document:
    return Document.model_construct(**fields)


def changed_document(document: Document, data: UpdateInvoice) -> Document | Refusal:
    """The document with the given fields set and all that follows from them worked out again."""
    given = {name: getattr(data, name) for name in data.model_fields_set}
    fields = {name: getattr(document, name) for name in document.model_fields_set} | given
    if given.keys() <= _TEXTS:
        return document.model_copy(update=given)
    if "due_date" in given and given["due_date"] is not None:
        fields["payment_terms_days"] = None
    fields["document_date"] = fields["document_date"] or document.document_date
    particulars = Particulars.model_construct(
        **{name: value for name, value in fields.items() if name in _PARTICULARS}
    )
    return work_out(particulars, fields, document.tax_rounding)
