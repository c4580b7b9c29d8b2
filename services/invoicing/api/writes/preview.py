"""What a command would lead to: decided as a worker would, on the current state, and not stored."""

from typing import Any, Final

import orjson
from pydantic import Field

from invoicing.api.auth.tokens import Client
from invoicing.api.http.bodies import Body
from invoicing.api.reads.answers import raw_documents
from invoicing.api.reads.cloud_events import AnswerDocument, EventDocument
from invoicing.api.reads.views import InvoiceView, View, view_of
from invoicing.api.state import AppState
from invoicing.contracts import replies
from invoicing.contracts.envelope import CommandEnvelope, reply_document, reply_id
from invoicing.contracts.invoice import State
from invoicing.contracts.replies import Rejection
from invoicing.domain.decision import Accepted, Context
from invoicing.domain.handling import handle, reply_to
from invoicing.domain.invoice import Invoice
from invoicing.domain.status import status_unarchived
from invoicing.runtime import clock
from invoicing.store.entries import whole_snapshot
from invoicing.store.placeholders import placeholders
from invoicing.store.rendering import render
from invoicing.store.rows import StoredEvent

PREVIEWS_PER_SECOND_MAX: Final = 10
"""Of one client. A preview decides in this process, where it competes with other requests."""

_SNAPSHOT: Final = "SELECT snapshot, seller_id FROM invoices WHERE id = $1"


class Preview(Body):
    """What a command would lead to now. Numbers that it would take are null."""

    answer: AnswerDocument = Field(description="The reply, accepted or rejected.")
    events: tuple[EventDocument, ...] = Field(description="The events, in order.")
    invoice: InvoiceView | None = Field(
        description="The invoice after the command; null where there would be none."
    )


async def preview(command: CommandEnvelope, state: AppState, client: Client) -> dict[str, Any]:
    """Decide the command on the invoice as it is, and return what `Preview` describes."""
    async with state.database.everything.acquire() as connection:
        row = await connection.fetchrow(_SNAPSHOT, command.subject)
        snapshot = row and await whole_snapshot(connection, command.subject, row["snapshot"])
    before = Invoice.model_validate_json(snapshot) if snapshot else None
    now = clock.now()
    recorded_at = max(now, before.updated_at) if before else now
    number = placeholders()()
    outcome = handle(command, before, Context(recorded_at, state.sellers, number), sent_at=now)
    events: list[StoredEvent] = []
    after = before
    if isinstance(outcome, Accepted):
        version = before.version if before else 0
        rendered = render(command, outcome, after_version=version, recorded_at=recorded_at)
        if isinstance(rendered, Rejection):
            outcome = rendered
        else:
            events, after = rendered, outcome.invoice
    rejection = outcome if isinstance(outcome, Rejection) else None
    if row and not (client.sees_all or row["seller_id"] == client.seller_id):
        # The id belongs to another seller's invoice, whose state must not be revealed.
        after = None
    answer = reply_document(
        command,
        id=reply_id(command),
        type=replies.REJECTED if rejection else replies.ACCEPTED,
        recorded_at=recorded_at,
        data=reply_to(command, rejection, after, [event.type for event in events]),
    )
    unnumbered = [event.document.replace(f'"{number}"', "null") for event in events]
    return {
        "answer": orjson.Fragment(answer),
        "events": raw_documents(unnumbered),
        "invoice": _view(after, number),
    }


def _view(invoice: Invoice | None, number: str) -> View | None:
    if invoice is None or invoice.state is State.DELETED:
        return None
    snapshot = invoice.to_json().replace(f'"{number}"', "null")
    return view_of(snapshot, status_unarchived(invoice, clock.now()))
