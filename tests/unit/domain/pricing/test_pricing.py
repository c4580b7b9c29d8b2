"""Totals of published invoices and of our own; tests/property/test_arithmetic.py has any other."""

import pytest

from tests.support.domain.priced import groups, lines, priced


def test_dinars_have_three_decimals() -> None:
    item = {"quantity": "3", "unit_price": "1.2345", "tax": {"rate": "0.05"}}
    document = priced("KWD", items=[item])
    assert (document["subtotal"], document["total_tax"]) == ("3.704", "0.185")
    assert document["total"] == "3.889"


def test_units_of_account_have_four_decimals() -> None:
    document = priced("CLF", items=[{"quantity": "3", "unit_price": "1.23455"}])
    assert document["total"] == "3.7037"


# The example invoices that come with the validation rules of EN 16931 (European e-invoicing):
# github.com/ConnectingEurope/eInvoicing-EN16931, ubl/examples/


def test_en_16931_example_1_two_rates_and_a_return() -> None:
    at_6 = (
        "19.90", "9.85", "8.29", "14.46", "35.00", "35.00", "10.65", "1.55", "14.37", "8.29",
        "16.58", "9.95", "3.30", "3.90", "102.12", "-109.98",
    )  # fmt: skip
    at_21 = ("10.80", "7.60", "9.34", "18.63")
    document = priced(items=lines("0.06", *at_6) + lines("0.21", *at_21))
    assert groups(document) == [("0.06", "183.23", "10.99"), ("0.21", "46.37", "9.74")]
    assert document["total"] == "250.33"


def test_en_16931_example_2_allowance_freight_three_rates_and_returns() -> None:
    promoted = {"amount": "1273.00", "discount": {"amount_off": "100.00"}, "tax": {"rate": "0.25"}}
    exempt = {
        "quantity": "-1", "unit_price": "25.00", "tax": {"rate": "0", "category": "exempt"},
    }  # fmt: skip
    document = priced(
        "NOK",
        items=[promoted, *lines("0.25", "187.50"), *lines("0.15", "-3.96", "4.96"), exempt],
        shipping={"amount": "100.00", "tax": {"rate": "0.25"}},
    )
    assert groups(document) == [
        ("0.25", "1460.50", "365.13"),
        ("0.15", "1.00", "0.15"),
        ("0", "-25.00", "0.00"),
    ]
    assert (document["total_excluding_tax"], document["total"]) == ("1436.50", "1801.78")


def test_en_16931_example_4_two_rates() -> None:
    paper = {"quantity": "1000", "unit_price": "1.00", "tax": {"rate": "0.25"}}
    pens = {"quantity": "100", "unit_price": "5.00", "tax": {"rate": "0.25"}}
    cookies = {"quantity": "500", "unit_price": "5.00", "tax": {"rate": "0.12"}}
    document = priced("DKK", items=[paper, pens, cookies])
    assert groups(document) == [("0.25", "1500.00", "375.00"), ("0.12", "2500.00", "300.00")]
    assert document["total"] == "4675.00"


def test_en_16931_example_9_three_months_of_a_licence() -> None:
    months = {"quantity": "3", "unit_price": "49.00", "tax": {"rate": "0.21"}}
    assert priced(items=[months])["total"] == "177.87"


def test_en_16931_discount_price_sample_a_unit_price_of_four_decimals() -> None:
    item = {"quantity": "100.000", "unit_price": "0.1212", "tax": {"rate": "0.25"}}
    document = priced(items=[item])
    assert (document["subtotal"], document["total_tax"]) == ("12.12", "3.03")
    assert document["total"] == "15.15"


# The examples of Peppol BIS Billing 3.0:
# github.com/OpenPEPPOL/peppol-bis-invoice-3, rules/examples/


def test_peppol_allowance_example_discounts_and_charges_on_lines_and_document() -> None:
    tax = {"rate": "0.25"}
    cleaning = {"type": "cleaning", "amount": "1", "tax": tax}
    first = {
        "quantity": "10", "unit_price": "410", "discount": {"amount_off": "301"},
        "fees": [cleaning], "tax": tax,
    }  # fmt: skip
    exempt = {"quantity": "10", "unit_price": "100", "tax": {"rate": "0", "category": "exempt"}}
    third = {
        "quantity": "10", "unit_price": "100", "discount": {"amount_off": "101"},
        "fees": [cleaning], "tax": tax,
    }  # fmt: skip
    document = priced(items=[first, exempt, third], shipping={"amount": "200", "tax": tax})
    assert groups(document) == [("0.25", "4900.00", "1225.00"), ("0", "1000.00", "0.00")]
    assert (document["total_excluding_tax"], document["total"]) == ("5900.00", "7125.00")


def test_peppol_negative_correction_taxes_below_zero() -> None:
    tax = {"rate": "0.25"}
    returned = {"quantity": "-7", "unit_price": "400", "tax": tax}
    added = {"quantity": "3", "unit_price": "500", "tax": tax}
    document = priced(items=[returned, added, *lines("0.25", "-25")])
    assert groups(document) == [("0.25", "-1325.00", "-331.25")]
    assert document["total"] == "-1656.25"


def test_peppol_document_allowance_of_10_percent() -> None:
    """developer.vertexinc.com, e-invoicing, "Peppol: Allowances and Charges"."""
    document = priced(items=lines("0.25", "3000"), discount={"percent_off": "10.00"})
    assert document["total_discount"] == "300.00"
    assert groups(document) == [("0.25", "2700.00", "675.00")]


@pytest.mark.parametrize(
    ("amounts", "off", "shares"),
    [
        (["10.00", "10.00", "10.00"], "10.00", ["3.34", "3.33", "3.33"]),
        (["60.00", "30.00", "10.00"], "0.05", ["0.03", "0.02", "0.00"]),
        (["100.00", "-50.00"], "10.00", ["10.00", "0.00"]),
        # A third of a cent is left of each share: a tie that no number of decimals can show.
        (["40.00", "10.00", "10.00"], "0.50", ["0.34", "0.08", "0.08"]),
    ],
)
def test_a_discount_is_shared_by_largest_remainder(
    amounts: list[str], off: str, shares: list[str]
) -> None:
    document = priced(items=lines("0.2", *amounts), discount={"amount_off": off})
    assert [item["discount_amount"] for item in document["items"]] == shares
    assert document["total_discount"] == off


@pytest.mark.parametrize(
    ("amounts", "off", "shares"),
    [
        (["10.00", "5.00"], "20.00", ["10.00", "5.00"]),
        (["100.00", "-99.99"], "10.00", ["0.01", "0.00"]),
        (["10.00", "-20.00"], "5.00", ["0.00", "0.00"]),
        (["0.00", "0.00"], "0.01", ["0.00", "0.00"]),
    ],
)
def test_the_documents_discount_takes_at_most_the_sum_of_the_nets(
    amounts: list[str], off: str, shares: list[str]
) -> None:
    document = priced(items=lines("0.2", *amounts), discount={"amount_off": off})
    assert [item["discount_amount"] for item in document["items"]] == shares


@pytest.mark.parametrize(
    ("amounts", "shares", "total"),
    [
        (["50.00", "-100.00"], ["0.00", "0.00"], "-50.00"),
        (["100.00", "-100.00"], ["0.00", "0.00"], "0.00"),
        (["100.00", "-50.00"], ["10.00", "-5.00"], "45.00"),
    ],
)
def test_the_documents_percentage_takes_nothing_where_the_nets_sum_to_0_or_less(
    amounts: list[str], shares: list[str], total: str
) -> None:
    document = priced(items=lines("0", *amounts), discount={"percent_off": "10"})
    assert [item["discount_amount"] for item in document["items"]] == shares
    assert document["total"] == total


@pytest.mark.parametrize(
    ("amount", "discount", "taken"),
    [
        ("100.00", {"amount_off": "100.01"}, "100.00"),
        ("100.00", {"percent_off": "10", "amount_off": "95.00"}, "100.00"),
        ("-100.00", {"amount_off": "5.00"}, "0.00"),
        ("-100.00", {"percent_off": "10", "amount_off": "5.00"}, "-10.00"),
        ("0.00", {"amount_off": "5.00"}, "0.00"),
    ],
)
def test_an_amount_off_a_line_takes_at_most_the_line_where_that_is_above_0(
    amount: str, discount: dict[str, str], taken: str
) -> None:
    document = priced(items=[{"amount": amount, "discount": discount}])
    assert document["items"][0]["discount_amount"] == taken


def test_a_line_that_is_free_by_percentage_has_nothing_left_for_an_amount_off() -> None:
    """Digital River's sample: 100 % and then 5.95 on the one line, and a total of 0."""
    item = {
        "unit_price": "5.95",
        "discount": {"percent_off": "100", "amount_off": "5.95"},
        "tax": {"rate": "0.2"},
    }
    document = priced("USD", items=[item])
    assert (document["total_discount"], document["total_tax"]) == ("5.95", "0.00")
    assert document["total"] == "0.00"


def test_fees_shipping_and_duties_are_not_discounted() -> None:
    item = {
        "amount": "10.00",
        "fees": [{"type": "recycling", "amount": "1.00"}],
        "duties": {"amount": "2.00"},
    }
    document = priced(items=[item], shipping={"amount": "4.00"}, discount={"amount_off": "99.00"})
    assert (document["total_discount"], document["total"]) == ("10.00", "7.00")


IMPORTED = {"amount": "10.00", "importer_tax": {"amount": "3.00"}}


@pytest.mark.parametrize(
    ("said", "total_importer_tax", "total"),
    [
        ({}, "3.00", "13.00"),
        ({"importer_of_record_tax": None}, "3.00", "13.00"),
        ({"importer_of_record_tax": True}, "3.00", "13.00"),
        ({"importer_of_record_tax": False}, "0.00", "10.00"),
    ],
)
def test_importer_tax_is_left_out_of_the_totals_where_the_command_says_so(
    said: dict[str, bool | None], total_importer_tax: str, total: str
) -> None:
    document = priced(items=[IMPORTED], **said)
    assert (document["total_importer_tax"], document["total"]) == (total_importer_tax, total)
    assert document["items"][0]["importer_tax"] == {"amount": "3.00"}
    assert document["items"][0]["total"] == total


def test_a_free_trial_bills_nothing_of_its_line() -> None:
    tax = {"rate": "0.2", "amount": "20.00"}
    trial = {
        "amount": "100.00",
        "tax": tax,
        "fees": [
            {"type": "setup", "amount": "5.00", "tax": tax},
            {"type": "seat", "per_unit_amount": "1.00"},
        ],
        "duties": {"amount": "2.00"},
        "importer_tax": {"amount": "3.00"},
        "subscription": {"free_trial": True},
    }
    document = priced(items=[trial, {"amount": "1.00"}])
    line = document["items"][0]
    assert (line["amount"], line["discount_amount"], line["total"]) == ("100.00", "100.00", "0.00")
    assert (line["fees_amount"], line["tax_amount"]) == ("0.00", "0.00")
    assert (line["duties_amount"], line["importer_tax_amount"]) == ("0.00", "0.00")
    assert document["total"] == "1.00"
