"""The `data` of every command, and how it is validated."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar

from pydantic import Field, ValidationError

from invoicing.contracts.hints import NO_HINTS, Hints
from invoicing.contracts.invoice import ITEMS_MAX, CreditItem, InvoiceInput, Item
from invoicing.contracts.model import ContractModel
from invoicing.contracts.replies import ERRORS_MAX, FieldError, Rejection, RejectionCode
from invoicing.contracts.types.details import Details
from invoicing.contracts.types.money import EXPONENTS, Currency, GivenMoney, GivenPositiveMoney
from invoicing.contracts.types.texts import (
    Day,
    Email,
    Flag,
    Identifier,
    Instant,
    LongText,
    MetadataChanges,
    Text,
    WebAddress,
)
from invoicing.contracts.validation.card_data import masked_or_errors
from invoicing.contracts.validation.cross_field import (
    credit_note_errors,
    invoice_input_errors,
    refund_errors,
)
from invoicing.contracts.validation.error_messages import invalid, rejection_from_validation_error
from invoicing.contracts.validation.scale import excess_decimals, scaled_or_errors

_SAME_CURRENCY: Final = "ISO 4217 code of the amounts. If given, it must be the invoice's currency."

_CREDIT_NOTE_DATE: Final = (
    "The credit note's date, from the invoice's date to today; by default today. Of an invoice"
    " dated after today, it is the invoice's date."
)


class CommandData(ContractModel):
    """The `data` of a command; the class is named as the command's type."""

    @classmethod
    def cross_field_errors(cls, data: Mapping[str, Any]) -> Iterator[FieldError]:
        """Check the rules between fields, on the JSON as it came."""
        yield from ()

    @property
    def own_currency(self) -> str | None:
        """The currency of its amounts, if the command names one; else the invoice's counts."""
        # Of a field that a model lacks, pydantic's own attribute access would be slow to say so.
        return vars(self).get("currency")


class Report(CommandData):
    """A command that reports what has happened. Card numbers in it are masked, not refused."""


_COMMANDS: Final[dict[str, type[CommandData]]] = {}
COMMANDS: Final[Mapping[str, type[CommandData]]] = MappingProxyType(_COMMANDS)
"""Every command by its type, in the order that the documents list them."""

CommandT = TypeVar("CommandT", bound=CommandData)


def command(model: type[CommandT]) -> type[CommandT]:
    """Register a command's data: the class is named as the command's type."""
    assert model.__name__ not in COMMANDS, f"{model.__name__} is registered twice"
    _COMMANDS[model.__name__] = model
    return model


class Reasoned(CommandData):
    """A command whose only field is an optional reason."""

    reason: LongText | None = Field(None, description="The reason, in words.")


@command
class CreateInvoice(InvoiceInput, CommandData):
    """Create an invoice, and open it unless `state` is draft."""

    customer_id: Identifier = Field(description="The customer.", examples=["cus_42"])
    currency: Currency = Field(description="ISO 4217 code of all amounts.", examples=["USD"])
    state: Literal["open", "draft"] = Field("open", description="The state of the new invoice.")
    seller_id: Identifier = Field("default", description="The seller that issues the invoice.")

    @classmethod
    def cross_field_errors(cls, data: Mapping[str, Any]) -> Iterator[FieldError]:
        yield from invoice_input_errors(data)


@command
class UpdateInvoice(InvoiceInput, CommandData):
    """Change the given fields and leave the others.

    In a draft, all of them can change; one that has a number keeps its customer, `live_mode` and
    year. An open invoice takes `due_date`, `exclude_from_autopay` and `collection_period_days`, and
    like paid, uncollectible, void and reversed ones also `metadata`, `memo`, `description`, `email`
    and `tax_identifiers`.

    `metadata` is merged by key. Every other field is replaced as a whole, `items` too: an item that
    is left out is removed.
    """

    customer_id: Identifier = Field("", description="The customer.")
    items: tuple[Item, ...] = Field(
        (),
        max_length=ITEMS_MAX,
        description="The lines. They replace all lines: one that is left out is removed.",
    )
    metadata: MetadataChanges | None = Field(  # type: ignore[assignment]  # a change, not the texts
        None,
        description="Merged by key: a text sets the key, null removes it, the others stay. Null"
        " instead of an object removes all.",
    )

    @classmethod
    def cross_field_errors(cls, data: Mapping[str, Any]) -> Iterator[FieldError]:
        yield from invoice_input_errors(data)


@command
class DeleteInvoice(CommandData):
    """Delete a draft that never had a number."""


@command
class OpenInvoice(CommandData):
    """Give a draft its number and make it payable."""


@command
class UnpostInvoice(Reasoned):
    """Turn an open invoice back into a draft, which keeps its number and date.

    It cannot have been sent, and can never have had a payment or a credit note.
    """


@command
class VoidInvoice(Reasoned):
    """Void an issued invoice; it keeps its number."""


@command
class CancelInvoice(Reasoned):
    """Cancel a draft."""


@command
class ReverseInvoice(Reasoned):
    """Reverse an open invoice by a credit note for its total."""

    document_date: Day | None = Field(None, description=_CREDIT_NOTE_DATE)


@command
class WriteOffInvoice(Reasoned):
    """Write off the amount due. A scheduler sends it when the collection period has passed."""


@command
class ReinstateInvoice(Reasoned):
    """Make what was written off due again."""


@command
class RestateInvoice(CommandData):
    """Publish the amounts that follow from the facts, where the first releases published others.

    `invoicing restate` sends it. For any other invoice it changes nothing.
    """


@command
class PayInvoice(CommandData):
    """Request a charge of an attached source."""

    source_id: Identifier | None = Field(
        None, description="The source to charge; by default the one attached last."
    )
    amount: GivenPositiveMoney | None = Field(
        None,
        description="In the invoice's currency; by default the amount due.",
        examples=["50.00"],
    )


@command
class RecordPayment(Report):
    """Record a payment that has arrived or, with `settled` false, one in flight."""

    payment_id: Identifier = Field(description="Unique in the invoice.", examples=["pay_1"])
    amount: GivenPositiveMoney = Field(
        description="In the invoice's currency.", examples=["214.25"]
    )
    currency: Currency | None = Field(None, description=_SAME_CURRENCY, examples=["USD"])
    received_at: Instant | None = Field(
        None, description="When the payment arrived, RFC 3339; at most a day ahead."
    )
    method: Text | None = Field(
        None, description="The method of payment.", examples=["wire_transfer"]
    )
    source_id: Identifier | None = Field(None, description="The source that was charged.")
    settled: Flag = Field(
        True, description="Whether the payment is final; if not, it is in flight."
    )


@command
class CancelPaymentRequest(CommandData):
    """Take back the request for a charge.

    A charge that is already being made is not stopped: if it succeeds, report it as usual.
    """

    payment_id: Identifier = Field(description="The requested payment.", examples=["inv_1001-6"])
    reason: LongText | None = Field(None, description="The reason, in words.")


@command
class RecordPaymentAction(Report):
    """Record that a requested payment waits for the customer, who must confirm it, for example."""

    payment_id: Identifier = Field(description="The requested payment.", examples=["inv_1001-6"])
    code: Identifier = Field(
        description="The required action, for programs.", examples=["authentication_required"]
    )
    url: WebAddress | None = Field(
        None,
        description="Where the customer can do it.",
        examples=["https://pay.example/confirm/7"],
    )


@command
class SettlePayment(Report):
    """Record that a payment is final: one in flight, or one that was given up too early."""

    payment_id: Identifier = Field(description="The payment.")
    amount: GivenPositiveMoney | None = Field(
        None,
        description="The amount that has arrived, in the invoice's currency; by default the"
        " amount of the payment. Whatever it is, nothing more is expected.",
        examples=["49.50"],
    )


@command
class RecordPaymentFailure(Report):
    """Record that a payment in flight has failed."""

    payment_id: Identifier = Field(description="The payment in flight.")
    code: Identifier = Field(description="The reason, for programs.", examples=["card_declined"])
    message: LongText | None = Field(None, description="The reason, for people.")
    next_attempt_at: Instant | None = Field(
        None, description="When the charge will be retried, RFC 3339; omit it if it will not be."
    )


@command
class RefundPayment(Report):
    """Refund a part of a settled payment: record a refund, or request one."""

    payment_id: Identifier = Field(description="The payment.")
    refund_id: Identifier = Field(description="Unique in the invoice.", examples=["ref_1"])
    amount: GivenPositiveMoney = Field(
        description="In the invoice's currency; at most what the payment has left."
    )
    currency: Currency | None = Field(None, description=_SAME_CURRENCY, examples=["USD"])
    reason: LongText | None = Field(None, description="The reason, in words.")
    settled: Flag = Field(
        True, description="Whether the refund is final; if not, it is on its way."
    )
    execute: Flag = Field(
        False,
        description="Whether a payment service is to make the refund. It is pending until"
        " SettleRefund or RecordRefundFailure.",
    )

    @classmethod
    def cross_field_errors(cls, data: Mapping[str, Any]) -> Iterator[FieldError]:
        yield from refund_errors(data)


@command
class SettleRefund(Report):
    """Record that a refund is final.

    That may be a pending one, one that was reported as failed, or, with `amount`, one that the
    provider made without a request.
    """

    payment_id: Identifier = Field(description="The payment.")
    refund_id: Identifier = Field(description="The refund.", examples=["ref_1"])
    amount: GivenPositiveMoney | None = Field(
        None,
        description="The amount that went back, in the invoice's currency; by default the amount"
        " of the refund.",
        examples=["0.50"],
    )
    settled_at: Instant | None = Field(
        None, description="When it became final, RFC 3339; at most a day ahead."
    )


@command
class RecordRefundFailure(Report):
    """Record that a refund has failed, even one that was final: the money is back."""

    payment_id: Identifier = Field(description="The payment.")
    refund_id: Identifier = Field(description="The refund.", examples=["ref_1"])
    code: Identifier = Field(description="The reason, for programs.", examples=["account_closed"])
    message: LongText | None = Field(None, description="The reason, for people.")


@command
class ReturnPayment(Report):
    """Record that the bank took a settled payment back: a returned debit, a bounced cheque."""

    payment_id: Identifier = Field(description="The payment.")
    return_id: Identifier | None = Field(
        None,
        description="Unique in the invoice. The same return under the same id counts once.",
        examples=["ret_1"],
    )
    amount: GivenPositiveMoney | None = Field(
        None,
        description="In the invoice's currency; by default all that settled and was not returned.",
    )
    code: Identifier = Field(description="The reason, for programs.", examples=["R01"])
    fee: GivenMoney | None = Field(
        None,
        description="What the bank charges the seller for it. The customer does not owe it.",
        examples=["4.00"],
    )


@command
class OpenDispute(Report):
    """Record that the customer disputes a settled payment. No amount changes until it is lost."""

    payment_id: Identifier = Field(description="The payment.")
    dispute_id: Identifier = Field(description="Unique in the invoice.", examples=["dis_1"])
    amount: GivenPositiveMoney = Field(
        description="The disputed amount, in the invoice's currency."
    )
    reason: LongText | None = Field(None, description="The reason, in words.")
    evidence_due_at: Instant | None = Field(
        None, description="Until when evidence can be given, RFC 3339."
    )


@command
class CloseDispute(Report):
    """Record the outcome of a dispute. A lost one may still be won later."""

    dispute_id: Identifier = Field(description="The dispute.", examples=["dis_1"])
    outcome: Literal["won", "lost", "withdrawn"] = Field(
        description="Lost: the disputed amount went back to the customer. Otherwise it stays."
    )
    fee: GivenMoney | None = Field(
        None,
        description="What the provider charges the seller for it. The customer does not owe it.",
        examples=["15.00"],
    )


class CreditRefund(ContractModel):
    """A refund that is made with a credit note, or not at all."""

    payment_id: Identifier = Field(description="The payment to refund.", examples=["pay_1"])
    refund_id: Identifier = Field(description="Unique in the invoice.", examples=["ref_1"])
    amount: GivenPositiveMoney | None = Field(
        None,
        description="In the invoice's currency, at most what the payment has left; by default the"
        " part of the credit that becomes overpaid.",
    )
    settled: Flag = Field(
        True, description="Whether the refund is final; if not, it is on its way."
    )
    execute: Flag = Field(False, description="Whether a payment service is to make the refund.")


@command
class IssueCreditNote(CommandData):
    """Issue a credit note for an amount, or for lines, of an issued invoice."""

    credit_note_id: Identifier = Field(description="Unique in the invoice.", examples=["cn_1"])
    amount: GivenPositiveMoney | None = Field(
        None, description="The amount with tax, in the invoice's currency; or give `items`."
    )
    currency: Currency | None = Field(None, description=_SAME_CURRENCY, examples=["USD"])
    items: tuple[CreditItem, ...] = Field(
        (), max_length=ITEMS_MAX, description="The lines to credit, instead of `amount`."
    )
    shipping: Flag = Field(
        False, description="Whether to credit the rest of shipping, with its tax, too."
    )
    document_date: Day | None = Field(None, description=_CREDIT_NOTE_DATE)
    refund: CreditRefund | None = Field(
        None, description="A refund of a payment by the same decision: both are made, or neither."
    )
    reason: LongText | None = Field(None, description="The reason, in words.")

    @classmethod
    def cross_field_errors(cls, data: Mapping[str, Any]) -> Iterator[FieldError]:
        yield from credit_note_errors(data)


@command
class VoidCreditNote(Reasoned):
    """Void a credit note. It keeps its number, and what it credited is owed again."""

    credit_note_id: Identifier = Field(description="The credit note.", examples=["cn_1"])


@command
class AttachSource(CommandData):
    """Attach a payment source."""

    source_id: Identifier = Field(description="The source.", examples=["src_1"])
    type: Identifier = Field(
        description="The kind of source: any text that the payment services agree on. It does not"
        " change while the source is attached.",
        examples=["creditCard"],
    )
    details: Details | None = Field(
        None,
        description="Details to display. Card numbers are refused, and so are the names of"
        " secrets: `number`, `cvc`, `cvv`, `cvv2`, `pan`, `clientSecret`, `password`, `token`.",
        examples=[{"lastFourDigits": "1111", "brand": "Visa"}],
    )


@command
class DetachSource(CommandData):
    """Detach a payment source."""

    source_id: Identifier = Field(description="The source.")


@command
class ArchiveInvoice(CommandData):
    """Archive the invoice. This is a flag beside its state."""


@command
class RestoreInvoice(CommandData):
    """Restore the invoice from the archive."""


@command
class SendInvoice(CommandData):
    """Request that the invoice is sent by e-mail."""

    to: Email | None = Field(None, description="Recipient; by default the invoice's `email`.")
    message: LongText | None = Field(None, description="A message to send with it.")


@command
class RecordInvoiceSent(Report):
    """Record that the invoice was sent."""

    send_id: Identifier = Field(description="The id of the send request.")
    to: Email = Field(description="Recipient.", examples=["ada@example.com"])


@command
class RecordInvoiceSendFailure(Report):
    """Record that the invoice could not be sent."""

    send_id: Identifier = Field(description="The id of the send request.")
    code: Identifier = Field(description="The reason, for programs.", examples=["mailbox_unknown"])
    message: LongText | None = Field(None, description="The reason, for people.")


@command
class MarkInvoiceOverdue(CommandData):
    """Mark the invoice as overdue once its due date has passed. A scheduler sends it."""

    as_of: Day = Field(
        description="The current day in the invoice's time zone. A later one is not past due.",
        examples=["2026-12-21"],
    )


def read_data(
    command_type: str, data: object, *, hints: Hints = NO_HINTS
) -> CommandData | Rejection:
    """Read parsed JSON as the data of a command. Never raises.

    A rejection lists all errors at once: those of the schema, of the rules between fields, and of
    amounts with too many decimals, where the command names their currency. Such amounts are at the
    currency's scale in what is returned, and card numbers in a report are masked. `hints` are of
    the data's text, if the caller has it.
    """
    model = COMMANDS.get(command_type)
    if model is None:
        return Rejection(RejectionCode.UNKNOWN_COMMAND, "There is no command of this type.")
    fields = data if isinstance(data, dict) else None
    errors = list(model.cross_field_errors(fields)) if fields is not None else []
    try:
        read = model.model_validate(data, extra="forbid")
    except ValidationError as error:
        currency = fields.get("currency") if fields is not None else None
        if fields is not None and isinstance(currency, str) and currency in EXPONENTS:
            errors += excess_decimals(model, fields, currency)
        return rejection_from_validation_error(error, errors)
    if hints.amounts and read.own_currency is not None:
        scaled = scaled_or_errors(read, read.own_currency)
        if isinstance(scaled, tuple):
            return invalid([*errors, *scaled])
        read = scaled
    if errors:
        return invalid(errors)
    masked = masked_or_errors(
        read, masks=isinstance(read, Report), may_hold_card_number=hints.card_numbers
    )
    if isinstance(masked, tuple):
        return Rejection(
            RejectionCode.SENSITIVE_DATA,
            "The command's data holds card data or a secret; errors say where.",
            masked[:ERRORS_MAX],
        )
    return masked
