"""Examples of HTTP responses, made by the service from the example of `createInvoice`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from invoicing.api.docs.examples import REQUESTS
from invoicing.api.reads.credit_notes import credit_note_view
from invoicing.api.reads.cursors import PagePosition, write_cursor
from invoicing.api.reads.feed import Position
from invoicing.api.reads.filters import DEFAULT_SORT
from invoicing.api.reads.views import View, differences, items_of, view_of
from invoicing.domain.status import status_unarchived
from invoicing.store.history import replay
from invoicing.tools.schemas.story import BEGIN, Step, run_story

_SUBJECT: Final = "inv_1001"


def made() -> Mapping[str, Any]:
    """The answers, by the name of their model."""
    draft = {**REQUESTS["createInvoice"], "state": "draft"}
    steps: list[Step] = [("CreateInvoice", _SUBJECT, draft), ("OpenInvoice", _SUBJECT, {})]
    result = run_story(steps)
    voided = run_story([*steps, ("VoidInvoice", _SUBJECT, {"reason": "Made twice."})])
    noted = run_story([*steps, ("IssueCreditNote", _SUBJECT, REQUESTS["issueCreditNote"])])
    before, invoice = (
        view_of(state.to_json(), status_unarchived(state, BEGIN)) for state in replay(result.events)
    )
    return {
        "InvoiceView": invoice,
        "InvoicePage": _page([invoice], invoice),
        "ItemPage": _page(items_of(invoice), invoice),
        "CreditNotePage": _page(
            [credit_note_view(noted.events[-1].document, noted.events[-1].recorded_at)], invoice
        ),
        "InvoiceItems": {"data": items_of(invoice)},
        "EventPage": {
            "data": [orjson.loads(result.events[-1].document)],
            "has_more": False,
            "end_cursor": str(Position("742", 2)),
        },
        "Difference": {
            "invoice_id": _SUBJECT,
            "from": before["version"],
            "to": invoice["version"],
            "changes": list(differences(before, invoice)),
        },
        "AnswerDocument": orjson.loads(result.answers[-1].document),
        "Preview": {
            "answer": orjson.loads(voided.answers[-1].document),
            "events": [orjson.loads(voided.events[-1].document)],
            "invoice": view_of(
                voided.invoices[-1].snapshot,
                voided.invoices[-1].standing,
            ),
        },
    }


def _page(data: Sequence[View], invoice: View) -> dict[str, Any]:
    """A page that has all there is, of one invoice, its lines or credit notes."""
    cursor = write_cursor(PagePosition((BEGIN,), invoice["invoice_id"]), DEFAULT_SORT)
    return {
        "data": data,
        "has_more": False,
        "has_previous": False,
        "start_cursor": cursor,
        "end_cursor": cursor,
    }
