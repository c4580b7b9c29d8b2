"""What calls answer with, beside single invoices: only to be described, for answers are written
from what is stored."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from invoicing.api.reads.views import Change, InvoiceView, ItemView
from invoicing.contracts.replies import Reply


class InvoiceFields(BaseModel):
    """Some fields of an invoice: those that `fields` has named."""

    model_config = ConfigDict(extra="allow")


class _Page(BaseModel):
    has_more: bool = Field(description="Whether there is more after this page.")
    has_previous: bool = Field(description="Whether there is more before this page.")
    start_cursor: str | None = Field(description="For `before`; null where the page is empty.")
    end_cursor: str | None = Field(description="For `after`; null where the page is empty.")


class InvoicePage(_Page):
    """A page of invoices."""

    data: tuple[InvoiceView | InvoiceFields, ...] = Field(description="The invoices.")


class ItemPage(_Page):
    """A page of lines."""

    data: tuple[ItemView, ...] = Field(description="The lines.")


class InvoiceItems(BaseModel):
    """The lines of one invoice."""

    data: tuple[ItemView, ...] = Field(description="The lines, in order.")


class CloudEvent(BaseModel):
    """What every CloudEvent of ours has; `data` is as schemas/ has it for its type."""

    specversion: str = Field(description="CloudEvents' version.", examples=["1.0"])
    id: str = Field(description="The same at every delivery.")
    source: str = Field(description="Who tells.", examples=["/invoicing"])
    type: str = Field(description="What it tells of.", examples=["invoice.opened"])
    subject: str = Field(description="The invoice.", examples=["inv_1001"])
    time: str = Field(description="When it was recorded, RFC 3339.")
    datacontenttype: str = Field(description="What `data` is.", examples=["application/json"])
    dataschema: str = Field(description="The schema of `data`, with its version.")
    causationid: str = Field(description="The id of the command that it follows from.")
    correlationid: str | None = Field(None, description="The command's, where it had one.")
    traceparent: str | None = Field(None, description="The command's, where it had one.")


class EventDocument(CloudEvent):
    """An event."""

    causationsource: str = Field(description="The source of the command that it follows from.")
    version: int = Field(description="The invoice's version after it.")
    data: dict[str, Any] = Field(description="What happened.")


class AnswerDocument(CloudEvent):
    """A command's answer."""

    data: Reply = Field(description="The answer; a rejection says more.")


class EventPage(BaseModel):
    """Some events, in order."""

    data: tuple[EventDocument, ...] = Field(description="The events.")
    has_more: bool = Field(description="Whether there is more right now.")
    end_cursor: str = Field(description="For `after`, to go on.")


class Difference(BaseModel):
    """What changed from one version to another."""

    model_config = ConfigDict(populate_by_name=True)

    invoice_id: str = Field(description="The invoice.")
    before: int = Field(alias="from", description="The version before.")
    after: int = Field(alias="to", description="The version after.")
    changes: tuple[Change, ...] = Field(description="The fields that differ.")


class Pending(BaseModel):
    """The command was handed over; its answer is still to come."""

    status: str = Field(description="Always `pending`.", examples=["pending"])
    command_id: str = Field(description="The command's id.")
    command_source: str = Field(description="The command's source.")
    invoice_id: str = Field(description="The invoice that it names.")


class TokenRequest(BaseModel):
    """Client credentials (RFC 6749, section 4.4)."""

    grant_type: str = Field(description="client_credentials.", examples=["client_credentials"])
    client_id: str | None = Field(None, description="The client, unless given as Basic.")
    client_secret: str | None = Field(None, description="Its secret, unless given as Basic.")
    scope: str | None = Field(None, description="By default all that the client may have.")


class Token(BaseModel):
    """A bearer token."""

    access_token: str = Field(description="The token.")
    token_type: str = Field(description="Always Bearer.", examples=["Bearer"])
    expires_in: int = Field(description="How many seconds it is good for.", examples=[3600])
    scope: str = Field(description="What it is good for.", examples=["invoices:read"])


class TokenError(BaseModel):
    """Why there is no token (RFC 6749, section 5.2)."""

    error: str = Field(description="Why, for programs.", examples=["invalid_client"])
    error_description: str = Field(description="Why, for people.")


class Health(BaseModel):
    """Whether it works."""

    ok: bool = Field(description="Whether all is well.")
    checks: dict[str, bool] = Field(description="What was looked at.")
