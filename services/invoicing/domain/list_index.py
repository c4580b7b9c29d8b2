"""What of an invoice's document lists are filtered and sorted by."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from invoicing.contracts.invoice import Document
from invoicing.contracts.lazy_document import DocumentIndexFields


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list can ask of a document. `labels` are `name=value`, each once."""

    document_date: date
    due_date: date
    live_mode: bool
    labels: tuple[str, ...]


def listing(document: Document | DocumentIndexFields) -> Listing:
    """What lists can ask of this document."""
    return Listing(
        document_date=document.document_date,
        due_date=document.due_date,
        live_mode=document.live_mode,
        labels=tuple(dict.fromkeys(_labels(document))),
    )


def label(name: str, value: str) -> str:
    """How a label is written. A value may hold `=`; the names that we give labels do not."""
    return f"{name}={value}"


def metadata_label(key: str, value: str) -> str:
    """The label of one metadata text; a key that holds `=` cannot be taken for a longer value."""
    return label(f"metadata.{len(key)}.{key}", value)


def _labels(document: Document | DocumentIndexFields) -> Iterator[str]:
    yield label("currency", document.currency)
    for name in ("upstream_id", "application_id", "order_id"):
        value = getattr(document, name)
        if value is not None:
            yield label(name, value)
    for item in document.items:
        if item.sku_id is not None:
            yield label("sku_id", item.sku_id)
    for key, value in (document.metadata or {}).items():
        yield metadata_label(key, value)
