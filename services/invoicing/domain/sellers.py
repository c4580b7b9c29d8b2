"""Who sends invoices, and by which settings: read once from a TOML file, and handed in as data."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from invoicing.contracts.invoice import Address, SellerParty, TaxIdentifier, TaxRounding
from invoicing.contracts.types.texts import Days, Text


class NumberFormat(BaseModel):
    """How a number is written: prefix, year where it restarts yearly, then padded digits.

    A series that restarts must show its year, or its numbers would repeat.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_/.-]{0,32}$")] = Field(
        description="What stands before the digits."
    )
    padding: int = Field(6, ge=1, le=12, description="Digits at least, filled with zeros.")
    yearly: bool = Field(False, description="Whether to begin at 1 each year, and show the year.")


class Seller(BaseModel):
    """One seller's settings. What matters to an invoice is frozen into its events."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    name: Text | None = Field(None, description="The name on the invoice.")
    address: Address | None = Field(None, description="The address on the invoice.")
    tax_ids: tuple[TaxIdentifier, ...] = Field((), description="The seller's tax numbers.")
    tax_rounding: TaxRounding = Field(TaxRounding.GROUP, description="Where tax is rounded.")
    payment_terms_days: Days = Field(0, description="Days to pay where the command says nothing.")
    invoice_numbers: NumberFormat = NumberFormat(prefix="INV-")
    credit_note_numbers: NumberFormat = NumberFormat(prefix="CN-")

    @cached_property
    def party(self) -> SellerParty:
        """What an invoice shows of the seller."""
        return SellerParty(
            **self.model_dump(include={"id", "name", "address", "tax_ids"}, exclude_unset=True)
        )


@dataclass(frozen=True, slots=True)
class Sellers:
    """All sellers. Without a list, everyone is a seller with the default settings."""

    listed: Mapping[str, Seller] | None = None

    def find(self, seller_id: str) -> Seller | None:
        """A seller's settings; None where there is a list without this one."""
        if self.listed is None:
            return _unlisted(seller_id)
        return self.listed.get(seller_id)


@lru_cache(maxsize=4096)
def _unlisted(seller_id: str) -> Seller:
    return Seller(id=seller_id)


_LIST = TypeAdapter(dict[str, dict[str, object]])


def read_sellers(toml: str) -> Sellers:
    """Sellers from the text of a file with a table `[sellers.ID]` for each.

    Raises ValueError, with what is wrong, for text that is not such a file.
    """
    tables = tomllib.loads(toml)
    if set(tables) != {"sellers"}:
        raise ValueError("A sellers file has a table [sellers.ID] for each seller, and no other.")
    listed = _LIST.validate_python(tables["sellers"])
    return Sellers({id_: Seller.model_validate({**own, "id": id_}) for id_, own in listed.items()})
