"""The document of an invoice: what was given, its dates, and the amounts that follow."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from invoicing.contracts.commands import CreateInvoice, UpdateInvoice
from invoicing.contracts.invoice import Document, InvoiceInput, TaxRounding
from invoicing.contracts.replies import FieldError, Rejection, RejectionCode
from invoicing.contracts.types.texts import EARLIEST_DATE, LATEST_DATE, TERMS_DAYS_MAX
from invoicing.domain.pricing.pricing import TooLarge, price
from invoicing.domain.sellers import Seller

TEXTS: Final = frozenset({"metadata", "description", "memo", "email"})
"""What nothing follows from: it can be changed even once the invoice is open."""

# Told even where a command is silent, so that a reader of the document need not know the defaults.
_ALWAYS_TOLD: Final = (
    "tax_inclusive",
    "collection_period_days",
    "billing_optimization",
    "exclude_from_autopay",
    "importer_of_record_tax",
    "live_mode",
)
_INPUT_FIELDS: Final = frozenset(InvoiceInput.model_fields)


def new_document(data: CreateInvoice, seller: Seller, time: datetime) -> Document | Rejection:
    """The document of a new invoice; `time` is the command's."""
    fields: dict[str, Any] = {name: getattr(data, name) for name in _ALWAYS_TOLD}
    fields |= {name: getattr(data, name) for name in data.model_fields_set & _INPUT_FIELDS}
    fields |= {name: getattr(data, name) for name in ("customer_id", "currency", "seller_id")}
    fields["seller"] = seller.party
    if data.document_date is None:
        fields["document_date"] = time.astimezone(UTC).date()
    if data.due_date is None and data.payment_terms_days is None:
        fields["payment_terms_days"] = seller.payment_terms_days
    return _work_out(data, fields, seller.tax_rounding)


def changed_document(
    document: Document, data: UpdateInvoice, seller: Seller | Rejection
) -> Document | Rejection:
    """The document with the given fields set, and all that follows from them worked out again.

    The seller is asked for his terms only; why there is none is refused where they are wanted.
    """
    given = {name: getattr(data, name) for name in data.model_fields_set}
    if given.keys() <= TEXTS:
        return document.copy_with(**given)
    fields = {name: getattr(document, name) for name in document.model_fields_set} | given
    fields["document_date"] = fields["document_date"] or document.document_date
    if given.get("due_date") is not None:
        fields["payment_terms_days"] = None
    elif fields.get("payment_terms_days") is None and _follows_terms(document, given):
        if isinstance(seller, Rejection):
            return seller
        fields["payment_terms_days"] = seller.payment_terms_days
    particulars = {name: value for name, value in fields.items() if name in _INPUT_FIELDS}
    return _work_out(InvoiceInput.construct_unchecked(**particulars), fields, document.tax_rounding)


def _follows_terms(document: Document, changes: dict[str, Any]) -> bool:
    """Whether no day is given: it is taken back, or there was none."""
    return "due_date" in changes or document.payment_terms_days is not None


def is_on_calendar(day: date) -> bool:
    """Whether a document may have this date: every date that follows from it is in range too."""
    return EARLIEST_DATE <= day <= LATEST_DATE - timedelta(days=TERMS_DAYS_MAX)


def out_of_calendar(field: str) -> Rejection:
    """The refusal of a document's date, given or taken from the command's time."""
    reason = f"must be from {EARLIEST_DATE}, and {TERMS_DAYS_MAX} days before {LATEST_DATE}"
    return Rejection(
        RejectionCode.LIMIT_EXCEEDED,
        "The document's date is out of range.",
        (FieldError(field=field, reason=reason),),
    )


def _work_out(
    given: InvoiceInput, fields: dict[str, Any], tax_rounding: TaxRounding
) -> Document | Rejection:
    if not is_on_calendar(fields["document_date"]):
        return out_of_calendar("document_date")
    if fields.get("payment_terms_days") is not None:
        terms = timedelta(days=fields["payment_terms_days"])
        fields["due_date"] = fields["document_date"] + terms
    priced = price(given, fields["currency"], tax_rounding)
    if isinstance(priced, TooLarge):
        return Rejection(
            RejectionCode.LIMIT_EXCEEDED,
            "An amount that follows from the command's data is over the limit.",
            (FieldError(field=priced.field, reason="comes to 10^15 or more"),),
        )
    worked_out = {
        **priced.totals._asdict(),
        "tax_rounding": tax_rounding,
        "items": priced.items,
        "tax_groups": priced.tax_groups,
    }
    if priced.shipping is not None:
        worked_out["shipping"] = priced.shipping
    return Document.construct_unchecked(**fields | worked_out)
