"""Write calls: each sends one command."""

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final

from fastapi import APIRouter, Path
from starlette.responses import Response

from invoicing.api.http.routing import DirectRoute, takes
from invoicing.api.reads.cloud_events import AnswerDocument
from invoicing.api.reads.invoices import InvoiceId
from invoicing.api.reads.views import InvoiceView
from invoicing.api.writes.command_endpoint import CommandEndpointOf
from invoicing.api.writes.preview import Preview
from invoicing.api.writes.requests import CommandDocument, NewInvoice, SourceDetails
from invoicing.contracts.commands import COMMANDS, UpdateInvoice
from invoicing.domain.transitions import TRANSITIONS

router = APIRouter(route_class=DirectRoute, tags=["Changes"])

SourceId = Annotated[
    str, Path(min_length=1, max_length=500, description="The source.", examples=["src_1"])
]

ACTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        transition.path: command.__name__
        for command, transition in TRANSITIONS.items()
        if transition.path is not None
    }
)
"""Commands by the last part of the path; the body is the command's data."""


@router.post("/v1/invoices", response_model=InvoiceView, status_code=201)
@takes(NewInvoice, required=True)
async def create_invoice(endpoint: CommandEndpointOf) -> Response:
    """Create an invoice. It is opened and numbered at once, unless `state` is `draft`."""
    return await endpoint.create()


@router.patch("/v1/invoices/{invoice_id}", response_model=InvoiceView)
@takes(UpdateInvoice)
async def update_invoice(invoice_id: InvoiceId, endpoint: CommandEndpointOf) -> Response:
    """Change the given fields and leave the others. Once open, only texts can change.

    `metadata` is merged by key: null removes a key, the keys that are left out stay. Every other
    field is replaced as a whole: `items` replaces all lines, and one that is left out is removed.
    """
    return await endpoint.execute("UpdateInvoice", invoice_id)


@router.post("/v1/invoices/{invoice_id}", response_model=InvoiceView)
@takes(UpdateInvoice)
async def update_invoice_by_post(invoice_id: InvoiceId, endpoint: CommandEndpointOf) -> Response:
    """The same as PATCH."""
    return await endpoint.execute("UpdateInvoice", invoice_id)


@router.delete("/v1/invoices/{invoice_id}", status_code=204)
async def delete_invoice(invoice_id: InvoiceId, endpoint: CommandEndpointOf) -> Response:
    """Delete a draft that never had a number."""
    return await endpoint.execute_without_body("DeleteInvoice", invoice_id)


@router.post("/v1/invoices/{invoice_id}/sources/{source_id}", response_model=InvoiceView)
@takes(SourceDetails)
async def attach_source(
    invoice_id: InvoiceId, source_id: SourceId, endpoint: CommandEndpointOf
) -> Response:
    """Attach a means of payment."""
    return await endpoint.execute("AttachSource", invoice_id, {"source_id": source_id})


@router.delete("/v1/invoices/{invoice_id}/sources/{source_id}", status_code=204)
async def detach_source(
    invoice_id: InvoiceId, source_id: SourceId, endpoint: CommandEndpointOf
) -> Response:
    """Detach a means of payment."""
    return await endpoint.execute_without_body("DetachSource", invoice_id, {"source_id": source_id})


@router.post("/v1/commands", response_model=AnswerDocument)
@takes(CommandDocument, required=True)
async def give_command(endpoint: CommandEndpointOf) -> Response:
    """Send any command as a CloudEvent; returns its reply.

    The request completes the envelope: `id` defaults to the Idempotency-Key, `expectedversion` to
    If-Match, `source` to your client id. A header that contradicts the envelope is an error.
    """
    return await endpoint.execute_envelope()


@router.post("/v1/preview", response_model=Preview)
@takes(CommandDocument, required=True)
async def preview_command(endpoint: CommandEndpointOf) -> Response:
    """Show what a command would lead to now, without sending it: the reply, events and invoice.

    Takes what `POST /v1/commands` takes. Nothing is stored, and no number is taken: those that
    the command would take are null. A client may ask for ten previews per second.
    """
    return await endpoint.preview()


def _add_action(name: str, command_type: str) -> None:
    @takes(COMMANDS[command_type])
    async def act(invoice_id: InvoiceId, endpoint: CommandEndpointOf) -> Response:
        return await endpoint.execute(command_type, invoice_id)

    router.add_api_route(
        f"/v1/invoices/{{invoice_id}}/{name}",
        act,
        methods=["POST"],
        response_model=InvoiceView,
        description=inspect.getdoc(COMMANDS[command_type]),
        operation_id=command_type[0].lower() + command_type[1:],
    )


for _name, _command_type in ACTIONS.items():
    _add_action(_name, _command_type)
