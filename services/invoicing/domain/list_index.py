"""The fields of a document that lists filter and sort by."""

from dataclasses import dataclass
from datetime import date

from invoicing.contracts.invoice import Document
from invoicing.contracts.lazy_document import DocumentIndexFields


@dataclass(frozen=True, slots=True)
class Listing:
    """The indexed fields. `labels` are distinct `name=value` texts."""

    document_date: date
    due_date: date
    live_mode: bool
    labels: tuple[str, ...]


def listing(document: Document | DocumentIndexFields) -> Listing:
    """Index a document."""
    labels = [label("currency", document.currency)]
    for name in ("upstream_id", "application_id", "order_id"):
        value = getattr(document, name)
        if value is not None:
            labels.append(label(name, value))
    labels += [label("sku_id", item.sku_id) for item in document.items if item.sku_id is not None]
    labels += [metadata_label(key, value) for key, value in (document.metadata or {}).items()]
    return Listing(
        document_date=document.document_date,
        due_date=document.due_date,
        live_mode=document.live_mode,
        labels=tuple(dict.fromkeys(labels)),
    )


def label(name: str, value: str) -> str:
    """Format a label. Values may contain `=`; the names of our labels do not."""
    return f"{name}={value}"


def metadata_label(key: str, value: str) -> str:
    """Format the label of a metadata entry.

    The key's length makes it unambiguous: a key may contain `=` too.
    """
    return label(f"metadata.{len(key)}.{key}", value)
