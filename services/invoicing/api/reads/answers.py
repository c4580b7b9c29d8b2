"""Successful responses: JSON bodies, entity tags, conditional requests."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from fastapi import Request
from starlette.responses import Response

from invoicing.api.reads.views import View

MEDIA_TYPE: Final = "application/json"
# Cached responses must be revalidated: another command may have changed the invoice.
REVALIDATE: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}

ETAG_HEADER: Final = {
    "description": "The invoice's version, in quotes.",
    "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
}

RETRY_AFTER_HEADER: Final = {
    "description": "Seconds to wait before a retry.",
    "schema": {"type": "integer", "minimum": 0},
}
IDEMPOTENT_REPLAYED_HEADER: Final = {
    "description": "`true` if the response is a replay: the command was answered before.",
    "schema": {"type": "string", "enum": ["true"]},
}

_ENTITY_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')


def json_response(
    content: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON response of anything that orjson serializes."""
    return Response(orjson.dumps(content), status, headers=headers, media_type=MEDIA_TYPE)


def raw_documents(documents: Iterable[str]) -> list[orjson.Fragment]:
    """Documents to be sent byte for byte as stored."""
    return [orjson.Fragment(document) for document in documents]


def entity_tag(version: int) -> str:
    """An invoice's version as an entity tag (RFC 9110)."""
    return f'"{version}"'


def invoice_response(
    view: View, version: int, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """An invoice, tagged with its version."""
    tagged = {"ETag": entity_tag(version), **REVALIDATE, **(headers or {})}
    return json_response(view, status, tagged)


def is_known(request: Request, version: int) -> bool:
    """Whether the client has this version already (If-None-Match)."""
    known = request.headers.get("if-none-match")
    if known is None:
        return False
    return known.strip() == "*" or str(version) in _ENTITY_TAG.findall(known)


def not_modified(version: int) -> Response:
    """304: the client has this version."""
    return Response(status_code=304, headers={"ETag": entity_tag(version), **REVALIDATE})


def selected(view: View, fields: set[str]) -> View:
    """The view with these fields only."""
    return {name: value for name, value in view.items() if name in fields}
