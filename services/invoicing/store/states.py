"""An invoice's current state, as the row that the store keeps of it."""

from invoicing.domain.invoice import Invoice
from invoicing.domain.list_index import listing
from invoicing.domain.status import standing
from invoicing.store.store import StoredInvoice


def stored_invoice(invoice: Invoice, document_changed: bool) -> StoredInvoice:
    """The row of an invoice; what lists ask of its document only where it was told anew."""
    return StoredInvoice(
        id=invoice.invoice_id,
        version=invoice.version,
        state=invoice.state,
        standing=standing(invoice),
        archived=invoice.archived,
        seller_id=invoice.seller_id,
        customer_id=invoice.customer_id,
        number=invoice.invoice_number,
        total=invoice.total,
        amount_due=invoice.amount_due,
        attempt_count=invoice.attempt_count,
        document=invoice.model_dump_json(),
        created_at=invoice.created_at,
        updated_at=invoice.updated_at,
        # Else it would cost reading the whole document, which most commands never look at.
        listing=listing(invoice.filed.excerpt) if document_changed else None,
    )
