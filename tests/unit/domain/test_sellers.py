"""The file of sellers, and what a seller that it lacks leads to."""

import pytest

from invoicing.domain.sellers import read_sellers
from tests.support.domain.desk import Desk
from tests.support.domain.drafts import SELLERS, data, draft


def test_a_seller_who_is_not_on_the_list_is_refused() -> None:
    assert Desk(SELLERS).refuse("CreateInvoice", **data()).code == "unknown_seller"


def test_without_a_list_everyone_is_a_seller() -> None:
    assert draft(seller_id="anyone").current.seller_id == "anyone"


@pytest.mark.parametrize(
    "toml",
    [
        "", "[seller.acme]", "sellers = 1", "sellers.acme = 1", "[sellers.acme]\ntypo = 1",
        '[sellers.acme]\ntax_rounding = "never"',
        '[sellers.acme]\ninvoice_numbers = { prefix = "a\\"b" }',
        f'[sellers.acme]\ninvoice_numbers = {{ prefix = "{"x" * 33}" }}',
        "[sellers.acme]\ninvoice_numbers = { prefix = 'A', padding = 0 }",
        "[sellers.acme]\npayment_terms_days = -1", "[sellers.'']", "not toml",
    ],
)  # fmt: skip
def test_a_wrong_file_of_sellers_is_refused(toml: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_sellers(toml)


def test_books_cannot_be_closed_up_to_the_last_day_of_all() -> None:
    with pytest.raises(ValueError, match="must be before 2999-12-31"):
        read_sellers("[sellers.acme]\nlocked_until = 2999-12-31")
