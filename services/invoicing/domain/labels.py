"""The labels that lists find invoices by."""

from typing import Final

from invoicing.contracts.invoice import Document, DocumentIndexFields, DocumentLabels

_LABELS: Final = tuple(DocumentLabels.model_fields)


def labels_of(document: Document | DocumentIndexFields) -> tuple[str, ...]:
    """Return a document's labels: distinct `name=value` texts."""
    labels = [
        label(name, value) for name in _LABELS if (value := getattr(document, name)) is not None
    ]
    labels += [label("sku_id", item.sku_id) for item in document.items if item.sku_id is not None]
    labels += [metadata_label(key, value) for key, value in (document.metadata or {}).items()]
    return tuple(dict.fromkeys(labels))


def label(name: str, value: str) -> str:
    """Format a label. Values may contain `=`; the names of our labels do not."""
    return f"{name}={value}"


def metadata_label(key: str, value: str) -> str:
    """Format the label of a metadata entry.

    The key's length makes it unambiguous: a key may contain `=` too.
    """
    return label(f"metadata.{len(key)}.{key}", value)
