"""A document put away until somebody looks at it."""

from contracts.invoice import Document


class Filed:
    """A document, or its JSON: the one is made from the other when it is wanted.

    Most commands look at an invoice's amounts only. To read and write its lines for every payment
    would cost more than to decide it.
    """

    __slots__ = ("_document", "_json")

    def __init__(self, filed: Document | str) -> None:
        self._document = None if isinstance(filed, str) else filed
        self._json = filed if isinstance(filed, str) else None

    @property
    def document(self) -> Document:
        """The document."""
        if self._document is None:
            self._document = Document.model_validate_json(self.json_text)
        return self._document

    @property
    def json_text(self) -> str:
        """The document's JSON."""
        if self._json is None:
            self._json = self.document.json_text
        return self._json

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filed) and self.json_text == other.json_text

    def __hash__(self) -> int:
        return hash(self.json_text)

    def __repr__(self) -> str:
        return f"Filed({self.json_text!r})"
