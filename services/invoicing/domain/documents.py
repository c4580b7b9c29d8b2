"""The document of an invoice: the given fields, its dates and the amounts computed from them."""

from collections.abc import Container, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from invoicing.contracts.commands import CreateInvoice, UpdateInvoice
from invoicing.contracts.invoice import Document, InvoiceInput, TaxRounding
from invoicing.contracts.replies import FieldError, Rejection, RejectionCode
from invoicing.contracts.types.texts import (
    EARLIEST_DATE,
    LATEST_DATE,
    METADATA_KEYS_MAX,
    TERMS_DAYS_MAX,
)
from invoicing.domain.pricing.pricing import TooLarge, price
from invoicing.domain.sellers import Seller

UPDATABLE_ONCE_OPEN: Final = frozenset({"metadata", "description", "memo", "email"})
"""Texts that no other field follows from."""

# Written even if the command omits them, so that a reader need not know the defaults.
_ALWAYS_WRITTEN: Final = (
    "tax_inclusive",
    "collection_period_days",
    "billing_optimization",
    "exclude_from_autopay",
    "live_mode",
)
_SETS_NET_OF: Final = {
    "items": ("items", "discount", "tax_inclusive"),
    "shipping": ("shipping", "tax_inclusive"),
}
"""The fields of a command that a given tax on the lines, or on shipping, is compared with."""

_TAX_REASON: Final = (
    "must have the sign of the net after discounts, and be within 1 % of the net, or 5 of the"
    " smallest units if that is more, of net times rate"
)

_INPUT_FIELDS: Final = frozenset(InvoiceInput.model_fields)
_LATEST_DOCUMENT_DATE: Final = LATEST_DATE - timedelta(days=TERMS_DAYS_MAX)


def new_document(data: CreateInvoice, seller: Seller, time: datetime) -> Document | Rejection:
    """Make the document of a new invoice; `time` is the command's."""
    fields: dict[str, Any] = {name: getattr(data, name) for name in _ALWAYS_WRITTEN}
    fields |= {name: getattr(data, name) for name in data.model_fields_set & _INPUT_FIELDS}
    fields |= {name: getattr(data, name) for name in ("customer_id", "currency", "seller_id")}
    fields["seller"] = seller.party
    if data.document_date is None:
        fields["document_date"] = time.astimezone(UTC).date()
    if data.due_date is None and data.payment_terms_days is None:
        fields["payment_terms_days"] = seller.payment_terms_days
    return _priced_document(data, fields, seller.tax_rounding, data.model_fields_set)


def changed_document(
    document: Document, data: UpdateInvoice, seller: Seller | Rejection
) -> Document | Rejection:
    """Set the given fields and compute the dates and amounts again.

    Metadata is merged by key. Only the seller's payment terms are needed, and only if no other date
    is given: an unknown seller is rejected in that case alone.
    """
    given = {name: getattr(data, name) for name in data.model_fields_set}
    if data.metadata is not None:
        before = document.metadata or {}
        merged = {k: v for k, v in {**before, **data.metadata}.items() if v is not None}
        if len(merged) > METADATA_KEYS_MAX:
            reason = f"must have at most {METADATA_KEYS_MAX} entries"
            return Rejection(
                RejectionCode.LIMIT_EXCEEDED,
                "The invoice would have too much metadata.",
                (FieldError(field="metadata", reason=reason),),
            )
        if merged == before:
            del given["metadata"]
        else:
            given["metadata"] = merged
    if given.keys() <= UPDATABLE_ONCE_OPEN:
        return document.copy_with(**given)
    fields = {name: getattr(document, name) for name in document.model_fields_set} | given
    fields["document_date"] = fields["document_date"] or document.document_date
    if given.get("due_date") is not None:
        fields["payment_terms_days"] = None
    elif fields.get("payment_terms_days") is None and (
        # No due date remains: it, or the terms that it followed from, were set to null.
        "due_date" in given or document.payment_terms_days is not None
    ):
        if isinstance(seller, Rejection):
            return seller
        fields["payment_terms_days"] = seller.payment_terms_days
    if "importer_of_record_tax" not in given and document.total_importer_tax:
        # Earlier releases wrote false where nothing was said, and billed the importer tax.
        fields["importer_of_record_tax"] = document.importer_of_record_tax or None
    input_fields = {name: value for name, value in fields.items() if name in _INPUT_FIELDS}
    given_input = InvoiceInput.construct_unchecked(**input_fields)
    return _priced_document(given_input, fields, document.tax_rounding, given)


def _priced_document(
    given: InvoiceInput,
    fields: dict[str, Any],
    tax_rounding: TaxRounding,
    given_by_command: Container[str],
) -> Document | Rejection:
    """Complete `fields` with the due date and all amounts."""
    if not is_in_range(fields["document_date"]):
        return date_out_of_range("document_date")
    if fields.get("payment_terms_days") is not None:
        terms = timedelta(days=fields["payment_terms_days"])
        fields["due_date"] = fields["document_date"] + terms
    priced = price(given, fields["currency"], tax_rounding)
    if isinstance(priced, TooLarge):
        return Rejection(
            RejectionCode.LIMIT_EXCEEDED,
            "An amount computed from the command's data exceeds the limit.",
            (FieldError(field=priced.field, reason="must be below 10^15"),),
        )
    rejection = _tax_mismatch(priced.implausible_taxes, given_by_command)
    if rejection is not None:
        return rejection
    computed = {
        **priced.totals._asdict(),
        "tax_rounding": tax_rounding,
        "items": priced.items,
        "tax_groups": priced.tax_groups,
    }
    if priced.shipping is not None:
        computed["shipping"] = priced.shipping
    return Document.construct_unchecked(**fields | computed)


def _tax_mismatch(paths: Iterable[str], given_by_command: Container[str]) -> Rejection | None:
    """Reject implausible taxes whose net or tax the command sets; stored ones are left alone."""
    errors = tuple(
        FieldError(field=path, reason=_TAX_REASON)
        for path in paths
        if any(name in given_by_command for name in _SETS_NET_OF[path.partition(".")[0]])
    )
    if not errors:
        return None
    return Rejection(
        RejectionCode.TAX_MISMATCH, "A given tax does not follow from its net and rate.", errors
    )


def is_in_range(day: date) -> bool:
    """Whether a document may have this date. Any due date that follows from it is in range too."""
    return EARLIEST_DATE <= day <= _LATEST_DOCUMENT_DATE


def date_out_of_range(field: str) -> Rejection:
    """The rejection of a document date, given or taken from the command's time."""
    return Rejection(
        RejectionCode.LIMIT_EXCEEDED,
        "The document's date is out of range.",
        (
            FieldError(
                field=field, reason=f"must be from {EARLIEST_DATE} to {_LATEST_DOCUMENT_DATE}"
            ),
        ),
    )
