"""One row of the coverage page, as one call over HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from invoicing.api.auth.clients import READ, SCOPES
from tests.parity.lives import INVOICE

ALL_SCOPES = frozenset(SCOPES)
READ_ONLY = frozenset({READ})


@dataclass(frozen=True)
class Case:
    """A call and what its answer must show, by paths into it.

    `life` is what has happened so far to the invoice that the call is about. In the call,
    `{invoice_id}` is that invoice, and anything else in braces a field of what `first` has shown.
    """

    row: str
    call: str
    shows: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    life: str = ""
    first: str = ""
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    scopes: frozenset[str] = ALL_SCOPES

    @property
    def method(self) -> str:
        return self.call.partition(" ")[0]


class _Time:
    """Equal to any time as it is written in JSON."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and datetime.fromisoformat(other).tzinfo is not None

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "a time"


class _Text:
    """Equal to any text that says something."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and bool(other)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "a text"


A_TIME = _Time()
A_TEXT = _Text()


def told(document: Any, path: str) -> Any:
    """What a document says at a path: `items.0.id`, `data.*.id` for each, `data.#` how many."""
    first, _, rest = path.partition(".")
    if first == "#":
        return len(document)
    if first == "*":
        return [told(part, rest) for part in document]
    part = document[int(first)] if isinstance(document, list) else document.get(first)
    return told(part, rest) if rest else part


def shown(row: str, shows: Mapping[str, Any], life: str = "complete", ask: str = "") -> Case:
    """An invoice of that life shows this."""
    return Case(row, f"GET /v1/invoices/{{invoice_id}}{ask}", shows, life=life)


def given(row: str, data: Mapping[str, Any], shows: Mapping[str, Any] | None = None) -> Case:
    """An invoice that is made with this shows it; None takes a field away."""
    return Case(row, "POST /v1/invoices", data if shows is None else shows, 201, body=_with(data))


def not_given(row: str, data: Mapping[str, Any], *fields: str) -> Case:
    """An invoice is not made of this, and these fields are to blame."""
    shows = {"code": "invalid_command", "errors.*.field": list(fields)}
    return Case(row, "POST /v1/invoices", shows, 422, body=_with(data))


def _with(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**INVOICE, **data}.items() if value is not None}


def listed(row: str, query: str, *lives: str, first: str = "") -> Case:
    """A list that is asked so shows the invoices of these lives, in this order."""
    ids = [f"inv_{life}" for life in lives]
    return Case(row, f"GET /v1/invoices?{query}", {"data.*.invoice_id": ids}, first=first)


def done(row: str, life: str, call: str, shows: Mapping[str, Any], body: Any = None) -> Case:
    """An invoice of that life takes a change, and shows this after it."""
    method, _, address = call.partition(" ")
    return Case(row, f"{method} /v1/invoices/{{invoice_id}}{address}", shows, life=life, body=body)


def refused(row: str, life: str, call: str, code: str, body: Any = None, status: int = 409) -> Case:
    """An invoice of that life does not take a change."""
    method, _, address = call.partition(" ")
    return Case(
        row,
        f"{method} /v1/invoices/{{invoice_id}}{address}",
        {"code": code},
        status,
        life,
        body=body,
    )
