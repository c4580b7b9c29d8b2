"""Hints are never wrongly no: what they rule out is not there."""

import orjson
import pytest

from invoicing.contracts.commands import COMMANDS
from invoicing.contracts.hints import Hints
from invoicing.contracts.model import ContractModel
from invoicing.contracts.validation.scale import amount_names


@pytest.mark.parametrize("model", COMMANDS.values(), ids=COMMANDS)
def test_data_with_any_amount_has_the_hint(model: type[ContractModel]) -> None:
    for name in amount_names(model):
        assert Hints.of(orjson.dumps({"items": [{name: "1.00"}]})).amounts, name


def test_data_without_amounts_and_digits_has_no_hint() -> None:
    text = orjson.dumps({"items": [{"unit_price": "100.00", "description": "an amount"}]})

    assert Hints.of(text) == Hints(card_numbers=False, amounts=False)


def test_digits_of_a_card_number_have_the_hint() -> None:
    assert Hints.of(b'{"memo":"4111 1111 1111 1111"}').card_numbers
