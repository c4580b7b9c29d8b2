"""The demo's story, and how it notices that something came otherwise."""

import pytest
import typer

from invoicing.contracts.commands import COMMANDS
from invoicing.contracts.envelope import CommandEnvelope, read_command
from invoicing.domain.sellers import read_sellers
from invoicing.tools.demo.command import print_surprises
from invoicing.tools.demo.play import differences
from invoicing.tools.demo.story import SCENES, SELLERS, Outcome

PAID = Outcome("accepted", ("invoice.paid",), {"state": "paid", "amount_due": "0.00"})


def test_what_came_as_the_story_has_it_is_no_surprise() -> None:
    outcome = Outcome("accepted", ("invoice.paid",), {**PAID.facts, "currency": "USD"})

    assert list(differences(PAID, outcome)) == []


def test_another_answer_is_a_surprise() -> None:
    outcome = Outcome("illegal_transition", PAID.events, PAID.facts)

    assert list(differences(PAID, outcome)) == ["answer illegal_transition, not accepted"]


def test_an_event_more_is_a_surprise() -> None:
    outcome = Outcome("accepted", ("invoice.paid", "invoice.overpaid"), PAID.facts)

    assert len(list(differences(PAID, outcome))) == 1


def test_another_amount_is_a_surprise() -> None:
    outcome = Outcome("accepted", PAID.events, {"state": "paid", "amount_due": "0.01"})

    assert list(differences(PAID, outcome)) == ["amount_due '0.01', not '0.00'"]


def test_a_surprise_is_told_and_fails_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as end:
        print_surprises(["1. CreateInvoice: answer unknown_seller, not accepted"])

    assert end.value.exit_code == 1
    assert "answer unknown_seller, not accepted" in capsys.readouterr().err


def test_no_surprise_ends_the_demo_well() -> None:
    print_surprises([])


def test_every_message_of_the_story_but_the_broken_one_is_a_command() -> None:
    commands = [read_command(scene.value, ()) for scene in SCENES]

    types = [command.type for command in commands if isinstance(command, CommandEnvelope)]
    assert len(types) == len(SCENES) - 1
    assert set(types) <= set(COMMANDS)


def test_the_story_has_several_sellers() -> None:
    assert len(read_sellers(SELLERS).listed or {}) == 3
