"""The stored state of an invoice."""

import pytest

from tests.support.domain.drafts import draft


@pytest.mark.parametrize(
    "hostile", [',"document":{', ',"document":{}}', '"document":{"a":1}', '\\",\\"document\\":{']
)
def test_no_text_is_mistaken_for_the_document(hostile: str) -> None:
    """Desk reads and writes the stored state after every command."""
    desk = draft(memo=hostile, metadata={hostile: hostile, "document": hostile})
    details = {"document": {"document": {hostile: hostile}}, hostile: {"document": {}}}
    desk.accept("AttachSource", source_id=hostile, type=hostile, details=details)
    desk.accept("CancelInvoice", reason=hostile)
    assert desk.current.document.memo == hostile
