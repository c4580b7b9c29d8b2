"""Files that settings name: the examples are right, and an error names the field."""

from datetime import date
from pathlib import Path

import pytest

from invoicing.api.auth.clients import ClientsFile
from invoicing.domain.numbering import DocumentKind, format_number, series_for
from invoicing.domain.sellers import Sellers, SellersFile
from invoicing.runtime.settings import WrongSettingError
from invoicing.runtime.toml_files import read_toml_file

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
HASH = "$argon2id$v=19$m=65536,t=3,p=4$HNR+j0BUsUZmmnvOrrPP6Q$Canary7Tail"


def test_the_example_of_sellers_is_one() -> None:
    listed = read_toml_file("SELLERS_FILE", EXAMPLES / "sellers.toml", SellersFile).sellers

    assert set(listed) == {"default", "acme"}
    assert listed["acme"].id == "acme"
    assert listed["acme"].party.address is not None


def test_the_comments_of_the_example_show_the_numbers_that_it_makes() -> None:
    path = EXAMPLES / "sellers.toml"
    sellers = Sellers(read_toml_file("SELLERS_FILE", path, SellersFile).sellers)
    acme = sellers.find("acme")
    assert acme is not None

    kinds: tuple[DocumentKind, ...] = ("invoice", "credit_note")
    for kind in kinds:
        series = series_for(acme, kind, date(2026, 7, 1), live_mode=True)
        assert f"# {format_number(series, 1, sellers)}" in path.read_text()


def test_the_example_of_clients_is_one() -> None:
    clients = read_toml_file("CLIENTS_FILE", EXAMPLES / "clients.toml", ClientsFile).clients

    assert clients["shop"].scopes == {"invoices:read", "invoices:write"}
    assert clients["reports"].seller_id == "*"


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        ("[sellers.a]\nnumber_format = 'INV-{year}'", "sellers.a.number_format is not a field; "),
        ("[sellers.a]\nnumber_format = 1", "there are address, credit_note_numbers, id, invoice_"),
        ("[sellers.a.invoice_numbers]\nyear = true\nprefix = 'A'", "padding, prefix, yearly"),
        ("[sellers.a.address]\nstreet = 'x'", "sellers.a.address.street is not a field; there are"),
        (
            "[sellers.a.invoice_numbers]\nyearly = true",
            "sellers.a.invoice_numbers.prefix is missing",
        ),
        ("[[sellers.a.tax_ids]]\nvalue = 'x'", "sellers.a.tax_ids.0.type is missing"),
        ("[sellers.a]\ntax_rounding = 'cent'", "sellers.a.tax_rounding must be '"),
        ("[sellers.a]\npayment_terms_days = -1", "sellers.a.payment_terms_days must be greater"),
        ("[sellers.a]\nid = 'b'", "sellers must not have an `id` in a"),
        ("[sellers]\na = 1", "sellers.a"),
        ("[seller.a]", "seller is not a field; there are sellers"),
        ("sellers = 3", "sellers must be"),
        ("", "sellers is missing"),
        ("[sellers", "Expected ']' at the end"),
        ("[sellers.a]\nname = 1\ntax_rounding = 1", "; sellers.a.tax_rounding"),
    ],
)
def test_an_error_in_the_file_of_sellers_names_the_field(
    tmp_path: Path, toml: str, complaint: str
) -> None:
    message = error(tmp_path, toml, "SELLERS_FILE", SellersFile)

    assert complaint in message


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        (
            f"[clients.a]\nsecret = '{HASH}'\nseller_id = '*'",
            "clients.a.secret is not a field; the",
        ),
        (f"[clients.a]\nsecret_hash = '{HASH}'", "clients.a.seller_id is missing"),
        ("[clients.a]\nsecret_hash = 'Canary7Tail'\nseller_id = '*'", "clients.a.secret_hash must"),
        (
            f"[clients.a]\nsecret_hash = '{HASH}'\nseller_id = '*'\nscopes = ['invoices:raed']",
            "must be invoices:read or invoices:write",
        ),
        (f"[clients.'a b']\nsecret_hash = '{HASH}'\nseller_id = '*'", "clients.a b must match"),
        ("", "clients is missing"),
        ("[client.a]", "client is not a field; there are clients"),
    ],
)
def test_an_error_in_the_file_of_clients_names_the_field_and_quotes_no_secret(
    tmp_path: Path, toml: str, complaint: str
) -> None:
    message = error(tmp_path, toml, "CLIENTS_FILE", ClientsFile)

    assert complaint in message
    assert "Canary7Tail" not in message


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "sellers.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(
        WrongSettingError, match=f"^INVOICING_SELLERS_FILE: {path} cannot be used: "
    ):
        read_toml_file("SELLERS_FILE", path, SellersFile)


def error(
    directory: Path, toml: str, setting: str, model: type[SellersFile] | type[ClientsFile]
) -> str:
    """The message for a file of this text."""
    path = directory / "file.toml"
    path.write_text(toml)
    with pytest.raises(WrongSettingError) as raised:
        read_toml_file(setting, path, model)
    message = str(raised.value)
    assert message.startswith(f"INVOICING_{setting}: {path} cannot be used: ")
    assert message.endswith("docs/settings.md has an example.")
    assert "pydantic" not in message
    assert "\n" not in message
    return message
