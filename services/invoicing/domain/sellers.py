"""Sellers and their settings, read from a TOML file at start-up and passed in as data."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from invoicing.contracts.invoice import Address, SellerParty, TaxIdentifier, TaxRounding
from invoicing.contracts.types.texts import Days, Text


class NumberFormat(BaseModel):
    """Prefix, year if the series restarts yearly, and padded digits.

    A series that restarts shows its year, since its numbers would repeat otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_/.-]{0,32}$")] = Field(
        description="Text before the digits."
    )
    padding: int = Field(6, ge=1, le=12, description="Minimum number of digits, padded with zeros.")
    yearly: bool = Field(False, description="Whether to restart at 1 each year and show the year.")


class Seller(BaseModel):
    """The settings of a seller. An invoice's events keep those that it was made with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    name: Text | None = Field(None, description="The name on the invoice.")
    address: Address | None = Field(None, description="The address on the invoice.")
    tax_ids: tuple[TaxIdentifier, ...] = Field((), description="The seller's tax numbers.")
    tax_rounding: TaxRounding = Field(TaxRounding.GROUP, description="Where tax is rounded.")
    payment_terms_days: Days = Field(0, description="Payment terms if the command has none.")
    invoice_numbers: NumberFormat = NumberFormat(prefix="INV-")
    credit_note_numbers: NumberFormat = NumberFormat(prefix="CN-")

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


_LIST = TypeAdapter(dict[str, dict[str, object]])


def read_sellers(toml: str) -> Sellers:
    """Parse a file with a table `[sellers.ID]` for each seller.

    ValueError, with the reason, if the text is not such a file.
    """
    tables = tomllib.loads(toml)
    if set(tables) != {"sellers"}:
        raise ValueError("A sellers file has a table [sellers.ID] for each seller, and no other.")
    listed = _LIST.validate_python(tables["sellers"])
    return Sellers({id_: Seller.model_validate({**own, "id": id_}) for id_, own in listed.items()})
