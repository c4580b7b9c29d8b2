"""The invoice as a document: its parts as commands give them, and the whole with its amounts.

Commands, events and stored state share these models. A command is validated with
`extra="forbid"`; readers of events ignore unknown fields. Fields that were not given are left out
of what is published.
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from invoicing.contracts.model import ContractModel
from invoicing.contracts.types.money import (
    Currency,
    GivenMoney,
    GivenSignedMoney,
    Money,
    Percentage,
    Quantity,
    Rate,
    UnitPrice,
)
from invoicing.contracts.types.texts import (
    Country,
    Day,
    Days,
    Email,
    Flag,
    Identifier,
    Instant,
    Locale,
    LongText,
    Metadata,
    Phone,
    Text,
)

ITEMS_MAX: Final = 1_000
PARTS_MAX: Final = 100
"""Fees of an item, tax identifiers of an invoice, sources attached to it."""


class State(StrEnum):
    """The stored state. A status that depends on dates and amounts, such as overdue, is derived."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    UNCOLLECTIBLE = "uncollectible"
    VOID = "void"
    CANCELLED = "cancelled"
    REVERSED = "reversed"
    DELETED = "deleted"


class TaxRounding(StrEnum):
    """Where tax is rounded: once per category and rate, or on each line."""

    GROUP = "group"
    LINE = "line"


class Address(ContractModel):
    """A postal address."""

    line1: Text | None = Field(None, description="Street and number.")
    line2: Text | None = Field(None, description="Second line of the address.")
    city: Text | None = Field(None, description="City or town.")
    postal_code: Text | None = Field(None, description="Postal code.")
    state: Text | None = Field(None, description="State, province or region.")
    country: Country | None = Field(
        None, description="Country, ISO 3166-1 alpha-2.", examples=["AT"]
    )


class Party(ContractModel):
    """The recipient of the goods or of the bill."""

    name: Text | None = Field(None, description="Name of the person.")
    phone: Phone | None = Field(None, description="Telephone number.")
    email: Email | None = Field(None, description="E-mail address.")
    organization: Text | None = Field(None, description="Company or other organization.")
    title: Text | None = Field(None, description="Title of the person.")
    address: Address | None = Field(None, description="Postal address.")
    neighborhood: Text | None = Field(None, description="Neighborhood within the city.")
    division: Text | None = Field(None, description="Division of the organization.")
    phonetic_name: Text | None = Field(None, description="The name as it is pronounced.")


class Discount(ContractModel):
    """A discount: first the percentage is taken off, then the amount."""

    percent_off: Percentage | None = Field(
        None, description="Percent of the amount, 0 to 100.", examples=["10"]
    )
    amount_off: GivenMoney | None = Field(
        None,
        description="An amount in the invoice's currency. It takes at most what is there: of a"
        " line, what is left above 0; of the invoice, the sum of its lines' nets.",
        examples=["5.00"],
    )


class Tax(ContractModel):
    """A tax by rate, or by an amount that a tax engine computed, which is used as it is.

    The amount must have the net's sign; where prices include tax, it is at most the price. With
    both, it must be within the larger of 1 % of the net and 5 smallest units of net times rate. On
    a net of 0 it counts as 0.
    """

    rate: Rate | None = Field(None, description="A share of 1.", examples=["0.07125"])
    amount: GivenSignedMoney | None = Field(
        None, description="The amount of tax, in the invoice's currency.", examples=["14.25"]
    )
    category: Identifier = Field("standard", description="The category that tax is added up by.")


class Charge(ContractModel):
    """An amount."""

    amount: GivenMoney = Field(description="In the invoice's currency.", examples=["3.00"])


class Fee(ContractModel):
    """A fee on a line: an amount for the line, or one per unit."""

    type: Identifier = Field(description="The kind of fee.", examples=["recycling"])
    amount: GivenMoney | None = Field(
        None, description="The amount for the line.", examples=["1.50"]
    )
    per_unit_amount: UnitPrice | None = Field(
        None,
        description="The amount per unit; multiplied by the quantity, then rounded.",
        examples=["0.50"],
    )
    tax: Tax | None = Field(None, description="The tax on the fee.")


class Shipping(ContractModel):
    """The cost of delivery."""

    amount: GivenMoney = Field(description="In the invoice's currency.", examples=["4.90"])
    tax: Tax | None = Field(None, description="The tax on it.")


class Subscription(ContractModel):
    """The subscription that a line bills for."""

    subscription_id: Identifier | None = Field(None, description="The subscription.")
    plan_id: Identifier | None = Field(None, description="Its plan.")
    billing_agreement_id: Identifier | None = Field(None, description="The agreement to bill it.")
    free_trial: Flag | None = Field(
        None,
        description="Whether this is a free trial. The line is then discounted in full, and its"
        " fees, duties and importer tax are 0.",
    )
    auto_renewal: Flag | None = Field(None, description="Whether it renews automatically.")
    terms: LongText | None = Field(None, description="Its terms, as text.")
    start_time: Instant | None = Field(None, description="Start of the period billed, RFC 3339.")
    end_time: Instant | None = Field(None, description="End of the period billed, RFC 3339.")


class TaxIdentifier(ContractModel):
    """A tax number."""

    type: Identifier = Field(description="The kind of number.", examples=["eu_vat"])
    value: Identifier = Field(description="The number.", examples=["ATU12345678"])
    state: Literal["pending", "verified", "not_valid"] | None = Field(
        None, description="The state of its verification."
    )
    verified_name: Text | None = Field(None, description="The registered name.")
    verified_address: Text | None = Field(None, description="The registered address.")


class RecordedTaxIdentifier(TaxIdentifier):
    """A tax number of the customer, and when it was set, which the first releases did not keep."""

    created_at: datetime | None = Field(None, description="When the number was first given.")
    updated_at: datetime | None = Field(None, description="When anything of it last changed.")
    state_transitions: dict[str, datetime] = Field(
        default_factory=dict, description="When its verification last entered each state."
    )


class Item(ContractModel):
    """A line of an invoice, as a command gives it: with `unit_price` or `amount`."""

    id: Identifier | None = Field(
        None,
        description="Unique in the invoice; by default the line's number, from 1.",
        examples=["1"],
    )
    sku_id: Identifier | None = Field(None, description="The article.", examples=["sku_pro"])
    description: LongText | None = Field(None, description="The text that the customer reads.")
    quantity: Quantity = Field("1", description="The quantity, up to 12 decimals.", examples=["2"])
    unit_price: UnitPrice | None = Field(
        None, description="Price of one, in the currency, up to 12 decimals.", examples=["100.00"]
    )
    amount: GivenSignedMoney | None = Field(
        None, description="Price of the line, instead of `unit_price`.", examples=["200.00"]
    )
    discount: Discount | None = Field(None, description="The line's own discount.")
    tax: Tax | None = Field(None, description="The line's tax; none: untaxed.")
    fees: tuple[Fee, ...] = Field((), max_length=PARTS_MAX, description="Fees on the line.")
    duties: Charge | None = Field(None, description="Customs duties on the line.")
    importer_tax: Charge | None = Field(None, description="Tax that the importer owes.")
    subscription: Subscription | None = Field(None, description="The subscription billed for.")
    metadata: Metadata | None = Field(None, description="The sender's own key-value pairs.")


def item_id(item: Item, index: int) -> str:
    """A line's id: as given, or else its number, counted from 1. `index` counts from 0."""
    return item.id or str(index + 1)


class CreditItem(ContractModel):
    """A line to credit: by a quantity, by an amount, or by default the rest of the line."""

    id: Identifier = Field(description="The line's id.", examples=["1"])
    quantity: Quantity | None = Field(
        None, description="The quantity to credit; the last one includes the remaining cent."
    )
    amount: GivenMoney | None = Field(
        None, description="In the invoice's currency, with tax; instead of `quantity`."
    )


class InvoiceInput(ContractModel):
    """The fields that a command can set when an invoice is created and while it is a draft."""

    items: tuple[Item, ...] = Field(
        (), max_length=ITEMS_MAX, description="The lines; opening the invoice needs at least one."
    )
    email: Email | None = Field(None, description="The address that the invoice is sent to.")
    description: LongText | None = Field(None, description="For internal use.")
    memo: LongText | None = Field(None, description="A text for the customer.")
    locale: Locale | None = Field(None, description="Language, BCP 47.", examples=["en-US"])
    customer_type: Literal["individual", "business"] | None = Field(
        None, description="The type of customer."
    )
    charge_type: Literal["customer_initiated", "merchant_initiated", "moto"] | None = Field(
        None, description="Who initiates the charge; moto is mail order or telephone order."
    )
    ship_to: Party | None = Field(None, description="The recipient of the goods.")
    bill_to: Party | None = Field(None, description="The recipient of the bill.")
    discount: Discount | None = Field(None, description="A discount on the whole invoice.")
    shipping: Shipping | None = Field(None, description="The cost of delivery.")
    tax_inclusive: Flag = Field(False, description="Whether prices include tax.")
    tax_identifiers: tuple[TaxIdentifier, ...] = Field(
        (), max_length=PARTS_MAX, description="The customer's tax numbers."
    )
    document_date: Day | None = Field(
        None,
        description="The invoice's date; by default the day of its opening in the seller's time"
        " zone, by the `time` of the command that opens it, and never later than today.",
    )
    due_date: Day | None = Field(
        None,
        description="The due date; by default `document_date` plus the payment terms. A day in"
        " the past is accepted: the invoice is then overdue at once. It cannot be before a given"
        " `document_date`; before the date that the invoice has by default, it is due on that.",
    )
    payment_terms_days: Days | None = Field(
        None, description="Days to pay, instead of `due_date`; by default the seller's."
    )
    collection_period_days: Days = Field(
        30, description="Days after which an unpaid amount is written off as uncollectible."
    )
    billing_optimization: Flag = Field(
        True, description="Whether charges may be timed for the best chance of success."
    )
    exclude_from_autopay: Flag = Field(
        False, description="Whether to exclude it from automatic charges."
    )
    source_id: Identifier | None = Field(
        None, description="A payment source to attach when the invoice is created."
    )
    metadata: Metadata | None = Field(None, description="The sender's own key-value pairs.")
    upstream_id: Identifier | None = Field(None, description="The sender's id for the invoice.")
    application_id: Identifier | None = Field(None, description="The application that sent it.")
    order_id: Identifier | None = Field(None, description="The order that it bills.")
    importer_of_record_tax: Flag | None = Field(
        None,
        description="Whether the seller collects tax as the importer of record. If false, importer"
        " tax is shown on its lines and left out of the totals.",
    )
    live_mode: Flag = Field(True, description="False for a test invoice without real money.")


class PricedFee(Fee):
    """A fee with its computed amounts."""

    amount: Money = Field(description="The amount for the line, before tax.")
    tax_amount: Money = Field(description="The tax on it.")


class PricedItem(Item):
    """A line with its computed amounts. With tax-inclusive prices, they include tax."""

    id: Identifier = Field(description="Unique in the invoice.")
    amount: Money = Field(description="Quantity times unit price, before discounts.")
    fees: tuple[PricedFee, ...] = Field((), description="Fees on the line.")
    discount_amount: Money = Field(
        description="Its own discount and its share of the invoice's discount."
    )
    net: Money = Field(description="`amount` less `discount_amount`.")
    tax_amount: Money = Field(description="The tax on the line and on its fees.")
    fees_amount: Money = Field(description="Its fees.")
    duties_amount: Money = Field(description="Its customs duties that are billed.")
    importer_tax_amount: Money = Field(description="Its importer tax that is billed.")
    total: Money = Field(description="The line's part of the invoice's total.")


class PricedShipping(Shipping):
    """Shipping with its computed tax."""

    amount: Money = Field(description="The cost of delivery.")
    tax_amount: Money = Field(description="The tax on it.")


class TaxGroup(ContractModel):
    """The tax of one category and rate on lines, fees and shipping together."""

    category: Text = Field(description="The tax category.")
    rate: Rate | None = Field(description="The rate; null if only amounts were given.")
    net: Money = Field(description="The taxable amount, without the tax.")
    tax: Money = Field(description="The tax.")


class SellerParty(ContractModel):
    """The seller when the invoice was created."""

    id: Text = Field(description="The seller.")
    name: Text | None = Field(None, description="The name on the invoice.")
    address: Address | None = Field(None, description="The address on the invoice.")
    tax_ids: tuple[TaxIdentifier, ...] = Field((), description="The seller's tax numbers.")


class Document(InvoiceInput):
    """The whole invoice: every field that was given, and all that was computed from them."""

    customer_id: Text = Field(description="The customer.")
    currency: Currency = Field(description="ISO 4217 code.")
    seller_id: Text | None = Field(
        None,
        description="The seller; missing in documents of the first releases.",
        examples=["default"],
    )
    seller: SellerParty = Field(description="The seller as it was configured then.")
    tax_rounding: TaxRounding = Field(description="Where tax was rounded.")
    items: tuple[PricedItem, ...] = Field(description="The lines.")
    shipping: PricedShipping | None = Field(None, description="The cost of delivery.")
    tax_identifiers: tuple[RecordedTaxIdentifier, ...] = Field(
        (), description="The customer's tax numbers."
    )
    document_date: Day = Field(
        description="The invoice's date; with `dated_at_opening`, what it would be."
    )
    dated_at_opening: Flag | None = Field(
        None,
        description="True in a draft without a date of its own, which gets the day of its opening.",
    )
    due_date: Day = Field(description="When it is due.")
    given_due_date: Day | None = Field(
        None,
        description="The due date that was given to a draft with `dated_at_opening`, where it is"
        " before `document_date`, on which the invoice would be due.",
    )
    time_zone: Text | None = Field(
        None,
        description="The seller's time zone at the opening, as IANA names it. Days are of this"
        " zone; missing in drafts, and in documents of the first releases, whose days are UTC's.",
        examples=["Europe/Vienna"],
    )
    overdue_from: datetime | None = Field(
        None,
        description="When the day after `due_date` begins in `time_zone`: from then on, an unpaid"
        " invoice is overdue. Kept with `time_zone`.",
    )
    subtotal: Money = Field(description="Sum of the lines' `amount`.")
    subtotal_excluding_tax: Money = Field(
        description="`subtotal` without the tax in tax-inclusive prices."
    )
    total_discount: Money = Field(description="Sum of the lines' `discount_amount`.")
    total_tax: Money = Field(description="The sum of the tax groups.")
    total_fees: Money = Field(description="Sum of the lines' fees.")
    total_duties: Money = Field(description="Sum of the lines' duties.")
    total_importer_tax: Money = Field(description="Sum of the lines' importer tax.")
    total_shipping: Money = Field(description="Shipping.")
    total: Money = Field(
        description="subtotal - total_discount + total_tax + total_fees + total_duties"
        " + total_importer_tax + total_shipping; with tax-inclusive prices without total_tax."
    )
    total_excluding_tax: Money = Field(description="`total` less `total_tax`.")
    tax_groups: tuple[TaxGroup, ...] = Field(description="The tax by category and rate.")


class DocumentLabels(BaseModel):
    """The fields of a document that are labels of the invoice, for lists to filter by."""

    currency: str
    upstream_id: str | None = None
    application_id: str | None = None
    order_id: str | None = None


class IndexedItem(BaseModel):
    """The fields of a line that are labels of the invoice."""

    sku_id: str | None = None


class DocumentIndexFields(DocumentLabels):
    """The fields of a document that states, numbers and lists need; the others are not parsed.

    One that has the name of a column in `store/rows.py` is stored in that column.
    """

    document_date: date
    due_date: date
    overdue_from: datetime | None = None
    time_zone: str | None = None
    live_mode: bool = True
    source_id: str | None = None
    items: tuple[IndexedItem, ...]
    metadata: dict[str, str] | None = None


def _zero_of_its_currency(given: dict[str, Any]) -> Decimal:
    """The zero of an amount that the first releases did not have, with its currency's decimals."""
    total: Decimal = given.get("total", Decimal(0))
    return total - total


class Summary(ContractModel):
    """The invoice's summary after an event. Every event has it."""

    invoice_id: Text = Field(description="The invoice.", examples=["inv_1001"])
    invoice_number: Text | None = Field(
        description="Assigned at opening, gapless per seller; null until then.",
        examples=["INV-000001"],
    )
    seller_id: Text = Field(description="The seller.", examples=["default"])
    customer_id: Text = Field(description="The customer.", examples=["cus_42"])
    currency: Currency = Field(description="ISO 4217 code of all its amounts.")
    state: State = Field(description="The stored state.")
    total: Money = Field(description="The total of the invoice.", examples=["214.25"])
    amount_paid: Money = Field(description="The sum of settled payments.", examples=["214.25"])
    amount_refunded: Money = Field(
        description="The sum of refunds that settled.", examples=["0.00"]
    )
    amount_returned: Money = Field(
        default_factory=_zero_of_its_currency,
        description="The sum of payments that were returned, and of disputes that were lost.",
        examples=["0.00"],
    )
    amount_transferred: Money = Field(
        default_factory=_zero_of_its_currency,
        description="The sum of what was moved from it to an account.",
        examples=["0.00"],
    )
    amount_credited: Money = Field(
        description="The sum of credit notes that stand.", examples=["0.00"]
    )
    amount_written_off: Money = Field(
        description="What is owed and was given up: total - credited - received, in state"
        " uncollectible.",
        examples=["0.00"],
    )
    amount_due: Money = Field(
        description="What the customer is to pay: total - credited - received, in state open."
        " Received is paid - refunded - returned - transferred.",
        examples=["0.00"],
    )
    amount_overpaid: Money = Field(
        description="What was received beyond total - credited; of an invoice that is not open,"
        " paid or uncollectible, all that was received."
    )
    live_mode: bool = Field(True, description="False for a test invoice without real money.")
    disputed: bool = Field(False, description="Whether a payment is disputed at present.")
    times_paid: int = Field(
        0, description="How often it has become paid. Above 1, it was open again in between."
    )
