"""The balance: every row of the design's table, and what may never be."""

from decimal import Decimal

import pytest

from invoicing.contracts.invoice import State
from invoicing.domain.balance import balance


@pytest.mark.parametrize(
    ("state", "paid", "expected"),
    [
        ("open", "30", ("open", "50", "0", "0")),
        ("uncollectible", "30", ("uncollectible", "0", "50", "0")),
        ("open", "80", ("paid", "0", "0", "0")),
        ("uncollectible", "95", ("paid", "0", "0", "15")),
        ("paid", "30", ("open", "50", "0", "0")),
        ("draft", "0", ("draft", "0", "0", "0")),
        ("void", "30", ("void", "0", "0", "30")),
        ("reversed", "-30", ("reversed", "0", "30", "0")),
        ("cancelled", "0", ("cancelled", "0", "0", "0")),
    ],
)
def test_a_row_of_the_table(state: str, paid: str, expected: tuple[str, ...]) -> None:
    facts = {
        "state": State(state),
        "total": Decimal(100),
        "amount_credited": Decimal(20),
        "amount_paid": Decimal(paid) + 12,
        "amount_refunded": Decimal(5),
        "amount_returned": Decimal(4),
        "amount_transferred": Decimal(3),
    }
    assert tuple(map(str, balance(facts))) == expected
