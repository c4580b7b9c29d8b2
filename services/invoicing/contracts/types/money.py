"""Money and numbers on the wire: decimal strings, never JSON numbers, in the currency's scale."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, Final

import iso4217
from pydantic import Field, GetJsonSchemaHandler, GetPydanticSchema, StringConstraints
from pydantic_core import CoreSchema, core_schema

from invoicing.contracts.types.texts import EXPLAINED

EXPONENTS: Final[Mapping[str, int]] = MappingProxyType(
    {c.code: c.exponent for c in iso4217.Currency if c.exponent is not None}
)
"""The decimals of each currency (ISO 4217). Metals and test codes have none and are rejected."""

UNITS: Final[Mapping[str, Decimal]] = MappingProxyType(
    {code: Decimal(1).scaleb(-exponent) for code, exponent in EXPONENTS.items()}
)
"""The smallest amount of each currency: 0.01 of USD, 1 of JPY."""

MONEY_LIMIT: Final = Decimal(10**15)
"""Every amount is between its negative and it, exclusively."""

MONEY_PATTERN: Final = r"^[0-9]+(\.[0-9]{1,4})?$"
SIGNED_MONEY_PATTERN: Final = r"^-?[0-9]+(\.[0-9]{1,4})?$"
QUANTITY_PATTERN: Final = r"^-?[0-9]{1,15}(\.[0-9]{1,12})?$"
RATE_PATTERN: Final = r"^[0-9](\.[0-9]{1,12})?$"
PERCENTAGE_PATTERN: Final = r"^(100(\.0{1,12})?|[0-9]{1,2}(\.[0-9]{1,12})?)$"

_DIGITS_MAX = 40


@dataclass(frozen=True, slots=True)
class GivenDigits:
    """Reads an amount that a command gives as a string of plain digits, and nothing else.

    A currency has at most 4 decimals. Whether an amount has too many for its own currency is
    checked in `validation.scale`, once the currency is known.
    """

    signed: bool = False
    zero: bool = True

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> CoreSchema:
        limits: dict[str, Any] = {"lt": MONEY_LIMIT, "gt": -MONEY_LIMIT}
        if not self.signed:
            limits = {"lt": MONEY_LIMIT} if self.zero else {"lt": MONEY_LIMIT, "gt": Decimal(0)}
        digits = core_schema.str_schema(
            strict=True, pattern=self._pattern, max_length=_DIGITS_MAX, min_length=1
        )
        return core_schema.chain_schema([digits, core_schema.decimal_schema(**limits)])

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": self._pattern, "maxLength": _DIGITS_MAX}

    @property
    def _pattern(self) -> str:
        return SIGNED_MONEY_PATTERN if self.signed else MONEY_PATTERN


GivenMoney = Annotated[Decimal, GivenDigits()]
"""An amount from 0 up, with no more decimals than its currency has."""

GivenSignedMoney = Annotated[Decimal, GivenDigits(signed=True)]
"""An amount that may be below 0."""

GivenPositiveMoney = Annotated[Decimal, GivenDigits(zero=False)]
"""An amount above 0."""

Money = Annotated[
    Decimal,
    Field(allow_inf_nan=False, json_schema_extra={"pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,4})?$"}),
]
"""An amount as it is published: always with all the decimals of its currency."""

Quantity = Annotated[str, StringConstraints(pattern=QUANTITY_PATTERN)]
"""A number with up to 12 decimals, kept as the digits that were given."""

UnitPrice = Annotated[str, StringConstraints(pattern=QUANTITY_PATTERN)]
"""The price of one, in the currency, with up to 12 decimals: finer than an amount."""

Rate = Annotated[str, StringConstraints(pattern=RATE_PATTERN)]
"""A share of 1: 0.2 is 20 %. Kept as the digits that were given."""

Percentage = Annotated[str, StringConstraints(pattern=PERCENTAGE_PATTERN)]
"""From 0 to 100. Kept as the digits that were given."""

Currency = Annotated[
    str,
    GetPydanticSchema(
        lambda _type, _next: core_schema.custom_error_schema(
            core_schema.literal_schema(sorted(EXPONENTS)),
            custom_error_type=EXPLAINED,
            custom_error_message="must be an ISO 4217 code in capital letters, such as USD",
        )
    ),
]
"""An ISO 4217 code that money can be given in."""
