"""A document that is parsed on first access."""

import orjson
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from invoicing.contracts.invoice import Document, DocumentIndexFields


class LazyDocument:
    """A document or its JSON; each is made from the other on first access.

    Most commands need an invoice's amounts only. Parsing and serialising its lines for every
    payment would cost more than deciding it. A field of this type has the document's schema.
    """

    __slots__ = ("_document", "_index_fields", "_json")

    def __init__(self, document: Document | str) -> None:
        self._document = None if isinstance(document, str) else document
        self._json = document if isinstance(document, str) else None
        self._index_fields: DocumentIndexFields | None = None

    @property
    def document(self) -> Document:
        """The document."""
        if self._document is None:
            self._document = Document.model_validate_json(self.json_text)
        return self._document

    @property
    def index_fields(self) -> Document | DocumentIndexFields:
        """The document if it was parsed already, else its index fields at a quarter of the cost."""
        if self._document is not None:
            return self._document
        if self._index_fields is None:
            self._index_fields = DocumentIndexFields.model_validate_json(self.json_text)
        return self._index_fields

    @property
    def json_text(self) -> str:
        """The document's JSON, made once for all events and states that show it."""
        if self._json is None:
            self._json = self.document.to_json()
        return self._json

    @property
    def json_value(self) -> orjson.Fragment:
        """The document's JSON, for events and states that hold it."""
        return orjson.Fragment(self.json_text)

    def __eq__(self, other: object) -> bool:
        return other is self or (
            isinstance(other, LazyDocument) and other.json_text == self.json_text
        )

    def __hash__(self) -> int:
        return hash(self.json_text)

    def __repr__(self) -> str:
        return f"LazyDocument({self.json_text!r})"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        document = handler(Document)
        schema = core_schema.no_info_after_validator_function(cls, document)
        return core_schema.json_or_python_schema(
            schema,
            core_schema.union_schema([core_schema.is_instance_schema(cls), schema]),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda lazy: lazy.document, return_schema=document
            ),
        )
