"""The page of a dead letter, as an operator reads it."""

import pytest

from invoicing.maintenance.redrive import DeadLetterRecord
from invoicing.ops.support.letters import print_letter


def test_the_page_of_a_dead_letter_masks_card_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    value = b'{"memo": "card 4111 1111 1111 1111"}'
    print_letter(DeadLetterRecord(0, 1, b"inv_1", value, ()), redriven=False)
    page = capsys.readouterr().out
    assert "card 4111********1111" in page
    assert "4111 1111" not in page
