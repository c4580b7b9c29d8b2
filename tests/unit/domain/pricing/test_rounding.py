"""Shares that do not add up; tests/property/test_arithmetic.py has those that do."""

from decimal import Decimal

import pytest

from invoicing.contracts.invoice import TaxRounding
from invoicing.domain.pricing.rounding import RoundingPolicy, exact_arithmetic, rounded

POLICY = RoundingPolicy.of("USD", TaxRounding.GROUP, tax_inclusive=False)


@pytest.mark.parametrize("total", ["0.97", "1.04"])
def test_quotas_that_do_not_add_up_to_the_total_are_a_defect(total: str) -> None:
    thirds = [Decimal(1)] * 3
    with exact_arithmetic(), pytest.raises(AssertionError, match="do not add up"):
        POLICY.share(Decimal(total), thirds, Decimal(3))


def test_half_a_cent_is_rounded_away_from_0_and_0_has_no_sign() -> None:
    with exact_arithmetic():
        assert [str(rounded(Decimal(text), POLICY.unit)) for text in ("0.005", "-0.005")] == [
            "0.01",
            "-0.01",
        ]
        assert str(rounded(Decimal("-0.004"), POLICY.unit)) == "0.00"
