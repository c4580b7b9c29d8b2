"""The invoice as a document: the shapes that commands give, and the worked-out whole.

One set of shapes serves commands, events and stored state. A command may hold nothing else, and is
read with `extra="forbid"`; whoever reads an event passes over what he does not know. What was not
given is left out of what we publish.
"""

from enum import StrEnum
from typing import Final, Literal

from pydantic import Field

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
    Text,
)

ITEMS_MAX: Final = 1_000
PARTS_MAX: Final = 100
"""Fees of an item, tax identifiers of an invoice, sources attached to it."""


class State(StrEnum):
    """The stored state. What follows from dates and amounts, such as overdue, is derived."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    UNCOLLECTIBLE = "uncollectible"
    VOID = "void"
    CANCELLED = "cancelled"
    REVERSED = "reversed"
    DELETED = "deleted"


class TaxRounding(StrEnum):
    """Where tax is rounded: once for each category and rate, or for each line."""

    GROUP = "group"
    LINE = "line"


class Address(ContractModel):
    """A postal address."""

    line1: Text | None = Field(None, description="Street and number.")
    line2: Text | None = Field(None, description="What the first line had no room for.")
    city: Text | None = Field(None, description="City or town.")
    postal_code: Text | None = Field(None, description="Postal code.")
    state: Text | None = Field(None, description="State, province or region.")
    country: Country | None = Field(
        None, description="Country, ISO 3166-1 alpha-2.", examples=["AT"]
    )


class Party(ContractModel):
    """Whom the goods or the bill go to."""

    name: Text | None = Field(None, description="Name of the person.")
    phone: Text | None = Field(None, description="Telephone number.")
    email: Email | None = Field(None, description="E-mail address.")
    organization: Text | None = Field(None, description="Company or other organization.")
    title: Text | None = Field(None, description="Title of the person.")
    address: Address | None = Field(None, description="Postal address.")
    neighborhood: Text | None = Field(None, description="Neighborhood within the city.")
    division: Text | None = Field(None, description="Division of the organization.")
    phonetic_name: Text | None = Field(None, description="The name as it is spoken.")


class Discount(ContractModel):
    """Less to pay: first the percentage, then the amount."""

    percent_off: Percentage | None = Field(
        None, description="Percent of the amount, 0 to 100.", examples=["10"]
    )
    amount_off: GivenMoney | None = Field(
        None, description="An amount in the invoice's currency.", examples=["5.00"]
    )


class Tax(ContractModel):
    """A tax, by its rate or, from a tax engine, by its amount, which is then taken as it is."""

    rate: Rate | None = Field(None, description="A share of 1.", examples=["0.07125"])
    amount: GivenSignedMoney | None = Field(
        None, description="The tax itself, in the invoice's currency.", examples=["14.25"]
    )
    category: Identifier = Field("standard", description="What the tax is summed up by.")


class Charge(ContractModel):
    """An amount by itself."""

    amount: GivenMoney = Field(description="In the invoice's currency.", examples=["3.00"])


class Fee(ContractModel):
    """A fee on a line: an amount for the line, or one for each unit."""

    type: Identifier = Field(description="What kind of fee.", examples=["recycling"])
    amount: GivenMoney | None = Field(None, description="For the line.", examples=["1.50"])
    per_unit_amount: UnitPrice | None = Field(
        None, description="For one unit; times the quantity, then rounded.", examples=["0.50"]
    )
    tax: Tax | None = Field(None, description="The tax on the fee.")


class Shipping(ContractModel):
    """What delivery costs."""

    amount: GivenMoney = Field(description="In the invoice's currency.", examples=["4.90"])
    tax: Tax | None = Field(None, description="The tax on it.")


class Subscription(ContractModel):
    """The subscription that a line bills for."""

    subscription_id: Identifier | None = Field(None, description="The subscription.")
    plan_id: Identifier | None = Field(None, description="Its plan.")
    billing_agreement_id: Identifier | None = Field(None, description="The agreement to bill it.")
    free_trial: Flag | None = Field(None, description="Whether this is a free trial.")
    auto_renewal: Flag | None = Field(None, description="Whether it renews by itself.")
    terms: LongText | None = Field(None, description="Its terms, as text.")
    start_time: Instant | None = Field(None, description="Start of the period billed, RFC 3339.")
    end_time: Instant | None = Field(None, description="End of the period billed, RFC 3339.")


class TaxIdentifier(ContractModel):
    """A tax number of the customer's."""

    type: Identifier = Field(description="What kind of number.", examples=["eu_vat"])
    value: Identifier = Field(description="The number.", examples=["ATU12345678"])
    state: Literal["pending", "verified", "not_valid"] | None = Field(
        None, description="How far its check has come."
    )
    verified_name: Text | None = Field(None, description="The name that it is registered to.")
    verified_address: Text | None = Field(None, description="The address it is registered to.")


class Item(ContractModel):
    """A line of an invoice, as a command gives it: with `unit_price` or `amount`."""

    id: Identifier | None = Field(
        None, description="Unique in the invoice; by default its place, from 1.", examples=["1"]
    )
    sku_id: Identifier | None = Field(None, description="The article.", examples=["sku_pro"])
    description: LongText | None = Field(None, description="What the customer reads.")
    quantity: Quantity = Field("1", description="How many, up to 12 decimals.", examples=["2"])
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
    metadata: Metadata | None = Field(None, description="The sender's own texts.")


def item_id(item: Item, place: int) -> str:
    """A line's id: as given, or its place counted from 1. `place` counts from 0."""
    return item.id or str(place + 1)


class CreditItem(ContractModel):
    """What of a line is credited: a quantity, an amount, or by default all that is left of it."""

    id: Identifier = Field(description="The line's id.", examples=["1"])
    quantity: Quantity | None = Field(
        None, description="How many of the line; the last one takes the remaining cent."
    )
    amount: GivenMoney | None = Field(
        None, description="In the invoice's currency, with tax; instead of `quantity`."
    )


class InvoiceInput(ContractModel):
    """All that a command may say about an invoice at its creation and as long as it is a draft."""

    items: tuple[Item, ...] = Field(
        (), max_length=ITEMS_MAX, description="The lines; at least one to open the invoice."
    )
    email: Email | None = Field(None, description="Where the invoice is sent.")
    description: LongText | None = Field(None, description="For our own use.")
    memo: LongText | None = Field(None, description="For the customer to read.")
    locale: Locale | None = Field(None, description="Language, BCP 47.", examples=["en-US"])
    customer_type: Literal["individual", "business"] | None = Field(
        None, description="What the customer is."
    )
    charge_type: Literal["customer_initiated", "merchant_initiated", "moto"] | None = Field(
        None, description="Who starts the charge; moto is mail order or telephone."
    )
    ship_to: Party | None = Field(None, description="Whom the goods go to.")
    bill_to: Party | None = Field(None, description="Whom the bill goes to.")
    discount: Discount | None = Field(None, description="A discount on the whole.")
    shipping: Shipping | None = Field(None, description="What delivery costs.")
    tax_inclusive: Flag = Field(False, description="Whether prices hold their tax already.")
    tax_identifiers: tuple[TaxIdentifier, ...] = Field(
        (), max_length=PARTS_MAX, description="The customer's tax numbers."
    )
    document_date: Day | None = Field(
        None, description="The invoice's date; by default the UTC day of the command."
    )
    due_date: Day | None = Field(
        None,
        description="When it is due; by default `document_date` plus the payment terms. A day in"
        " the past, or before `document_date`, is accepted: the invoice is then overdue at once.",
    )
    payment_terms_days: Days | None = Field(
        None, description="Days to pay, instead of `due_date`; by default the seller's."
    )
    collection_period_days: Days = Field(
        30, description="Days after which what is still unpaid is given up as uncollectible."
    )
    billing_optimization: Flag = Field(
        True, description="Whether payment may be tried when it is likely to succeed."
    )
    exclude_from_autopay: Flag = Field(
        False, description="Whether it must not be charged by itself."
    )
    source_id: Identifier | None = Field(
        None, description="A payment source to attach from the start."
    )
    metadata: Metadata | None = Field(None, description="The sender's own texts.")
    upstream_id: Identifier | None = Field(None, description="The sender's id for the invoice.")
    application_id: Identifier | None = Field(None, description="The application it comes from.")
    order_id: Identifier | None = Field(None, description="The order it bills.")
    importer_of_record_tax: Flag = Field(
        False, description="Whether the seller collects tax as importer of record."
    )
    live_mode: Flag = Field(True, description="False for a trial without real money.")


class PricedFee(Fee):
    """A fee with its amount worked out."""

    amount: Money = Field(description="For the line, before tax.")
    tax_amount: Money = Field(description="The tax on it.")


class PricedItem(Item):
    """A line with its amounts worked out. With tax-inclusive prices, they hold their tax."""

    id: Identifier = Field(description="Unique in the invoice.")
    amount: Money = Field(description="Quantity times unit price, before discounts.")
    fees: tuple[PricedFee, ...] = Field((), description="Fees on the line.")
    discount_amount: Money = Field(description="Its own discount and its share of the invoice's.")
    net: Money = Field(description="`amount` less `discount_amount`.")
    tax_amount: Money = Field(description="Tax on the line, with the tax on its fees.")
    fees_amount: Money = Field(description="Its fees.")
    duties_amount: Money = Field(description="Its customs duties.")
    importer_tax_amount: Money = Field(description="Its importer tax.")
    total: Money = Field(description="What the line adds to the invoice's total.")


class PricedShipping(Shipping):
    """Shipping with its tax worked out."""

    amount: Money = Field(description="What delivery costs.")
    tax_amount: Money = Field(description="The tax on it.")


class TaxGroup(ContractModel):
    """The tax of one category and rate, on lines, fees and shipping together."""

    category: Text = Field(description="The tax category.")
    rate: Rate | None = Field(description="The rate; null where only amounts were given.")
    net: Money = Field(description="What the tax is on, without the tax.")
    tax: Money = Field(description="The tax.")


class SellerParty(ContractModel):
    """The seller as it was when the invoice was made."""

    id: Text = Field(description="The seller.")
    name: Text | None = Field(None, description="The name on the invoice.")
    address: Address | None = Field(None, description="The address on the invoice.")
    tax_ids: tuple[TaxIdentifier, ...] = Field((), description="The seller's tax numbers.")


class Document(InvoiceInput):
    """The whole invoice: every field that was given, and all that was worked out from them."""

    customer_id: Text = Field(description="The customer.")
    currency: Currency = Field(description="ISO 4217 code.")
    seller_id: Text | None = Field(
        None,
        description="The seller; not in documents of the first releases.",
        examples=["default"],
    )
    seller: SellerParty = Field(description="The seller, as settings were then.")
    tax_rounding: TaxRounding = Field(description="Where tax was rounded.")
    items: tuple[PricedItem, ...] = Field(description="The lines.")
    shipping: PricedShipping | None = Field(None, description="What delivery costs.")
    document_date: Day = Field(description="The invoice's date.")
    due_date: Day = Field(description="When it is due.")
    subtotal: Money = Field(description="Sum of the lines' `amount`.")
    subtotal_excluding_tax: Money = Field(
        description="`subtotal` without the tax that tax-inclusive prices hold."
    )
    total_discount: Money = Field(description="Sum of the lines' `discount_amount`.")
    total_tax: Money = Field(description="All tax: sum of the tax groups.")
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


class Summary(ContractModel):
    """What every event tells about the invoice as it is after it."""

    invoice_id: Text = Field(description="The invoice.", examples=["inv_1001"])
    invoice_number: Text | None = Field(
        description="Given at opening, per seller, without a gap; null until then.",
        examples=["INV-000001"],
    )
    seller_id: Text = Field(description="The seller.", examples=["default"])
    customer_id: Text = Field(description="The customer.", examples=["cus_42"])
    currency: Currency = Field(description="ISO 4217 code of all its amounts.")
    state: State = Field(description="The stored state.")
    total: Money = Field(description="What it is for.", examples=["214.25"])
    amount_paid: Money = Field(description="All settled payments.", examples=["214.25"])
    amount_refunded: Money = Field(description="All refunds of payments.", examples=["0.00"])
    amount_credited: Money = Field(description="All credit notes.", examples=["0.00"])
    amount_written_off: Money = Field(description="Given up as lost.", examples=["0.00"])
    amount_due: Money = Field(
        description="total - credited - (paid - refunded) - written off, where above 0. The state"
        " does not count: a draft and a void invoice have an amount too. For open receivables, add"
        " up the invoices in state open.",
        examples=["0.00"],
    )
    amount_overpaid: Money = Field(description="The same below 0, its sign turned.")
