"""Sellers and their settings, read from a TOML file at start-up and passed in as data."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
)

from invoicing.contracts.invoice import Address, SellerParty, TaxIdentifier, TaxRounding
from invoicing.contracts.types.texts import LATEST_DATE, Day, Days, Text
from invoicing.domain.calendar import DEFAULT_ZONE, day_in, is_time_zone


def _check_time_zone(name: str) -> str:
    if not is_time_zone(name):
        raise ValueError("must be the IANA name of a time zone, such as Europe/Vienna")
    return name


def _written_day(value: object) -> object:
    """A TOML date as the text that `Day` reads. TOML also has times, which are no days."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    return value


def _check_locked_day(day: date) -> date:
    if day == LATEST_DATE:
        raise ValueError(f"must be before {LATEST_DATE}: what is recorded needs a day after it")
    return day


TimeZone = Annotated[str, AfterValidator(_check_time_zone)]
TomlDay = Annotated[Day, BeforeValidator(_written_day), AfterValidator(_check_locked_day)]


class NumberFormat(BaseModel):
    """Prefix, year if the series restarts yearly, and padded digits.

    A series that restarts shows its year, since its numbers would repeat otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_/.-]{0,32}$")] = Field(
        description="Text before the digits."
    )
    padding: int = Field(6, ge=1, le=12, description="Minimum number of digits, padded with zeros.")
    yearly: bool = Field(False, description="Restart at 1 each year, and show the year.")


class Seller(BaseModel):
    """The settings of a seller. An invoice's events keep those that it was made with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    name: Text | None = Field(None, description="Name on the invoice.")
    address: Address | None = Field(None, description="Address on the invoice.")
    tax_ids: tuple[TaxIdentifier, ...] = Field(
        (), description="The seller's tax numbers on the invoice."
    )
    tax_rounding: TaxRounding = Field(
        TaxRounding.GROUP,
        description="Round tax per `line`, or per `group` of lines with the same rate.",
    )
    payment_terms_days: Days = Field(
        0, description="Days until the due date, unless the command gives one."
    )
    time_zone: TimeZone = Field(
        DEFAULT_ZONE,
        description="Time zone of the seller's days: IANA's name, such as `Europe/Vienna`.",
    )
    locked_until: TomlDay | None = Field(
        None,
        description="Last day of the closed books, such as `2026-06-30`: no document is issued or"
        " taken back with a date up to this day.",
    )
    invoice_numbers: NumberFormat = Field(
        NumberFormat(prefix="INV-"), description="Format of invoice numbers."
    )
    credit_note_numbers: NumberFormat = Field(
        NumberFormat(prefix="CN-"), description="Format of credit note numbers."
    )

    def day_of(self, instant: datetime) -> date:
        """The seller's day of an instant; today is the day of `Context.recorded_at`."""
        return day_in(self.time_zone, instant)

    def has_locked(self, day: date) -> bool:
        """Whether the day is in the closed books."""
        return self.locked_until is not None and day <= self.locked_until

    @cached_property
    def party(self) -> SellerParty:
        """The seller as an invoice shows it."""
        return SellerParty(
            **self.model_dump(include={"id", "name", "address", "tax_ids"}, exclude_unset=True)
        )


@dataclass(frozen=True, slots=True)
class Sellers:
    """All sellers. Without a list, every id is a seller with default settings."""

    listed: Mapping[str, Seller] | None = None

    def find(self, seller_id: str) -> Seller | None:
        """Return a seller's settings; None if there is a list that does not contain it."""
        if self.listed is None:
            return _unlisted(seller_id)
        return self.listed.get(seller_id)


@lru_cache(maxsize=4096)
def _unlisted(seller_id: str) -> Seller:
    return Seller(id=seller_id)


class SellersFile(BaseModel):
    """The file of sellers: a table `[sellers.ID]` for each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sellers: dict[str, Seller]

    @field_validator("sellers", mode="before")
    @classmethod
    def _add_ids(cls, tables: object) -> object:
        """The table's name is the seller's id, so no table has an `id` of its own."""
        if not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
            return tables
        if named := [key for key, table in tables.items() if "id" in table]:
            raise ValueError(f"must not have an `id` in {', '.join(named)}: its name is the id")
        return {key: {**table, "id": key} for key, table in tables.items()}


def read_sellers(toml: str) -> Sellers:
    """Sellers from the text of a file. Raises ValueError."""
    return Sellers(SellersFile.model_validate(tomllib.loads(toml), extra="forbid").sellers)
