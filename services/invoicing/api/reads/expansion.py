"""`expand` and `fields`: an invoice's history, its available commands, a selection of fields."""

from collections.abc import Sequence

from asyncpg.pool import PoolConnectionProxy

from invoicing.api.reads.answers import raw_documents, selected
from invoicing.api.reads.filters import Shown
from invoicing.api.reads.queries import InvoiceVersion, histories
from invoicing.api.reads.views import View
from invoicing.domain.invoice import Invoice
from invoicing.domain.transitions import available_commands


async def shown_views(
    connection: PoolConnectionProxy, found: Sequence[InvoiceVersion], shown: Shown
) -> list[View]:
    """The invoices with the expansions and the fields that the query selects."""
    views = [invoice.view for invoice in found]
    if "available_commands" in shown.expansions:
        for view, invoice in zip(views, found, strict=True):
            accepting = Invoice.model_validate_json(invoice.snapshot)
            view["available_commands"] = list(available_commands(accepting))
    if "events" in shown.expansions:
        events = await histories(connection, [view["invoice_id"] for view in views])
        for view in views:
            view["events"] = raw_documents(events[view["invoice_id"]][: view["version"]])
    if shown.shown_fields:
        return [selected(view, shown.shown_fields | shown.expansions) for view in views]
    return views
