"""Models built from valid parts: their names are checked, their values are not."""

from decimal import Decimal

import pytest

from invoicing.contracts.invoice import Charge, Fee, PricedFee


def test_a_model_of_valid_parts_equals_a_validated_one() -> None:
    built = Fee.construct_unchecked(type="recycling", amount=Decimal("1.50"))
    validated = Fee.model_validate({"type": "recycling", "amount": "1.50"})

    assert built == validated
    assert hash(built) == hash(validated)
    assert built.to_json() == validated.to_json()
    assert Fee.model_validate_json(built.to_json()) == built


def test_a_field_that_was_given_its_default_equals_one_that_was_not_given() -> None:
    without = Fee.construct_unchecked(type="recycling", amount=Decimal("1.50"))
    given = without.copy_with(per_unit_amount=None)

    assert given == without
    assert hash(given) == hash(without)
    assert given.to_json() != without.to_json()


def test_whether_a_field_was_given_is_kept_where_fields_are_added() -> None:
    read = Fee.model_validate({"type": "recycling", "amount": "1.50"})

    extended = PricedFee.extended_from(read, tax_amount=Decimal("0.30"))

    assert extended.model_fields_set == {"type", "amount", "tax_amount"}
    assert extended.per_unit_amount is None
    assert extended.to_json() == '{"type":"recycling","amount":"1.50","tax_amount":"0.30"}'


def test_a_field_that_the_model_lacks_is_an_error() -> None:
    with pytest.raises(TypeError, match="Charge"):
        Charge.construct_unchecked(amount=Decimal(1), amuont=Decimal(1))
    with pytest.raises(TypeError, match="Charge"):
        Charge.construct_unchecked(amount=Decimal(1)).copy_with(amuont=Decimal(1))


def test_a_required_field_that_is_missing_is_an_error() -> None:
    with pytest.raises(TypeError, match="Fee"):
        Fee.construct_unchecked(amount=Decimal("1.50"))


def test_json_has_the_fields_that_were_set_in_the_order_of_the_model() -> None:
    given = Fee.construct_unchecked(per_unit_amount="0.50", type="recycling")

    priced = PricedFee.computed_from(given, tax_amount=Decimal("0.20"), amount=Decimal("1.00"))

    assert priced.to_json() == (
        '{"type":"recycling","amount":"1.00","per_unit_amount":"0.50","tax_amount":"0.20"}'
    )
    assert given.model_fields_set == {"type", "per_unit_amount"}


def test_a_copy_leaves_the_original() -> None:
    one = Charge.construct_unchecked(amount=Decimal(1))

    assert one.copy_with(amount=Decimal(2)).amount == 2
    assert one.amount == 1
