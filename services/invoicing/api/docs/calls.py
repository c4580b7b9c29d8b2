"""What each call takes and gives: the models of bodies by operation."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, Field

from invoicing.api.docs import shapes
from invoicing.api.reads.views import InvoiceView
from invoicing.api.writes.routes import ACTIONS
from invoicing.contracts.commands import COMMANDS, AttachSource, CreateInvoice
from invoicing.contracts.envelope import IDENTITY_CHARACTERS_MAX
from invoicing.contracts.types.texts import Identifier


class NewInvoice(CreateInvoice):
    """An invoice to be made."""

    invoice_id: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="By default one that follows from the Idempotency-Key.",
        examples=["inv_1001"],
    )


class SourceDetails(AttachSource):
    """A means of payment."""

    source_id: Identifier = Field("", description="Need not be given: the address says it.")


class CommandDocument(BaseModel):
    """A command as a CloudEvent; `data` is as schemas/ has it for its type."""

    specversion: str = Field(pattern=r"^1\.0$", description="CloudEvents' version.")
    id: str | None = Field(
        None,
        min_length=1,
        max_length=IDENTITY_CHARACTERS_MAX,
        description="Its id; by default the Idempotency-Key, and one of the two is needed.",
    )
    source: str | None = Field(
        None,
        min_length=1,
        max_length=IDENTITY_CHARACTERS_MAX,
        description="From whom; by default your client id.",
    )
    type: str = Field(min_length=1, max_length=256, description="The command's name.")
    subject: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="The invoice.")
    time: str | None = Field(None, description="When it was given, RFC 3339.")
    expectedversion: int | None = Field(
        None, ge=0, description="The version it must meet; by default If-Match."
    )
    correlationid: str | None = Field(None, description="Copied to all that follows.")
    traceparent: str | None = Field(None, description="W3C Trace Context; copied likewise.")
    data: dict[str, Any] = Field(default_factory=dict, description="What the command says.")


SUCCESS: Final[Mapping[str, tuple[str, type[BaseModel]]]] = {
    "listInvoices": ("200", shapes.InvoicePage),
    "listItems": ("200", shapes.ItemPage),
    "getInvoice": ("200", InvoiceView),
    "getInvoiceItems": ("200", shapes.InvoiceItems),
    "getInvoiceEvents": ("200", shapes.EventPage),
    "getInvoiceDifference": ("200", shapes.Difference),
    "getCommand": ("200", shapes.AnswerDocument),
    "getEvents": ("200", shapes.EventPage),
    "createInvoice": ("201", InvoiceView),
    "giveCommand": ("200", shapes.AnswerDocument),
    "issueToken": ("200", shapes.Token),
    "getLiveness": ("200", shapes.Health),
    "getReadiness": ("200", shapes.Health),
}
WITHOUT_BODY: Final = frozenset({"deleteInvoice", "detachSource"})
BODIES: Final[Mapping[str, type[BaseModel]]] = {
    "createInvoice": NewInvoice,
    "updateInvoice": COMMANDS["UpdateInvoice"],
    "updateInvoiceByPost": COMMANDS["UpdateInvoice"],
    "attachSource": SourceDetails,
    "giveCommand": CommandDocument,
    **{name[0].lower() + name[1:]: COMMANDS[name] for name in ACTIONS.values()},
}
