"""The bodies that calls take beyond a command's own data. They are read as commands; these models
describe them."""

from typing import Any

from pydantic import Field

from invoicing.api.http.bodies import Body
from invoicing.contracts.commands import AttachSource, CreateInvoice
from invoicing.contracts.envelope import IDENTITY_CHARACTERS_MAX
from invoicing.contracts.types.texts import INVOICE_ID_PATTERN, Identifier


class NewInvoice(CreateInvoice):
    """An invoice to create."""

    invoice_id: str | None = Field(
        None,
        pattern=INVOICE_ID_PATTERN,
        description="By default one derived from the Idempotency-Key.",
        examples=["inv_1001"],
    )


class SourceDetails(AttachSource):
    """A means of payment."""

    source_id: Identifier = Field(default_factory=str, description="Not needed: the path has it.")


class CommandDocument(Body):
    """A command as a CloudEvent; `data` is as schemas/ has it for its type."""

    specversion: str = Field(pattern=r"^1\.0$", description="CloudEvents' version.")
    id: str | None = Field(
        None,
        min_length=1,
        max_length=IDENTITY_CHARACTERS_MAX,
        description="The command's id; by default the Idempotency-Key, else a new one.",
    )
    source: str | None = Field(
        None,
        min_length=1,
        max_length=IDENTITY_CHARACTERS_MAX,
        description="The producer; by default your client id.",
    )
    type: str = Field(min_length=1, max_length=256, description="The command's name.")
    subject: str = Field(pattern=INVOICE_ID_PATTERN, description="The invoice.")
    time: str | None = Field(None, description="The time of the command, RFC 3339.")
    expectedversion: int | None = Field(
        None, ge=0, description="The version that the invoice must have; by default If-Match."
    )
    correlationid: str | None = Field(None, description="Copied to the events and the reply.")
    traceparent: str | None = Field(None, description="W3C Trace Context; copied likewise.")
    data: dict[str, Any] = Field(default_factory=dict, description="The command's data.")
