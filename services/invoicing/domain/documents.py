"""The document of an invoice: the given fields, its dates and the amounts computed from them.

An invoice without a `document_date` gets the day of its opening. Until then its document shows what
the date would be, marked as `dated_at_opening`. Opening freezes the date and the time zone; an
invoice that was unposted keeps both.
"""

from collections.abc import Collection, Container, Iterable
from datetime import date, datetime, timedelta
from typing import Any, Final

from invoicing.contracts.commands import CreateInvoice, UpdateInvoice
from invoicing.contracts.invoice import (
    Document,
    InvoiceInput,
    RecordedTaxIdentifier,
    TaxIdentifier,
    TaxRounding,
)
from invoicing.contracts.replies import FieldError, Rejection, RejectionCode
from invoicing.contracts.types.texts import (
    EARLIEST_DATE,
    LATEST_DATE,
    METADATA_KEYS_MAX,
    TERMS_DAYS_MAX,
)
from invoicing.contracts.validation.error_messages import invalid
from invoicing.domain.calendar import overdue_from
from invoicing.domain.invoice import Invoice
from invoicing.domain.pricing.pricing import TooLarge, price
from invoicing.domain.sellers import Seller

UPDATABLE_ONCE_ISSUED: Final = frozenset(
    {"metadata", "description", "memo", "email", "tax_identifiers"}
)
"""What no other field of the document follows from."""

UPDATABLE_WHILE_OPEN: Final = UPDATABLE_ONCE_ISSUED | {
    "due_date",
    "exclude_from_autopay",
    "collection_period_days",
}
"""What decides how an open invoice is collected, and none of its amounts."""

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


def new_document(
    data: CreateInvoice, seller: Seller, day: date, *, is_opened: bool, at: datetime
) -> Document | Rejection:
    """Make the document of a new invoice; `day` is its date if the command gives none."""
    fields: dict[str, Any] = {name: getattr(data, name) for name in _ALWAYS_WRITTEN}
    fields |= {name: getattr(data, name) for name in data.model_fields_set & _INPUT_FIELDS}
    fields |= {name: getattr(data, name) for name in ("customer_id", "currency", "seller_id")}
    fields["seller"] = seller.party
    fields |= _with_times(fields, (), at)
    if data.document_date is None:
        fields |= {"document_date": day, "dated_at_opening": True}
    if data.due_date is None and data.payment_terms_days is None:
        fields["payment_terms_days"] = seller.payment_terms_days
    rejection = _date(fields, given=_given(data))
    if rejection is not None:
        return rejection
    if is_opened:
        _freeze_dates(fields, seller)
    return _priced_document(data, fields, seller.tax_rounding, data.model_fields_set)


def opened_document(document: Document, seller: Seller, day: date) -> Document | Rejection:
    """Freeze the dates of a draft that is opened for the first time.

    `day` is its date if it was given none.
    """
    fields = {name: getattr(document, name) for name in document.model_fields_set}
    if document.dated_at_opening:
        fields["document_date"] = day
    rejection = _date(fields, given=())
    if rejection is not None:
        return rejection
    _freeze_dates(fields, seller)
    return Document.construct_unchecked(**fields)


def changed_document(
    invoice: Invoice, data: UpdateInvoice, seller: Seller | Rejection, day: date, at: datetime
) -> Document | Rejection:
    """Set the given fields and compute the dates and amounts again.

    Metadata is merged by key. `day` is the date of a draft that has none of its own. Only the
    seller's payment terms are needed, and only if no other date is given: an unknown seller is
    rejected in that case alone.
    """
    document = invoice.document
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
    given |= _with_times(given, document.tax_identifiers, at)
    if given.keys() <= UPDATABLE_ONCE_ISSUED:
        return document.copy_with(**given)
    fields = {name: getattr(document, name) for name in document.model_fields_set} | given
    if given.get("document_date") is not None:
        fields.pop("dated_at_opening", None)
    elif document.dated_at_opening or ("document_date" in given and not invoice.invoice_number):
        fields |= {"document_date": day, "dated_at_opening": True}
    else:
        fields["document_date"] = document.document_date
    if given.get("due_date") is not None:
        fields["payment_terms_days"] = None
    elif fields.get("payment_terms_days") is None and (
        # No due date remains: it, or the terms that it followed from, were set to null.
        "due_date" in given or document.payment_terms_days is not None
    ):
        if isinstance(seller, Rejection):
            return seller
        fields["payment_terms_days"] = seller.payment_terms_days
    rejection = _date(fields, given=_given(data))
    if rejection is not None:
        return rejection
    if given.keys() <= UPDATABLE_WHILE_OPEN:
        return Document.construct_unchecked(**fields)
    if "importer_of_record_tax" not in given and document.total_importer_tax:
        # Earlier releases wrote false where nothing was said, and billed the importer tax.
        fields["importer_of_record_tax"] = document.importer_of_record_tax or None
    input_fields = {name: value for name, value in fields.items() if name in _INPUT_FIELDS}
    given_input = InvoiceInput.construct_unchecked(**input_fields)
    return _priced_document(given_input, fields, document.tax_rounding, given)


def _with_times(
    fields: dict[str, Any], before: Iterable[RecordedTaxIdentifier], at: datetime
) -> dict[str, Any]:
    """The given tax identifiers with the times at which each was set, if there are any."""
    if "tax_identifiers" not in fields:
        return {}
    known = {(one.type, one.value): one for one in before}
    recorded = (
        _recorded(one, known.get((one.type, one.value)), at) for one in fields["tax_identifiers"]
    )
    return {"tax_identifiers": tuple(recorded)}


def _recorded(
    given: TaxIdentifier, before: RecordedTaxIdentifier | None, at: datetime
) -> RecordedTaxIdentifier:
    names = TaxIdentifier.model_fields
    if before is not None and all(getattr(given, n) == getattr(before, n) for n in names):
        return before
    times: dict[str, Any] = {"updated_at": at}
    if before is None:
        times["created_at"] = at
    elif before.created_at is not None:
        times["created_at"] = before.created_at
    transitions = dict(before.state_transitions) if before else {}
    if given.state is not None and (before is None or given.state != before.state):
        transitions[given.state] = at
    if transitions:
        times["state_transitions"] = transitions
    return RecordedTaxIdentifier.computed_from(given, **times)


def _given(data: InvoiceInput) -> set[str]:
    return {name for name in data.model_fields_set if getattr(data, name) is not None}


def _date(fields: dict[str, Any], given: Collection[str]) -> Rejection | None:
    """Complete `fields` with the due date; `given` are the fields that the command gives.

    Returns a rejection if the document's date is out of range or after the due date. The first
    releases accepted such a due date; it stays until a command gives one of the two.
    """
    day: date = fields["document_date"]
    if not is_in_range(day):
        return date_out_of_range("document_date")
    moved_from = fields.pop("given_due_date", None)
    if moved_from is not None and "due_date" not in given:
        fields["due_date"] = moved_from
    if fields.get("payment_terms_days") is not None:
        fields["due_date"] = day + timedelta(days=fields["payment_terms_days"])
    elif fields["due_date"] < day and fields.get("dated_at_opening"):
        fields |= {"due_date": day, "given_due_date": fields["due_date"]}
    elif fields["due_date"] < day and "due_date" in given:
        return _contradicting_dates("due_date", "must not be before document_date")
    elif fields["due_date"] < day and "document_date" in given:
        return _contradicting_dates("document_date", "must not be after due_date")
    if fields.get("time_zone") is not None:
        fields["overdue_from"] = overdue_from(fields["time_zone"], fields["due_date"])
    return None


def _contradicting_dates(field: str, reason: str) -> Rejection:
    return invalid([FieldError(field=field, reason=reason)])


def _freeze_dates(fields: dict[str, Any], seller: Seller) -> None:
    for of_drafts in ("dated_at_opening", "given_due_date"):
        fields.pop(of_drafts, None)
    fields["time_zone"] = seller.time_zone
    fields["overdue_from"] = overdue_from(seller.time_zone, fields["due_date"])


def _priced_document(
    given: InvoiceInput,
    fields: dict[str, Any],
    tax_rounding: TaxRounding,
    given_by_command: Container[str],
) -> Document | Rejection:
    """Complete `fields` with all amounts."""
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
    return Document.of_fields(fields | computed)


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
