"""Invoices as producers might send them: any currency, many decimals, discounts, fees, taxes."""

from typing import Any

from hypothesis import strategies as st

from invoicing.contracts.types.money import EXPONENTS

CURRENCIES = ("USD", "EUR", "JPY", "KWD", "CLF", "CHF")
RATES = ("0", "0.05", "0.07125", "0.1", "0.19", "0.2", "0.255", "1.5")
CATEGORIES = ("standard", "reduced", "exempt")


def digits(minimum: int, maximum: int, decimals: int) -> st.SearchStrategy[str]:
    """Decimal strings between two whole numbers, with at most so many decimals."""
    scale = 10**decimals
    return st.integers(minimum * scale, maximum * scale).map(lambda n: written(n, decimals))


def written(units: int, decimals: int) -> str:
    """A number of smallest units as a decimal string: 12345 with 2 decimals is 123.45."""
    sign, text = "-" if units < 0 else "", str(abs(units)).rjust(decimals + 1, "0")
    return sign + (f"{text[:-decimals]}.{text[-decimals:]}" if decimals else text)


def money(currency: str, maximum: int = 1_000, minimum: int = 0) -> st.SearchStrategy[str]:
    return digits(minimum, maximum, EXPONENTS[currency])


def taxes(currency: str) -> st.SearchStrategy[dict[str, Any]]:
    """Taxes by a rate, or by an amount, plausible on a net that is not below 0."""
    by_rate = st.fixed_dictionaries(
        {"rate": st.sampled_from(RATES)}, optional={"category": st.sampled_from(CATEGORIES)}
    )
    by_amount = st.fixed_dictionaries({"amount": money(currency, 20)})
    return st.one_of(by_rate, by_rate, by_amount)


def discounts(currency: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {}, optional={"percent_off": digits(0, 100, 3), "amount_off": money(currency, 30)}
    )


def fees(currency: str) -> st.SearchStrategy[dict[str, Any]]:
    amount = st.fixed_dictionaries({"type": st.just("fee"), "amount": money(currency, 10)})
    per_unit = st.fixed_dictionaries({"type": st.just("fee"), "per_unit_amount": digits(0, 5, 4)})
    return st.tuples(st.one_of(amount, per_unit), st.none() | taxes(currency)).map(
        lambda pair: pair[0] if pair[1] is None else pair[0] | {"tax": pair[1]}
    )


@st.composite
def items(draw: st.DrawFn, currency: str, minimum: int = -200) -> dict[str, Any]:
    """A line, priced by the one or for all; its amount may be below 0 where `minimum` is."""
    if draw(st.booleans()):
        item = {"amount": draw(money(currency, 1_000, minimum))}
    else:
        item = {
            "quantity": draw(digits(-2 if minimum < 0 else 0, 20, 3)),
            "unit_price": draw(digits(0, 100, 6)),
        }
    optional = {
        "tax": taxes(currency),
        "discount": discounts(currency),
        "fees": st.lists(fees(currency), max_size=2),
        "duties": st.fixed_dictionaries({"amount": money(currency, 10)}),
        "importer_tax": st.fixed_dictionaries({"amount": money(currency, 10)}),
        "subscription": st.fixed_dictionaries({"free_trial": st.sampled_from((None, False, True))}),
    }
    item |= draw(st.fixed_dictionaries({}, optional=optional))
    if item.get("amount", item.get("quantity", "")).startswith("-"):
        for taxed in (item, *item.get("fees", ())):
            # A given tax has its net's sign, which of a line below 0 is not known for fees.
            if "amount" in taxed.get("tax", {}):
                taxed["tax"] = {"rate": "0.2"}
    return item


@st.composite
def documents(draw: st.DrawFn, **fixed: Any) -> dict[str, Any]:
    """The data of a CreateInvoice for a draft; a total below 0 is possible."""
    currency = fixed.get("currency") or draw(st.sampled_from(CURRENCIES))
    shipping = st.fixed_dictionaries(
        {"amount": money(currency, 50)}, optional={"tax": taxes(currency)}
    )
    optional = {
        "discount": discounts(currency),
        "shipping": shipping,
        "tax_inclusive": st.booleans(),
        "importer_of_record_tax": st.none() | st.booleans(),
    }
    return {
        "customer_id": "cus_1",
        "currency": currency,
        "state": "draft",
        "items": draw(st.lists(items(currency), min_size=1, max_size=6)),
        **draw(st.fixed_dictionaries({}, optional=optional)),
        **fixed,
    }
