"""What can be asked of an invoice: the `data` of every command, and how it is read."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from contracts.details import KINDS_OF_DETAIL, Details
from contracts.invoice import ITEMS_MAX, Item, Particulars, Shape
from contracts.money import Currency, GivenMoney, GivenPositiveMoney, Quantity
from contracts.replies import ERRORS_MAX, FIELD_CHARACTERS_MAX, FieldError, Refusal, RefusalCode
from contracts.scale import excess_decimals
from contracts.texts import Day, Email, Flag, Identifier, Instant, LongText, Text


class CommandData(Shape):
    """The `data` of a command; the class is named as the command's type."""

    def faults(self) -> Iterator[FieldError]:
        """What is wrong between fields that are each right by themselves."""
        yield from ()


class Reasoned(CommandData):
    """A command that needs no more than to be given; it may say why."""

    reason: LongText | None = Field(None, description="Why, in words.")


class CreateInvoice(Particulars, CommandData):
    """Make an invoice, and open it unless it is to stay a draft."""

    customer_id: Identifier = Field(description="The customer.", examples=["cus_42"])
    currency: Currency = Field(description="ISO 4217 code of all amounts.", examples=["USD"])
    state: Literal["open", "draft"] = Field("open", description="What it is to be at once.")
    seller_id: Identifier = Field("default", description="The seller, who numbers it.")

    def faults(self) -> Iterator[FieldError]:
        yield from _particulars_faults(self)
        yield from excess_decimals(self, self.currency)


class UpdateInvoice(Particulars, CommandData):
    """Set the fields that are given and leave the others; once open, only texts."""

    customer_id: Identifier = Field("", description="The customer.")

    def faults(self) -> Iterator[FieldError]:
        yield from _particulars_faults(self)


class DeleteInvoice(CommandData):
    """Remove a draft that never had a number."""


class OpenInvoice(CommandData):
    """Give a draft its number and make it payable."""


class UnpostInvoice(Reasoned):
    """Make a draft again of an open invoice that nothing was applied to; it keeps its number."""


class VoidInvoice(Reasoned):
    """Declare an issued invoice void; it keeps its number."""


class CancelInvoice(Reasoned):
    """Give up a draft."""


class ReverseInvoice(Reasoned):
    """Undo an open invoice by a credit note for the whole of it."""


class WriteOffInvoice(Reasoned):
    """Give up what is still due. The clock sends it when the collection period has passed."""


class PayInvoice(CommandData):
    """Ask for a charge of an attached source."""

    source_id: Identifier | None = Field(
        None, description="What to charge; by default the source attached last."
    )
    amount: GivenPositiveMoney | None = Field(
        None, description="In the invoice's currency; by default what is due.", examples=["50.00"]
    )


class RecordPayment(CommandData):
    """Say that money has arrived, or with `settled` false that it is on its way."""

    payment_id: Identifier = Field(description="Unique in the invoice.", examples=["pay_1"])
    amount: GivenPositiveMoney = Field(description="In `currency`.", examples=["214.25"])
    currency: Currency = Field(description="ISO 4217 code; must be the invoice's.")
    received_at: Instant | None = Field(None, description="When it arrived, RFC 3339.")
    method: Text | None = Field(None, description="How it was paid.", examples=["wire_transfer"])
    source_id: Identifier | None = Field(None, description="The source it came from.")
    settled: Flag = Field(True, description="Whether it is final; else it is in flight.")

    def faults(self) -> Iterator[FieldError]:
        yield from excess_decimals(self, self.currency)


class SettlePayment(CommandData):
    """Say that a payment in flight is final."""

    payment_id: Identifier = Field(description="The payment in flight.")


class RecordPaymentFailure(CommandData):
    """Say that a payment in flight has failed."""

    payment_id: Identifier = Field(description="The payment in flight.")
    code: Identifier = Field(description="Why, for programs.", examples=["card_declined"])
    message: LongText | None = Field(None, description="Why, for people.")
    next_attempt_at: Instant | None = Field(
        None, description="When it will be tried again, RFC 3339; none: not by itself."
    )


class RefundPayment(CommandData):
    """Say that money of a settled payment was given back."""

    payment_id: Identifier = Field(description="The payment.")
    refund_id: Identifier = Field(description="Unique in the invoice.", examples=["ref_1"])
    amount: GivenPositiveMoney = Field(
        description="In the invoice's currency; at most what is left of the payment."
    )
    reason: LongText | None = Field(None, description="Why, in words.")


class CreditItem(Shape):
    """What of a line is credited: a quantity, an amount, or by default all that is left of it."""

    id: Identifier = Field(description="The line's id.", examples=["1"])
    quantity: Quantity | None = Field(
        None, description="How many of the line; the last one takes the remaining cent."
    )
    amount: GivenMoney | None = Field(
        None, description="In the invoice's currency, with tax; instead of `quantity`."
    )


class IssueCreditNote(CommandData):
    """Credit an amount, or lines, of an issued invoice."""

    credit_note_id: Identifier = Field(description="Unique in the invoice.", examples=["cn_1"])
    amount: GivenPositiveMoney | None = Field(
        None, description="With tax, in the invoice's currency; or `items`."
    )
    items: tuple[CreditItem, ...] = Field(
        (), max_length=ITEMS_MAX, description="The lines to credit, instead of `amount`."
    )
    shipping: Flag = Field(
        False, description="Whether to credit what is left of shipping, with its tax, too."
    )
    reason: LongText | None = Field(None, description="Why, in words.")

    def faults(self) -> Iterator[FieldError]:
        yield from _credit_faults(self)


class AttachSource(CommandData):
    """Attach a means of payment."""

    source_id: Identifier = Field(description="The source.", examples=["src_1"])
    type: Identifier = Field(description="What kind it is.", examples=["creditCard"])
    details: Details | None = Field(
        None,
        description="What is to be shown of it; never a full card number.",
        examples=[{"lastFourDigits": "1111", "brand": "Visa"}],
    )


class DetachSource(CommandData):
    """Detach a means of payment."""

    source_id: Identifier = Field(description="The source.")


class ArchiveInvoice(CommandData):
    """Put the invoice out of sight. A flag beside the state."""


class RestoreInvoice(CommandData):
    """Take the invoice out of the archive."""


class SendInvoice(CommandData):
    """Ask for the invoice to be sent by e-mail."""

    to: Email | None = Field(None, description="Recipient; by default the invoice's `email`.")
    message: LongText | None = Field(None, description="What to write with it.")


class RecordInvoiceSent(CommandData):
    """Say that it was sent."""

    send_id: Identifier = Field(description="The sending.")
    to: Email = Field(description="Recipient.", examples=["ada@example.com"])


class RecordInvoiceSendFailure(CommandData):
    """Say that it could not be sent."""

    send_id: Identifier = Field(description="The sending.")
    code: Identifier = Field(description="Why, for programs.", examples=["mailbox_unknown"])
    message: LongText | None = Field(None, description="Why, for people.")


class MarkInvoiceOverdue(CommandData):
    """Say that its due date has passed. The clock sends it."""

    as_of: Day = Field(description="The day that the clock shows.", examples=["2026-12-21"])


COMMANDS: Final[Mapping[str, type[CommandData]]] = MappingProxyType(
    {
        command.__name__: command
        for command in (
            CreateInvoice,
            UpdateInvoice,
            DeleteInvoice,
            OpenInvoice,
            UnpostInvoice,
            VoidInvoice,
            CancelInvoice,
            ReverseInvoice,
            WriteOffInvoice,
            PayInvoice,
            RecordPayment,
            SettlePayment,
            RecordPaymentFailure,
            RefundPayment,
            IssueCreditNote,
            AttachSource,
            DetachSource,
            ArchiveInvoice,
            RestoreInvoice,
            SendInvoice,
            RecordInvoiceSent,
            RecordInvoiceSendFailure,
            MarkInvoiceOverdue,
        )
    }
)


def read_data(command_type: str, data: object) -> CommandData | Refusal:
    """Read parsed JSON as the data of a command. Never raises, whatever it is given."""
    command = COMMANDS.get(command_type)
    if command is None:
        return Refusal(RefusalCode.UNKNOWN_COMMAND, "There is no command of this type.")
    try:
        read = command.model_validate(data, extra="forbid")
    except ValidationError as error:
        return _refusal(error)
    faults = tuple(read.faults())
    return invalid(faults) if faults else read


def invalid(errors: Sequence[FieldError]) -> Refusal:
    """The refusal of data that is not as its schema says."""
    return Refusal(
        RefusalCode.INVALID_COMMAND,
        "The command's data is not valid; errors say where.",
        tuple(errors[:ERRORS_MAX]),
    )


# pydantic's names for what is too much of a good thing; of numbers, only money has a `lt`.
_LIMITS = {"string_too_long", "too_long", "less_than"}

_REASONS = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this command",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "string_type": "must be a string",
    "string_unicode": "must be text without lone surrogates",
    "string_pattern_mismatch": "must be written as the schema says",
    "too_long": "must have at most {max_length} entries",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "tuple_type": "must be an array",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "literal_error": "must be {expected}",
    "date_from_datetime_parsing": "must be a day of the calendar, as YYYY-MM-DD",
    "date_parsing": "must be a day of the calendar, as YYYY-MM-DD",
}


def _refusal(error: ValidationError) -> Refusal:
    details = error.errors(include_url=False, include_input=False)
    faults = [FieldError(field=_path(detail["loc"]), reason=_reason(detail)) for detail in details]
    if all(_is_over_limit(detail) for detail in details):
        return Refusal(
            RefusalCode.LIMIT_EXCEEDED,
            "The command's data is over a limit; errors say which.",
            tuple(faults[:ERRORS_MAX]),
        )
    return invalid(faults)


def _is_over_limit(detail: ErrorDetails) -> bool:
    # Below 0, the limit of money is a `gt`; that of what must be above 0 is none.
    return detail["type"] in _LIMITS or detail.get("ctx", {}).get("gt", 0) != 0


def _path(location: Iterable[int | str]) -> str:
    parts = (str(part) for part in location if part not in KINDS_OF_DETAIL)
    path = ".".join(parts)[:FIELD_CHARACTERS_MAX]
    return "".join(c if c.isprintable() else "?" for c in path)


def _reason(detail: ErrorDetails) -> str:
    template = _REASONS.get(detail["type"], "must be written as the schema says")
    context = detail.get("ctx", {})
    return template.format_map({name: _plain(value) for name, value in context.items()})


def _plain(value: object) -> str:
    text = str(value)
    return text if len(text) <= 120 else "one of the values that the schema lists"


def _particulars_faults(data: Particulars) -> Iterator[FieldError]:
    if data.due_date is not None and data.payment_terms_days is not None:
        yield FieldError(field="payment_terms_days", reason="cannot be given with due_date")
    for place, item in enumerate(data.items):
        yield from _item_faults(item, place)
    ids = [item_id(item, place) for place, item in enumerate(data.items)]
    if len(set(ids)) < len(ids):
        yield from _repeated_ids(ids)


def item_id(item: Item, place: int) -> str:
    """An item's id: as given, or its place counted from 1."""
    return item.id or str(place + 1)


def _item_faults(item: Item, place: int) -> Iterator[FieldError]:
    if (item.unit_price is None) == (item.amount is None):
        yield FieldError(field=f"items.{place}.unit_price", reason="give either this or amount")
    for fee_place, fee in enumerate(item.fees):
        if (fee.amount is None) == (fee.per_unit_amount is None):
            yield FieldError(
                field=f"items.{place}.fees.{fee_place}.amount",
                reason="give either this or per_unit_amount",
            )


def _repeated_ids(ids: Sequence[str]) -> Iterator[FieldError]:
    times = Counter(ids)
    for place, id_ in enumerate(ids):
        if times[id_] > 1:
            yield FieldError(
                field=f"items.{place}.id", reason="must not be the same as another line's"
            )


def _credit_faults(data: IssueCreditNote) -> Iterator[FieldError]:
    by_line = bool(data.items) or data.shipping
    if by_line == (data.amount is not None):
        yield FieldError(field="amount", reason="give either this or items")
    seen: set[str] = set()
    for place, item in enumerate(data.items):
        if item.quantity is not None and item.amount is not None:
            yield FieldError(field=f"items.{place}.amount", reason="cannot be with quantity")
        if item.id in seen:
            yield FieldError(field=f"items.{place}.id", reason="must be named once")
        seen.add(item.id)
