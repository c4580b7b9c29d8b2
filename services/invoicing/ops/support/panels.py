"""An invoice and its history as people read them, on 80 columns."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import orjson
from rich import box
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from invoicing.contracts.invoice import Address, Document, Party
from invoicing.domain.invoice import Invoice
from invoicing.ops.support.formatting import changes, clock, plain, short_type
from invoicing.store.rows import StoredEvent

COLUMNS: Final = 80


def history_table(events: Sequence[StoredEvent]) -> Table:
    """An invoice's events, a row each."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Version", justify="right")
    table.add_column("Time (UTC)", no_wrap=True)
    table.add_column("Event", no_wrap=True)
    table.add_column("What changed")
    said: dict[str, Any] = {}
    for event in events:
        data = orjson.loads(event.document)["data"]
        table.add_row(
            str(event.version),
            clock(event.recorded_at),
            short_type(event.type),
            Text("\n".join(changes(said, data))),
        )
        said |= data
    return table


def invoice_panel(invoice: Invoice) -> Panel:
    """An invoice on one page: its parties, items and amounts."""
    # The parts of the total on the left, those of the balance on the right.
    amounts = Table.grid(padding=(0, 4), expand=True)
    amounts.add_row(_sums(_parts_of_total(invoice.document)), _sums(_parts_of_balance(invoice)))
    optional = [
        *([_payments(invoice)] if invoice.payments else []),
        *([_credit_notes(invoice)] if invoice.credit_notes else []),
    ]
    return Panel(
        Group(_parties(invoice), "", _items(invoice.document), *optional, "", amounts),
        title=Text(f"{invoice.invoice_number or 'no number'} - {invoice.state}", style="bold"),
        title_align="left",
        subtitle=Text(f"{invoice.invoice_id}, version {invoice.version}"),
        subtitle_align="right",
        width=COLUMNS,
        padding=(1, 2),
    )


def _parties(invoice: Invoice) -> Table:
    document = invoice.document
    seller, customer = document.seller, document.bill_to or Party()
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    grid.add_row("Seller", _address([seller.name or seller.id], seller.address))
    names = [document.customer_id, customer.organization, customer.name]
    grid.add_row("Customer", _address(names, customer.address))
    zone = f", {document.time_zone}" if document.time_zone else ""
    grid.add_row("Dated", f"{document.document_date}, due {document.due_date}{zone}")
    if document.memo:
        grid.add_row("Memo", Text(plain(document.memo)))
    if invoice.archived:
        grid.add_row("Archived", "yes")
    grid.add_row("Recorded", f"{clock(invoice.updated_at)} UTC")
    return grid


def _address(names: Sequence[str | None], address: Address | None) -> Text:
    lines = [*names]
    if address is not None:
        lines += [address.line1, address.line2, address.postal_code]
        lines += [address.city, address.state, address.country]
    return Text(plain(", ".join(filter(None, lines))))


def _items(document: Document) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), expand=True)
    table.add_column("Item")
    for heading in ("Quantity", "Price", "Discount", "Tax", "Total"):
        table.add_column(heading, justify="right")
    for item in document.items:
        rate = item.tax.rate if item.tax else None
        table.add_row(
            Text(plain(item.description or item.sku_id or item.id)),
            item.quantity,
            item.unit_price or str(item.amount),
            str(item.discount_amount) if item.discount_amount else "",
            str(item.tax_amount) if rate is None else f"{item.tax_amount} ({percent(rate)})",
            str(item.total),
        )
    return table


def _payments(invoice: Invoice) -> Table:
    """The payments in their order, and below each what went back, or may go back."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), expand=True)
    table.add_column("Payment")
    table.add_column("Day", no_wrap=True)
    table.add_column("State", no_wrap=True)
    table.add_column("Amount", justify="right", no_wrap=True)
    for payment in invoice.payments.values():
        how = f" ({payment.method})" if payment.method else ""
        day = payment.received_at or payment.created_at
        _add_payment_row(table, f"{payment.payment_id}{how}", day, payment.state, payment.amount)
        for refund in payment.refunds:
            day = refund.refunded_at or refund.failed_at or refund.requested_at
            name = f"  refund {refund.refund_id}"
            _add_payment_row(table, name, day, refund.state, -refund.amount)
        for part in payment.returns:
            name = f"  return {part.return_id or ''} ({part.code})"
            _add_payment_row(table, name, part.returned_at, "returned", -part.amount)
        for dispute in payment.disputes:
            day = dispute.closed_at or dispute.opened_at
            name = f"  dispute {dispute.dispute_id}"
            _add_payment_row(table, name, day, dispute.state, -dispute.amount)
    return table


def _add_payment_row(
    table: Table, name: str, day: datetime | None, state: str, amount: Decimal
) -> None:
    table.add_row(Text(plain(name)), f"{day:%Y-%m-%d}" if day else "", state, f"{amount:f}")


def _credit_notes(invoice: Invoice) -> Table:
    """The credit notes in their order, and below each its tax by category and rate."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), expand=True)
    table.add_column("Credit note")
    table.add_column("Day", no_wrap=True)
    table.add_column("Tax", justify="right", no_wrap=True)
    table.add_column("Amount", justify="right", no_wrap=True)
    for note in invoice.credit_notes:
        name = f"{note.credit_note_number} ({note.credit_note_id}){', void' * note.is_void}"
        day, tax = f"{note.document_date}", f"{note.tax_amount:f}"
        table.add_row(Text(plain(name)), day, tax, f"{note.amount:f}")
        for group in note.tax_groups:
            rate = percent(group.rate) if group.rate is not None else plain(group.category or "")
            gross = f"{group.net + group.tax:f}"
            table.add_row(Text(f"  {rate or 'untaxed'}"), "", f"{group.tax:f}", gross)
    return table


def percent(rate: str) -> str:
    """A rate as people say it: 0.07125 is 7.125 %."""
    digits = f"{Decimal(rate) * 100:f}"
    return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits}%"


def _sums(rows: Iterator[tuple[str, Decimal]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(justify="right", no_wrap=True)
    for name, amount in rows:
        grid.add_row(Text(name), f"{amount:f}")
    return grid


def _parts_of_total(document: Document) -> Iterator[tuple[str, Decimal]]:
    yield "Subtotal", document.subtotal
    optional = {
        "Discount": -document.total_discount,
        "Fees": document.total_fees,
        "Duties": document.total_duties,
        "Importer tax": document.total_importer_tax,
        "Shipping": document.total_shipping,
    }
    yield from ((name, amount) for name, amount in optional.items() if amount)
    included = ", included" if document.tax_inclusive else ""
    for group in document.tax_groups:
        rate = percent(group.rate) if group.rate is not None else plain(group.category)
        yield f"Tax {rate} on {group.net:f}{included}", group.tax
    yield f"Total {document.currency}", document.total


def _parts_of_balance(invoice: Invoice) -> Iterator[tuple[str, Decimal]]:
    yield "Paid", invoice.amount_paid
    optional = {
        "Refunded": invoice.amount_refunded,
        "Returned": invoice.amount_returned,
        "Credited": invoice.amount_credited,
        "Written off": invoice.amount_written_off,
        "Overpaid": invoice.amount_overpaid,
    }
    yield from ((name, amount) for name, amount in optional.items() if amount)
    yield f"Due {invoice.currency}", invoice.amount_due
