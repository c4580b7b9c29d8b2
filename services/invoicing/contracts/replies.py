"""The reply to a command: accepted, or rejected with a reason that a program can act on."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import Field

from invoicing.contracts.model import ContractModel

ACCEPTED: Final = "command.accepted"
REJECTED: Final = "command.rejected"

ERRORS_MAX: Final = 100
FIELD_CHARACTERS_MAX: Final = 200


class RejectionCode(StrEnum):
    """Why a command was rejected. A code never changes its meaning."""

    INVALID_COMMAND = "invalid_command"
    UNKNOWN_COMMAND = "unknown_command"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    VERSION_CONFLICT = "version_conflict"
    INVOICE_NOT_FOUND = "invoice_not_found"
    INVOICE_ALREADY_EXISTS = "invoice_already_exists"
    ILLEGAL_TRANSITION = "illegal_transition"
    HAS_PAYMENTS = "has_payments"
    HAS_CREDIT_NOTES = "has_credit_notes"
    NOTHING_TO_PAY = "nothing_to_pay"
    NOTHING_TO_CREDIT = "nothing_to_credit"
    PAYMENT_IN_PROGRESS = "payment_in_progress"
    CURRENCY_MISMATCH = "currency_mismatch"
    AMOUNT_EXCEEDS_BALANCE = "amount_exceeds_balance"
    DUPLICATE_PAYMENT = "duplicate_payment"
    DUPLICATE_REFUND = "duplicate_refund"
    DUPLICATE_RETURN = "duplicate_return"
    DUPLICATE_DISPUTE = "duplicate_dispute"
    DUPLICATE_CREDIT_NOTE = "duplicate_credit_note"
    DUPLICATE_SOURCE = "duplicate_source"
    UNKNOWN_PAYMENT = "unknown_payment"
    UNKNOWN_REFUND = "unknown_refund"
    UNKNOWN_DISPUTE = "unknown_dispute"
    DISPUTE_CLOSED = "dispute_closed"
    UNKNOWN_SOURCE = "unknown_source"
    SOURCE_UNUSABLE = "source_unusable"
    UNKNOWN_SELLER = "unknown_seller"
    UNKNOWN_ITEM = "unknown_item"
    UNKNOWN_CREDIT_NOTE = "unknown_credit_note"
    NO_RECIPIENT = "no_recipient"
    NEGATIVE_TOTAL = "negative_total"
    NO_ITEMS = "no_items"
    NOT_PAST_DUE = "not_past_due"
    PERIOD_LOCKED = "period_locked"
    ALREADY_SENT = "already_sent"
    TAX_MISMATCH = "tax_mismatch"
    SENSITIVE_DATA = "sensitive_data"
    LIMIT_EXCEEDED = "limit_exceeded"


class FieldError(ContractModel):
    """A field to correct, and how. The reason never repeats the value that was sent."""

    field: str = Field(
        description="The field's path inside data, its parts joined by dots;"
        " or an attribute of the envelope, such as subject.",
        examples=["items.0.unit_price"],
    )
    reason: str = Field(
        description="The requirement that the value does not meet.",
        examples=["must be a decimal string such as 100.00"],
    )


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rejected command: the code is for programs, the message for people."""

    code: RejectionCode
    message: str
    errors: tuple[FieldError, ...] = ()


class Reply(ContractModel):
    """The `data` of `command.accepted`, and the fields that every reply has."""

    command_id: str = Field(description="The command's id.", examples=["0192f1c6"])
    command_source: str = Field(description="The command's source.", examples=["/orders"])
    command_type: str = Field(
        description="The command's type; empty if it could not be read.",
        examples=["CreateInvoice"],
    )
    invoice_id: str = Field(
        description="The command's subject as it came; empty if it could not be read.",
        examples=["inv_1001"],
    )
    version: int | None = Field(
        description="The invoice's version after the command; null when there is no invoice."
    )
    state: str | None = Field(
        description="The invoice's state after the command; null when there is no invoice."
    )
    events: tuple[str, ...] = Field(
        description="The types of the events it caused, in order; empty if nothing changed.",
        examples=[["invoice.created", "invoice.opened"]],
    )


class RejectedReply(Reply):
    """The `data` of `command.rejected`: nothing changed, and why."""

    code: RejectionCode = Field(description="The reason for the rejection, for programs.")
    message: str = Field(description="The reason for the rejection, for people.")
    errors: tuple[FieldError, ...] = Field(description="The fields to correct, if any are wrong.")
    available_commands: tuple[str, ...] = Field(
        description="The commands that the invoice would accept now."
    )
